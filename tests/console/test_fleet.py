"""What concerns many entries, and everybody: invalidation, jobs, the journal, the configuration."""

import re
from datetime import date, timedelta

from conftest import Caller, entry, expect, go, problem, sign_in


def test_an_invalidation_is_shown_before_it_is_done(console, caller, shot):
    for number in range(3):
        caller.put(f"gone:{number}", tags=["red", "round"] if number else ["red"])
    caller.put("spared:1", tags=["blue"])
    go(console, "Invalidate")
    console.get_by_label("Pattern").fill("gone:[")
    console.get_by_role("button", name="Preview").click()
    expect(console.locator("#invalidate-pattern-error")).not_to_be_empty()
    console.get_by_label("Pattern").fill("gone:*")
    console.get_by_label("Reason").fill("a test")
    console.get_by_role("button", name="Preview").click()
    preview = console.get_by_role("region", name="Preview")
    expect(preview).to_contain_text("3 entries match, in L1")
    expect(preview.locator("li")).to_have_text(["gone:0", "gone:1", "gone:2"])
    shot(console, "invalidate")
    assert caller.get("gone:0")[0] == 200
    # What is asked for is what was shown: another pattern has no preview.
    console.get_by_label("Pattern").fill("*")
    expect(preview).to_have_count(0)
    console.get_by_label("Pattern").fill("gone:*")
    console.get_by_role("button", name="Preview").click()
    preview.get_by_role("button", name="Invalidate 3").click()
    expect(console.get_by_text("Invalidated 3 in L1")).to_be_visible()
    assert [caller.get("gone:0")[0], caller.get("spared:1")[0]] == [404, 200]


def test_what_is_invalidated_becomes_stale_where_it_has_a_grace(console, caller, shot):
    caller.put("soft:kept", {"from": "before"}, grace_seconds=86_400)
    caller.put("soft:bare")
    go(console, "Invalidate")
    console.get_by_label("Pattern").fill("soft:*")
    way = console.get_by_label("What matches")
    way.select_option("becomes stale, where it has a grace")
    # What is made stale cannot be undone.
    expect(console.get_by_label("It can be undone")).to_have_count(0)
    deadline = console.get_by_label("Stale for at most, in seconds")
    deadline.fill("soon")
    console.get_by_role("button", name="Preview").click()
    expect(deadline).to_have_attribute("aria-invalid", "true")
    expect(console.locator("#invalidate-deadline-error")).not_to_be_empty()
    deadline.fill("600")
    console.get_by_role("button", name="Preview").click()
    preview = console.get_by_role("region", name="Preview")
    expect(preview).to_contain_text("2 entries match")
    expect(preview).to_contain_text("1 would become stale, 1 would be removed.")
    shot(console, "invalidate-stale")
    assert caller.get("soft:kept")[0] == 200
    preview.get_by_role("button", name="Invalidate 2").click()
    expect(console.get_by_text("Made 1 stale and removed 1 in L1")).to_be_visible()
    # Who takes what has expired gets it, and nobody else.
    takes = {"Cache-Control": "no-cache, max-stale"}
    assert [caller.call("GET", entry(key), **takes)[0] for key in ["soft:kept", "soft:bare"]] == [200, 404]
    assert caller.get("soft:kept")[0] == 404
    go(console, "Entry")
    console.get_by_label("Key", exact=True).fill("soft:kept")
    console.get_by_role("button", name="Look").click()
    found = console.get_by_role("article")
    expect(found.locator(".pill")).to_have_text("stale")
    expect(found).to_contain_text('"from": "before"')
    expect(found).to_contain_text(re.compile(r"Ended.* ago.*Grace", re.DOTALL))
    # There is nothing that could be changed.
    expect(found.get_by_role("button", name="Change")).to_have_count(0)
    shot(console, "entry-stale")


