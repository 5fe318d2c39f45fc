//! Taking back what was removed by mistake.

use super::strata::Shell;
use crate::support::{fresh, put, wait_out_the_window};
use serde_json::json;
use strata_it::Api;

/// What the last line of standard error says to type.
#[track_caller]
fn last_line(said: &str) -> Vec<&str> {
    let line = said.lines().last().unwrap();
    let (_, line) = line.split_once(": strata ").unwrap_or_else(|| panic!("{said}"));
    line.split_whitespace().collect()
}

#[tokio::test]
async fn the_last_line_takes_it_back() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    for key in ["a:1", "a:2", "a:3"] {
        put(&api, "entries-1", key, "1").await.expect(201);
    }
    let removed = shell.strata(&["invalidate", "a:*", "--yes", "--undo-seconds", "600"]).await.expect(0);
    fresh(&api, "a:1").await.expect(404);
    put(&api, "entries-1", "a:3", "3").await.expect(201);
    let words = last_line(&removed.err);
    let undone = shell.strata(&words).await.expect(0).says("brought back 2 entries; 1 touched by something else since");
    assert_eq!(undone.out, "");
    assert_eq!((fresh(&api, "a:1").await.value(), fresh(&api, "a:3").await.value()), ("1", "3"));
    let again = shell.strata(&[&words[..], &["--json"]].concat()).await.expect(0).json();
    assert_eq!((&again["restored"], &again["overwritten"]), (&json!(2), &json!(1)));

    let deleted = shell.strata(&["rm", "a:2", "--undo-seconds", "600"]).await.expect(0);
    shell.strata(&last_line(&deleted.err)).await.expect(0).says("brought back 1 entry");
    let final_one = shell.strata(&["rm", "a:2", "--undo-seconds", "0"]).await.expect(0);
    assert!(!final_one.err.contains("strata undo"), "{final_one:?}");
    shell.strata(&["invalidate", "a:*", "-y", "--undo-seconds", "3601"]).await.expect(6).says("undo_seconds");
    shell.strata(&["undo", "nothing"]).await.expect(3).says("INVALIDATION_NOT_FOUND");
}

#[tokio::test]
async fn what_can_be_undone_is_listed() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    for key in ["a:1", "b:1"] {
        put(&api, "entries-1", key, "1").await.expect(201);
    }
    assert_eq!(shell.strata(&["invalidations", "--json"]).await.expect(0).out, "");
    shell.strata(&["invalidate", "a:*", "--yes", "--undo-seconds", "600", "--reason", "prices"]).await.expect(0);
    shell.strata(&["rm", "b:1", "--undo-seconds", "600"]).await.expect(0);
    let listed = shell.strata(&["invalidations"]).await.expect(0);
    let rows: Vec<&str> = listed.out.lines().collect();
    assert!(rows.len() == 3 && rows[1].contains("delete b:1") && rows[2].contains("a:*  “prices”"), "{listed:?}");
    assert!(rows[1..].iter().all(|row| row.contains("undoable")), "{listed:?}");
    let one = shell.strata(&["invalidations", "-n", "1", "--json"]).await.expect(0).json();
    assert_eq!((&one["kind"], &one["key"]), (&json!("delete"), &json!("b:1")));
    shell.strata(&["undo", one["invalidation_id"].as_str().unwrap()]).await.expect(0);
    let after = shell.strata(&["invalidations"]).await.expect(0);
    assert!(after.out.lines().nth(1).unwrap().contains("undone"), "{after:?}");
}

#[tokio::test]
async fn what_has_a_grace_is_made_stale() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    shell.strata(&["put", "a:1", "1", "--grace", "1h"]).await.expect(0);
    shell.strata(&["put", "a:2", "2"]).await.expect(0);
    let dry = shell.strata(&["invalidate", "a:*", "--stale", "--dry-run"]).await.expect(0);
    dry.says("1 entry would become stale, 1 entry would be removed:");
    shell.strata(&["invalidate", "a:*", "--stale", "--undo-seconds", "9", "--yes"]).await.expect(2);
    shell.strata(&["invalidate", "a:*", "--deadline-seconds", "9", "--yes"]).await.expect(2);
    let done = shell.strata(&["invalidate", "a:*", "--stale", "--deadline-seconds", "600", "--yes"]).await.expect(0);
    done.says("made 1 entry stale, removed 1 entry");
    wait_out_the_window().await;
    shell.strata(&["get", "a:1", "--fresh"]).await.expect(3);
    shell.strata(&["get", "a:2", "--max-stale", "1h"]).await.expect(3);
    let found = shell.strata(&["get", "a:1", "--max-stale", "1h", "--metadata"]).await.expect(0);
    assert_eq!(found.says(", expired ").out, "1\n");
    let told = shell.strata(&["journal", "--json"]).await.expect(0);
    assert!(told.out.contains("\"mode\":\"stale\""), "{told:?}");
}
