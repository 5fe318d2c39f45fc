"""Keys are found, and entries looked at, put, changed and deleted."""

import json

from conftest import expect, go, problem, sign_in


def find(page, **fields):
    for label, text in fields.items():
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_role("button", name="Find").click()


def look(page, key):
    go(page, "Entry")
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Look").click()
    return page.get_by_role("article", name="The entry")


def test_keys_are_found_by_prefix_and_tag_page_by_page(console, caller, shot):
    for number in range(60):
        caller.put(f"found:{number:03}", {"n": number}, tags=["even" if number % 2 == 0 else "odd"])
    go(console, "Keys")
    find(console, Prefix="found:")
    expect(console.locator("tbody tr")).to_have_count(50)
    console.get_by_role("button", name="More").click()
    expect(console.locator("tbody tr")).to_have_count(60)
    expect(console.get_by_text("60 shown, which is all.")).to_be_visible()
    shot(console, "keys")
    find(console, Tag="odd")
    expect(console.locator("tbody tr")).to_have_count(30)
    find(console, Prefix="nowhere:", Tag="")
    expect(console.get_by_text("Nothing is there.")).to_be_visible()
    console.get_by_role("button", name="Tags", exact=True).click()
    console.get_by_role("button", name="even").click()
    expect(console.locator("tbody tr")).to_have_count(30)
    console.get_by_role("button", name="found:058").click()
    expect(console.get_by_role("article", name="The entry")).to_contain_text("even")


def test_prefixes_are_offered(console, caller):
    caller.put("offered:1")
    go(console, "Keys")
    console.get_by_role("button", name="Prefixes with most entries").click()
    known = console.locator(".known").first
    expect(known).to_contain_text("Counted ")
    expect(known.locator("li, p:text('None are known.')").first).to_be_visible()


def test_a_value_is_shown_as_it_was_stored(console, caller, shot):
    value = '{"b":12345678901234567890.10,"10":[1,{"deep":null},"two\\nlines"],"2":"x","b":true,"empty":{},"none":[]}'
    caller.put("shown:1", value, tags=["a tag"], ttl_seconds=600)
    entry = look(console, "shown:1")
    # Members in their order, twice where they are there twice, numbers to the last digit.
    expect(entry.locator(".value .inside").first.locator("> .leaf, > details > summary")).to_have_text(
        ['"b": 12345678901234567890.10', '"10": […]', '"2": "x"', '"b": true', '"empty": {…}', '"none": […]'])
    entry.get_by_text('"10": […]').click()
    expect(entry.get_by_text('"two\\nlines"')).to_be_visible()
    entry.get_by_text("1: {…}").click()
    expect(entry.get_by_text('"deep": null')).to_be_visible()
    expect(entry).to_contain_text("a tag")
    expect(entry).to_contain_text("600 s")
    shot(console, "entry")


def test_large_and_deep_values_are_folded(console, caller):
    caller.put("large:1", list(range(1000)))
    expect(look(console, "large:1").locator(".leaf")).to_have_count(100)
    console.get_by_role("button", name="900 more").click()
    expect(console.locator("article .leaf")).to_have_count(200)
    caller.put("large:2", "[" * 100 + "7" + "]" * 100)
    entry = look(console, "large:2")
    entry.get_by_text("0: […]").click()
    expect(entry.locator("summary")).to_have_count(3)
    caller.put("large:3", '"' + "x" * 5000 + '"')
    look(console, "large:3").get_by_role("button", name="… 3002 more").click()
    expect(console.get_by_text("x" * 5000)).to_be_visible()


def test_a_key_that_is_not_there_is_told(console):
    look(console, "nothing:here")
    expect(problem(console)).to_contain_text("CACHE_KEY_NOT_FOUND")
    expect(problem(console).locator(".request")).not_to_be_empty()


