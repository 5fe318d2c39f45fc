"""Levels, charts, limits: healthy, and with a level down."""

import re

from conftest import entry, expect, problem, sign_in


def test_levels_are_told_in_words_and_drawn(console, caller, shot):
    level = console.get_by_role("region", name="DynamoDB")
    expect(level).to_contain_text("Answers as it should.")
    expect(console.get_by_text("Everything answers as it should.")).to_be_visible()
    expect(console.locator(".chart canvas")).to_have_count(2)
    # The counts of a container come with its syncs, of which there is one a second while it is asked.
    drawn = console.get_by_role("img", name=re.compile(r"^Hit ratio .*; last: L1 \d"))
    caller.put("levels:1")
    for _ in range(60):
        caller.call("GET", entry("levels:1"))
        if drawn.count() == 1:
            break
        console.wait_for_timeout(500)
    expect(drawn).to_be_visible()
    fleet = console.get_by_role("region", name="Fleet")
    expect(fleet).to_contain_text("Coherence window")
    limits = console.get_by_role("region", name="Limits and quotas")
    expect(limits).to_contain_text("of 5,000 left")
    expect(limits).to_contain_text("of 1,000,000")
    expect(console.get_by_role("region", name="Token")).to_contain_text("cache:admin, cache:journal, cache:read, cache:write")
    shot(console, "levels")


def test_a_level_that_is_down_is_told_with_what_it_means(console, caller, faults, shot):
    caller.put("down:1")
    faults({"redis": {"fault": "cut"}})
    expect(console.get_by_text("Trouble with Redis.")).to_be_visible()
    expect(console.get_by_role("region", name="Redis")).to_contain_text("Out of reach. Reads go on from the other levels.")
    expect(console.locator("header .pill")).to_have_text("degraded")
    expect(console.get_by_role("region", name="Fleet")).to_contain_text("Counts are not available")
    shot(console, "levels-redis-down")
    faults({"redis": {"fault": "none"}})
    expect(console.get_by_text("Everything answers as it should.")).to_be_visible()


def test_with_the_table_down_a_write_is_refused_in_words(tab, caller, faults):
    page = sign_in(tab(), caller, view="put")
    faults({"l3": {"fault": "stopped"}})
    page.get_by_label("Key", exact=True).fill("down:2")
    page.get_by_label("Value").fill("1")
    page.get_by_role("button", name="Put").click()
    expect(problem(page)).to_contain_text("LEVEL_UNAVAILABLE")
    expect(problem(page)).to_contain_text("Wait 1 s before you try again.")
    expect(problem(page).locator(".request")).not_to_be_empty()
    faults({"l3": {"fault": "ok"}})
    created = page.get_by_text("Created, in")
    # The container that was refused skips the table for a moment longer.
    for _ in range(60):
        page.get_by_role("button", name="Put").click()
        expect(page.get_by_role("button", name="Put")).to_be_enabled()
        if created.count() == 1:
            break
        page.wait_for_timeout(500)
    expect(created).to_be_visible()


def test_an_api_that_is_out_of_reach_is_told(console):
    expect(console.get_by_text("Everything answers as it should.")).to_be_visible()
    console.context.set_offline(True)
    expect(problem(console)).to_contain_text("The API could not be reached")
    expect(console.locator("header .pill")).to_have_text("unknown")
    console.context.set_offline(False)
    expect(problem(console)).to_have_count(0)


def test_who_only_looks_asks_once_a_second_at_most(tab, caller):
    for view in ["levels", "journal", "jobs", "invalidate"]:
        page = sign_in(tab(), caller, view=view)
        # Once open, a view has looked at what it shows.
        page.wait_for_timeout(1500)
        page.evaluate("performance.clearResourceTimings()")
        page.wait_for_timeout(8000)
        times = page.evaluate("performance.getEntriesByType('resource').map((one) => one.startTime)")
        gaps = [after - before for before, after in zip(times, times[1:])]
        assert len(times) > 0 and all(gap > 950 for gap in gaps), f"{view}: {times}"
