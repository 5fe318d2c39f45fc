"""Who is here: the token, where it stays, what it allows, and its end."""

from conftest import CONSOLE, Caller, expect, go, problem, sign_in


def test_what_is_no_token_is_told_beside_the_field(tab):
    page = tab()
    page.goto(CONSOLE)
    field = page.get_by_label("Token")
    field.fill("not a token")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_text("This is no JWT")).to_be_visible()
    expect(field).to_have_attribute("aria-invalid", "true")


def test_a_token_stays_in_its_tab(tab, caller):
    page = tab()
    page.goto(CONSOLE)
    page.get_by_label("Token").fill(f"  Bearer {caller.token}\n")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("heading", name="Levels")).to_be_visible()
    assert caller.token not in page.url
    assert page.evaluate("[document.cookie, localStorage.length, Object.values(sessionStorage)]") == ["", 0, [caller.token]]
    page.reload()
    expect(page.get_by_role("heading", name="Levels")).to_be_visible()
    other = page.context.new_page()
    other.goto(CONSOLE)
    expect(other.get_by_label("Token")).to_be_visible()
    page.get_by_role("button", name="Forget the token").click()
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_an_expired_token_is_refused_in_words(tab):
    page = tab()
    page.goto(CONSOLE)
    page.get_by_label("Token").fill(Caller("expired", ttl=-60).token)
    page.get_by_role("button", name="Open").click()
    expect(problem(page)).to_contain_text("UNAUTHORIZED")
    expect(problem(page).locator(".request")).not_to_be_empty()
    expect(page.get_by_label("Token")).to_be_visible()


def test_a_token_that_ends_while_the_page_is_open_is_told_with_the_request(tab):
    page = sign_in(tab(), Caller("ending", ttl=3))
    expect(problem(page)).to_contain_text("UNAUTHORIZED")
    expect(problem(page).locator(".request")).not_to_be_empty()
    page.get_by_label("Token").fill(Caller("ending").token)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("heading", name="Levels")).to_be_visible()


def test_what_a_token_may_not_do_is_absent(tab, caller):
    caller.put("absent:1", {"a": 1})
    page = sign_in(tab(), Caller("reader", scopes="cache:read"))
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_text(["Levels", "Keys", "Entry", "Jobs", "Configuration"])
    go(page, "Entry")
    page.get_by_label("Key").fill("absent:1")
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_role("article", name="The entry")).to_be_visible()
    go(page, "Jobs")
    expect(page.get_by_text("There are none.")).to_be_visible()
    go(page, "Configuration")
    expect(page.get_by_text("coherence_window_ms")).to_be_visible()
    for name in ["Delete", "Change", "Edit the value", "Start", "Send"]:
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    expect(page.locator("main input, main select")).to_have_count(0)
    expect(problem(page)).to_have_count(0)


def test_views_that_a_token_may_not_see_are_not_reached_by_their_address(tab):
    page = sign_in(tab(), Caller("journalist", scopes="cache:journal"), view="config")
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_text(["Journal"])
    expect(page.get_by_role("heading", level=1)).to_have_text("Journal")
    nobody = sign_in(tab(), Caller("nobody", scopes="other:scope"))
    expect(nobody.get_by_text("This token has no scope that this page knows.")).to_be_visible()


def test_a_confined_token_sees_what_is_its_own(tab, caller):
    caller.put("mine:1")
    caller.put("theirs:1")
    page = sign_in(tab(), Caller("confined", prefixes="mine:"), view="keys")
    expect(page.get_by_text("confined to keys under")).to_be_visible()
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("button", name="mine:1")).to_be_visible()
    expect(page.get_by_text("theirs:1")).to_have_count(0)
    page.get_by_label("Prefix", exact=True).fill("theirs:")
    page.get_by_role("button", name="Find").click()
    expect(problem(page)).to_contain_text("FORBIDDEN")
    expect(problem(page).locator(".request")).not_to_be_empty()
    go(page, "Configuration")
    expect(page.get_by_text("coherence_window_ms")).to_be_visible()
    expect(page.locator("main input")).to_have_count(0)