def test_why_a_read_is_answered_as_it_is_is_said(console, caller, shot):
    caller.put("why:1", tags=["red"])
    look(console, "why:1")
    button = console.get_by_role("button", name="Explain")
    button.click()
    why = console.get_by_role("region", name="Why")
    expect(why).to_contain_text("A read finds the newest value.")
    expect(why.locator("tbody tr")).to_have_count(3)
    caller.call("POST", "invalidate", {"tags": ["red"], "reason": "because"})
    # Not before the window is over: until then the container may have it.
    for _ in range(60):
        button.click()
        console.wait_for_timeout(500)
        if why.get_by_text("A read finds nothing.").count() == 1:
            break
    expect(why).to_contain_text("An invalidation by tag meant it.")
    expect(why).to_contain_text("because")
    shot(console, "explain")


def test_time_to_live_is_changed_and_the_entry_deleted(console, caller):
    caller.put("changed:1", ttl_seconds=60)
    entry = look(console, "changed:1")
    field = entry.get_by_label("Time to live from now")
    field.fill("0")
    entry.get_by_role("button", name="Change").click()
    expect(entry.locator(".error")).to_be_visible()
    field.fill("7200")
    entry.get_by_role("button", name="Change").click()
    expect(console.get_by_text("Its time to live is changed.")).to_be_visible()
    assert caller.get("changed:1")[1]["metadata"]["ttl_seconds"] == 7200
    entry.get_by_role("button", name="Delete").click()
    console.get_by_role("button", name="Keep").click()
    assert caller.get("changed:1")[0] == 200
    entry.get_by_role("button", name="Delete").click()
    expect(console.get_by_role("button", name="Delete it")).to_be_focused()
    console.get_by_role("button", name="Delete it").click()
    expect(console.get_by_text("Deleted from")).to_be_visible()
    assert caller.get("changed:1")[0] == 404


def test_mistakes_are_shown_beside_their_fields(console, caller, shot):
    go(console, "Put")
    button = console.get_by_role("button", name="Put")

    def error(label):
        field = console.get_by_label(label, exact=True)
        expect(field).to_have_attribute("aria-invalid", "true")
        return console.locator(f"#{field.get_attribute('id')}-error")

    console.get_by_label("Key", exact=True).fill("mistaken:1")
    console.get_by_label("Value").fill('{"a": 1,}')
    button.click()
    expect(error("Value")).to_contain_text("This is not JSON")
    console.get_by_label("Value").fill('{"a": 1}')
    console.get_by_label("Time to live, in seconds").fill("0")
    console.get_by_label("Tags").fill("fine\n" + "x" * 129)
    console.get_by_label("Memory").uncheck()
    console.get_by_label("Redis").uncheck()
    console.get_by_label("DynamoDB").uncheck()
    button.click()
    expect(error("Time to live, in seconds")).not_to_be_empty()
    expect(error("Tags")).not_to_be_empty()
    expect(console.locator("fieldset .error")).not_to_be_empty()
    expect(problem(console)).to_contain_text("INVALID_REQUEST")
    shot(console, "put-mistakes")
    console.get_by_label("Time to live, in seconds").fill("90")
    console.get_by_label("Tags").fill("fine\nsecond, with a comma")
    console.get_by_label("Redis").check()
    console.get_by_label("DynamoDB").check()
    button.click()
    expect(console.get_by_text("Created, in")).to_be_visible()
    console.get_by_role("button", name="Look at it").click()
    entry = console.get_by_role("article", name="The entry")
    expect(entry).to_contain_text("second, with a comma")
    expect(entry).to_contain_text("L2 L3")
    expect(entry).to_contain_text("90 s")


