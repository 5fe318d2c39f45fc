"""For everybody: by keyboard alone, with a screen reader (axe), in the dark, on a phone; and at once."""

import json
import os
from pathlib import Path

import pytest
from conftest import CONSOLE, DESK, PHONE, SHOTS, expect, go, sign_in

AXE = Path(os.environ["AXE_SCRIPT"]).read_text(encoding="utf-8")
VIEWS = ["Levels", "Keys", "Entry", "Put", "Invalidate", "Jobs", "Journal", "Configuration"]


def press_to(page, what, most=80):
    """Moves on by Tab until it has the focus."""
    for _ in range(most):
        if what.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{what} is not reached by Tab")


def test_the_keyboard_alone_suffices(tab, caller):
    caller.put("keyboard:1", {"a": {"b": 1}})
    page = tab()
    page.goto(CONSOLE)
    press_to(page, page.get_by_label("Token"))
    page.keyboard.insert_text(caller.token)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Levels")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    press_to(page, page.get_by_role("link", name="Keys"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Keys")).to_be_focused()
    press_to(page, page.get_by_label("Prefix", exact=True))
    page.keyboard.type("keyboard:")
    page.keyboard.press("Enter")
    found = page.get_by_role("button", name="keyboard:1")
    expect(found).to_be_visible()
    press_to(page, found)
    page.keyboard.press("Enter")
    fold = page.locator("article summary").nth(1)
    expect(fold).to_be_visible()
    press_to(page, fold)
    page.keyboard.press("Enter")
    expect(page.get_by_text('"b": 1')).to_be_visible()
    press_to(page, page.get_by_role("button", name="Delete"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Delete it")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Deleted from")).to_be_visible()


def serious(page):
    """What axe finds that keeps somebody out."""
    found = page.evaluate(f"async () => {{ {AXE}; return (await axe.run()).violations }}")
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found if one["impact"] in ("serious", "critical")]


def filled(page, view):
    """Has a view show what it can."""
    if view == "Keys":
        page.get_by_role("button", name="Find").click()
        expect(page.locator("tbody tr").first).to_be_visible()
        page.get_by_role("button", name="Tags", exact=True).click()
    if view == "Entry":
        page.get_by_label("Key", exact=True).fill("axe:1")
        page.get_by_role("button", name="Look").click()
        page.get_by_role("button", name="Delete").click()
    if view == "Put":
        page.get_by_role("button", name="Put").click()
        expect(page.locator(".error")).to_be_visible()
    if view == "Invalidate":
        page.get_by_label("Pattern").fill("axe:*")
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_role("region", name="Preview")).to_be_visible()
    if view == "Jobs":
        page.get_by_text("Warm the cache").click()
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("alert")).to_be_visible()
    if view == "Journal":
        expect(page.locator("tbody tr").first).to_be_visible()
    if view == "Configuration":
        page.get_by_label("max_capacity").fill("9999")
        expect(page.get_by_role("table", name="What would change")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_serious_and_everything_fits(tab, caller, shot, scheme, size):
    caller.put("axe:1", {"a": [1, 2, {"long": "x" * 300}]}, tags=["tag"] + ["y" * 100])
    page = tab(color_scheme=scheme, viewport=size)
    page.goto(CONSOLE)
    expect(page.get_by_label("Token")).to_be_visible()
    assert serious(page) == []
    sign_in(page, caller)
    expect(page.locator(".chart canvas")).to_have_count(2)
    for view in VIEWS:
        go(page, view)
        filled(page, view)
        assert serious(page) == [], view
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], f"{view} is {width} wide"
        shot(page, f"{view.lower()}-{scheme}-{'phone' if size == PHONE else 'desk'}")


def test_how_long_until_it_can_be_used(browser, caller):
    """Measured and kept as an artefact, never judged: the machine may be busy."""
    context = browser.new_context(viewport=DESK)
    page = sign_in(context.new_page(), caller)
    told = []
    for _ in range(5):
        page.reload()
        expect(page.locator(".summary")).to_be_visible()
        told.append(page.evaluate("""() => {
            const [load] = performance.getEntriesByType("navigation");
            const files = performance.getEntriesByType("resource").filter((one) => one.name.includes("/console/"));
            return {
                usable_ms: performance.getEntriesByName("usable")[0].startTime,
                loaded_ms: load.loadEventEnd,
                files: files.length,
                kb: (load.encodedBodySize + files.reduce((sum, one) => sum + one.encodedBodySize, 0)) / 1024,
            };
        }"""))
    context.close()
    SHOTS.mkdir(parents=True, exist_ok=True)
    (SHOTS / "measured.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    print(told)
    assert all(0 < one["kb"] <= 200 for one in told), told