def test_no_more_goes_than_the_preview_showed(console, caller):
    caller.put("more:1")
    go(console, "Invalidate")
    console.get_by_label("Pattern").fill("more:*")
    console.get_by_role("button", name="Preview").click()
    button = console.get_by_role("button", name="Invalidate 1")
    expect(button).to_be_visible()
    expect(console.get_by_role("region", name="Preview")).to_contain_text("1 entry matches")
    caller.put("more:2")
    button.click()
    expect(problem(console)).to_contain_text("TOO_MANY_MATCHES")
    expect(console.get_by_text("More match by now")).to_be_visible()
    assert caller.get("more:1")[0] == 200


def test_tags_and_keys_are_invalidated_as_well(console, caller):
    for number, tags in enumerate([["a"], ["a", "b"], ["b", "c"]]):
        caller.put(f"tagged:{number}", tags=tags)
    go(console, "Invalidate")
    way = console.get_by_label("By")
    for choice, field, text, but, count in [
        ("any of the tags", "Tags", "a\nb", "", 3),
        ("all of the tags", "Tags", "a\nb", "", 1),
        ("any of the tags", "Tags", "a\nb", "c", 2),
        ("keys", "Keys", "tagged:0\ntagged:2\nnowhere", "", 2),
    ]:
        way.select_option(choice)
        console.get_by_label(field, exact=True).fill(text)
        console.get_by_label("But not entries").fill(but)
        console.get_by_role("button", name="Preview").click()
        expect(console.get_by_role("button", name=f"Invalidate {count}")).to_be_visible()
    console.get_by_role("button", name="Invalidate 2").click()
    expect(console.get_by_text("Invalidated 2")).to_be_visible()
    assert [caller.get(f"tagged:{number}")[0] for number in range(3)] == [404, 200, 404]


def test_what_was_invalidated_is_undone_from_the_list(console, caller, shot):
    for number in range(2):
        caller.put(f"mistake:{number}", number)
    go(console, "Invalidate")
    console.get_by_label("Pattern").fill("mistake:*")
    console.get_by_label("Reason").fill("a mistake")
    console.get_by_label("It can be undone").select_option("for 10 minutes")
    console.get_by_role("button", name="Preview").click()
    console.get_by_role("button", name="Invalidate 2").click()
    expect(console.get_by_text("Invalidated 2")).to_be_visible()
    one = console.get_by_role("listitem", name=re.compile("^Invalidation ")).filter(has_text="mistake:*")
    expect(one.locator(".pill")).to_have_text("undoable")
    expect(one).to_contain_text(re.compile("a mistake.*2 removed, (10|9) min.* left", re.DOTALL))
    shot(console, "undo")
    caller.put("mistake:1", 7)
    one.get_by_role("button", name="Undo").click()
    expect(one).to_contain_text("Brought back 1. 1 touched by something else since")
    expect(one.locator(".pill")).to_have_text("undone")
    assert [caller.get(f"mistake:{number}")[1]["value"] for number in range(2)] == [0, 7]