def test_an_edit_goes_over_nobody_elses(console, caller):
    caller.put("edited:1", '{"n":1.0}', tags=["kept"])
    look(console, "edited:1").get_by_role("button", name="Edit the value").click()
    expect(console.get_by_label("Value")).to_have_value('{"n":1.0}')
    expect(console.get_by_label("Tags")).to_have_value("kept")
    caller.put("edited:1", "2")
    console.get_by_label("Value").fill("3")
    console.get_by_role("button", name="Put").click()
    expect(problem(console)).to_contain_text("PRECONDITION_FAILED")
    look(console, "edited:1").get_by_role("button", name="Edit the value").click()
    for value in ["4", "5"]:
        console.get_by_label("Value").fill(value)
        console.get_by_role("button", name="Put").click()
        expect(console.get_by_text("Updated, in")).to_be_visible()
        console.wait_for_function("document.querySelector('.done')")
    assert caller.get("edited:1")[1]["value"] == 5


def test_an_edit_keeps_what_the_entry_was_stored_with(console, caller):
    stored = {"tags": ["kept"], "ttl_seconds": 86_400, "idle_seconds": 900, "grace_seconds": 60}
    caller.put("edited:2", 1, cache_levels=["L2_REDIS", "L3_DATABASE"], **stored)
    entry = look(console, "edited:2")
    expect(entry).to_contain_text("900 s")
    expect(entry).to_contain_text("Grace60 s")
    entry.get_by_role("button", name="Edit the value").click()
    idle = console.get_by_label("Ends unless read for, in seconds")
    grace = console.get_by_label("Grace, in seconds")
    expect(idle).to_have_value("900")
    expect(grace).to_have_value("60")
    button = console.get_by_role("button", name="Put")
    grace.fill("-1")
    button.click()
    expect(console.locator("#put-grace-error")).not_to_be_empty()
    grace.fill("60")
    console.get_by_label("Value").fill("2")
    button.click()
    expect(console.get_by_text("Updated, in")).to_be_visible()
    answer = caller.get("edited:2")[1]
    assert answer["value"] == 2
    assert {field: answer["metadata"].get(field) for field in stored if field != "tags"} == {
        field: value for field, value in stored.items() if field != "tags"}
    kept = caller.call("GET", "keys?prefix=edited:2")[1]["keys"][0]
    assert (kept["tags"], kept["levels"]) == (["kept"], ["L2_REDIS", "L3_DATABASE"])
    idle.fill("")
    grace.fill("0")
    button.click()
    expect(console.get_by_text("Updated, in")).to_be_visible()
    console.get_by_role("button", name="Look at it").click()
    expect(console.get_by_role("article", name="The entry")).not_to_contain_text("Grace")
    assert not {"idle_seconds", "grace_seconds"} & caller.get("edited:2")[1]["metadata"].keys()


def test_an_edit_says_nothing_of_compression_unless_it_is_not_allowed(console, caller):
    def sent(button):
        with console.expect_request(lambda request: request.method == "PUT") as put:
            button.click()
        expect(console.get_by_text("Updated, in")).to_be_visible()
        return put.value.post_data_json

    caller.put("edited:3", json.dumps("x" * 4000), compression_enabled=False)
    look(console, "edited:3").get_by_role("button", name="Edit the value").click()
    expect(console.get_by_text("does not say whether it may be compressed")).to_be_visible()
    button = console.get_by_role("button", name="Put")
    assert "compression_enabled" not in sent(button)
    assert caller.get("edited:3")[1]["metadata"]["compressed"] is True
    console.get_by_label("Compress it").uncheck()
    assert sent(button)["compression_enabled"] is False
    assert caller.get("edited:3")[1]["metadata"]["compressed"] is False


def test_one_is_one(console, caller):
    caller.put("one:1", "1")
    expect(look(console, "one:1")).to_contain_text("1 byte")
    expect(console.get_by_role("article", name="The entry")).not_to_contain_text("1 bytes")


def test_with_redis_down_a_write_says_that_it_is_degraded(tab, caller, faults):
    page = sign_in(tab(), caller, view="put")
    faults({"redis": {"fault": "cut"}})
    page.get_by_label("Key", exact=True).fill("degraded:1")
    page.get_by_label("Value").fill("1")
    page.get_by_role("button", name="Put").click()
    expect(page.get_by_text("Redis could not be told")).to_be_visible()