def test_an_invalidation_is_undone_at_once(console, caller, tab):
    caller.put("hasty:1")
    # Who may not read the journal sees no list, and can undo what it has just done.
    page = sign_in(tab(), Caller("hasty", scopes="cache:read cache:write"), "invalidate")
    page.get_by_label("Pattern").fill("hasty:*")
    page.get_by_label("It can be undone").select_option("for an hour")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Invalidate 1").click()
    expect(page.get_by_text("What can be undone")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Brought back 1.")).to_be_visible()
    assert caller.get("hasty:1")[0] == 200


def test_jobs_are_started_followed_and_cancelled(console, caller, shot):
    for number in range(5):
        caller.put(f"warmed:{number}")
    go(console, "Jobs")
    expect(console.get_by_text("There are none.")).to_be_visible()
    console.get_by_text("Warm the cache").click()
    start = console.get_by_role("button", name="Start")
    start.click()
    expect(problem(console)).to_contain_text("INVALID_REQUEST")
    console.get_by_label("Patterns").fill("warmed:*")
    console.get_by_label("Entries a batch").fill("0")
    start.click()
    expect(console.locator("#warm-batch-error")).not_to_be_empty()
    console.get_by_label("Entries a batch").fill("10")
    start.click()
    expect(console.get_by_text("Started warm_job_")).to_be_visible()
    job = console.get_by_role("listitem", name=re.compile("^Job "))
    expect(job).to_have_count(1)
    expect(job.locator(".pill")).to_have_text("done")
    expect(job).to_contain_text("5 done")
    console.get_by_label("Strategy").select_option("SCHEDULED")
    console.get_by_label("Not before").fill(f"{date.today() + timedelta(days=30)}T10:00")
    start.click()
    waiting = job.filter(has=console.locator(".pill", has_text="scheduled"))
    expect(waiting).to_have_count(1)
    shot(console, "jobs")
    waiting.get_by_role("button", name="Cancel").click()
    console.get_by_role("button", name="Cancel it").click()
    expect(job.filter(has=console.locator(".pill", has_text="cancelled"))).to_have_count(1)
    # What is over cannot be cancelled.
    expect(console.get_by_role("button", name="Cancel")).to_have_count(0)


def test_the_journal_is_followed_and_filtered(console, caller, shot):
    go(console, "Journal")
    caller.put("told:1", tags=["t"])
    caller.call("DELETE", "entries/told%3A1")
    caller.call("POST", "invalidate", {"pattern": "told:*", "reason": "because"})
    rows = console.locator("tbody tr")
    expect(rows.filter(has_text="because")).to_be_visible()
    console.get_by_label("Filter").fill("told:")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("told:*")
    expect(rows.first).to_contain_text("because")
    shot(console, "journal")
    console.get_by_label("Filter").fill("nothing such")
    expect(rows).to_have_count(0)
    console.get_by_label("Filter").fill("told:")
    console.get_by_label("Follow").uncheck()
    caller.put("told:2")
    console.wait_for_timeout(4000)
    expect(rows).to_have_count(3)
    console.get_by_label("Follow").check()
    expect(rows).to_have_count(4)


def test_a_configuration_is_compared_before_it_is_sent(console, caller, shot):
    go(console, "Configuration")
    ttl = console.get_by_label("ttl_minutes")
    before = ttl.input_value()
    ttl.fill("x")
    console.get_by_role("button", name="Send this change").click()
    expect(console.locator("[id='config-l1_config.ttl_minutes-error']")).not_to_be_empty()
    ttl.fill("61")
    console.get_by_label("algorithm").select_option("zstd")
    changes = console.get_by_role("table", name="What would change")
    expect(changes.locator("tbody tr")).to_have_text([f"l1_config.ttl_minutes{before}61", "compression.algorithmlz4zstd"])
    shot(console, "config")
    console.get_by_role("button", name="Send these 2 changes").click()
    expect(console.get_by_text("Changed ")).to_contain_text("l1_config.ttl_minutes")
    config = caller.call("GET", "config")[1]
    assert (config["l1_config"]["ttl_minutes"], config["compression"]["algorithm"]) == (61, "zstd")
    expect(changes).to_have_count(0)
    ttl.fill("62")
    console.get_by_role("button", name="Drop").click()
    expect(ttl).to_have_value("61")


def test_nothing_is_sent_over_somebody_elses_change(tab, caller):
    page = sign_in(tab(), caller, view="config")
    page.get_by_label("idle_timeout_minutes").fill("31")
    assert Caller("somebody").call("PUT", "config", {"l1_config": {"max_capacity": 9000}})[0] == 200
    page.get_by_role("button", name="Send this change").click()
    expect(problem(page)).to_contain_text("PRECONDITION_FAILED")
    page.get_by_role("button", name="Show what it is now").click()
    expect(page.get_by_text("Somebody has changed")).to_contain_text("l1_config.max_capacity")
    expect(page.get_by_label("max_capacity")).to_have_value("9000")
    page.get_by_role("button", name="Send this change").click()
    expect(page.get_by_text("Changed l1_config.idle_timeout_minutes")).to_be_visible()
    config = caller.call("GET", "config")[1]["l1_config"]
    assert (config["idle_timeout_minutes"], config["max_capacity"]) == (31, 9000)
