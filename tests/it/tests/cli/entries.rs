//! What is done with entries: by key, by pattern, by tag.

use super::strata::{Done, Shell};
use crate::support::{eventually, fresh, put, put_tagged};
use serde_json::json;
use strata_client::Timestamp;
use strata_it::{Api, entry, patient};

#[tokio::test]
async fn a_value_is_stored_printed_and_deleted() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    let value = r#"{"b":1.00,"a":"ü\u00e9"}"#;
    let stored = shell.strata(&["put", "a/b c", value, "--ttl", "2h", "-t", "x", "-t", "y"]).await.expect(0);
    assert_eq!(stored.out, "", "messages are no answers");
    let stored = stored.says("created a/b c (25 B)");
    assert_eq!(stored.err.lines().count(), 1);
    shell.strata(&["put", "a/b c", value, "--quiet"]).await.expect(0).says("");
    let found = shell.strata(&["get", "a/b c", "--fresh"]).await.expect(0);
    assert_eq!((found.out, found.err), (format!("{value}\n"), String::new()));
    let described = shell.strata(&["get", "a/b c", "--metadata"]).await.expect(0).says("25 B").says("etag \"");
    assert_eq!(described.out, format!("{value}\n"));
    let whole = shell.strata(&["get", "a/b c", "--json"]).await.expect(0);
    assert!(whole.out.contains(&format!("\"value\":{value}")), "{whole:?}");
    assert_eq!(whole.json()["metadata"]["ttl_seconds"], 3600);

    let missing = shell.strata(&["get", "nothing"]).await.expect(3).says("there is no entry `nothing`");
    assert_eq!(missing.out, "");
    shell.strata(&["rm", "nothing", "a/b c"]).await.expect(3).says("deleted a/b c").says("no entry `nothing`");
    shell.strata(&["rm", "a/b c"]).await.expect(3);
    let stored = shell.strata(&["put", "k", "1", "--json", "--level", "l1", "--level", "l2"]).await.expect(0).json();
    assert_eq!(stored["metadata"]["levels_stored"], json!(["L1_MEMORY", "L2_REDIS"]));
    assert_eq!(shell.strata(&["rm", "k", "--json"]).await.expect(0).json()["key"], "k");
}

#[tokio::test]
async fn values_come_from_arguments_files_and_pipes() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    let value = async |key: &str| fresh(&api, key).await.expect(200).value().to_owned();
    shell.strata_with(&["put", "piped"], " [1, 2]\n").await.expect(0);
    assert_eq!(value("piped").await, "[1, 2]");
    shell.strata_with(&["put", "dash", "-", "--string"], "it's\ntext").await.expect(0);
    assert_eq!(value("dash").await, r#""it's\ntext""#);
    std::fs::write(shell.home().join("v.json"), "{}").unwrap();
    shell.strata(&["put", "filed", "--file", "v.json"]).await.expect(0);
    assert_eq!(value("filed").await, "{}");
    shell.strata(&["put", "wrong", "{oops"]).await.expect(2).says("--string");
    shell.strata(&["put", "wrong", "--file", "nowhere.json"]).await.expect(1).says("nowhere.json");
}

#[tokio::test]
async fn json_is_what_the_api_answers() {
    let api = Api::with(patient()).await;
    let shell = Shell::of(&api);
    let words = "put k [1.00] --ttl 1d --idle 15m --grace 1h --jitter 0.5 --tag t --level l2 --level l3";
    shell.strata(&words.split(' ').collect::<Vec<_>>()).await.expect(0);
    put(&api, "entries-1", "stale", r#"1,"ttl_seconds":1,"grace_seconds":3600"#).await.expect(201);
    eventually("its end", async || fresh(&api, "stale").await.status == 404).await;
    for (key, told) in [("k", ["idle_seconds", "grace_seconds"]), ("stale", ["stale", "grace_seconds"])] {
        let said = shell.strata(&["get", key, "--max-stale", "1h", "--json"]).await.expect(0).json();
        let get = api.get(&entry(key)).header("cache-control", "max-stale=3600");
        let mut answer = get.send().await.expect(200).json();
        for field in told {
            assert!(!answer["metadata"][field].is_null(), "{field}: {answer:#}");
        }
        // Of this read, and not of the entry.
        for field in ["level", "access_count", "last_accessed", "expires_at"] {
            assert!(answer["metadata"][field].is_string() || answer["metadata"][field].is_u64(), "{field}");
            answer["metadata"][field] = said["metadata"][field].clone();
        }
        assert_eq!(said, answer);
    }
    let mut lives = Vec::new();
    for key in ["a", "b", "c"] {
        shell.strata(&["put", key, "1", "--ttl", "1d", "--jitter", "0.5"]).await.expect(0);
        let told = shell.strata(&["get", key, "--json"]).await.expect(0).json();
        let at = |field: &str| serde_json::from_value::<Timestamp>(told["metadata"][field].clone()).unwrap().unix();
        lives.push(at("expires_at") - at("created_at"));
    }
    assert!(lives.iter().any(|life| *life < 86_399), "{lives:?}");
    shell.strata(&["put", "k", "1", "--jitter", "0.6"]).await.expect(6).says("ttl_jitter");
}

#[tokio::test]
async fn one_is_one() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    shell.strata_with(&["import", "-"], "{\"key\":\"k\",\"value\":1}\n").await.expect(0).says("stored 1 entry in");
    shell.strata(&["export"]).await.expect(0).says("1 entry");
    shell.strata(&["get", "k"]).await.expect(0);
    let described = shell.strata(&["get", "k", "--metadata"]).await.expect(0).err;
    assert!(described.contains(" read") && !described.contains(" 1 reads"), "{described}");
    shell.strata(&["invalidate", "k", "--yes"]).await.expect(0);
    let journal = shell.strata(&["journal"]).await.expect(0).out;
    assert!(journal.contains("(1 entry)"), "{journal}");
}

#[tokio::test]
async fn conditions_have_an_exit_code() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    shell.strata(&["put", "k", "1", "--if-match", "*"]).await.expect(5).says("PRECONDITION_FAILED").says("(request ");
    shell.strata(&["put", "k", "1", "--if-absent"]).await.expect(0);
    shell.strata(&["put", "k", "2", "--if-absent"]).await.expect(5);
    let described = shell.strata(&["get", "k", "-m"]).await.expect(0);
    let etag = described.err.trim().split("etag ").nth(1).unwrap();
    shell.strata(&["put", "k", "2", "--if-match", etag]).await.expect(0).says("replaced k");
    shell.strata(&["put", "k", "1", "--ttl", "0s"]).await.expect(6).says("ttl_seconds");
    shell.strata(&["put", "k", "1", "--ttl", "5"]).await.expect(2);
}

#[tokio::test]
async fn an_invalidation_is_looked_at_before_it_is_done() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    for key in ["c:1", "c:2", "d:1"] {
        put_tagged(&api, key, &["t"]).await;
    }
    let there = async |key: &str| fresh(&api, key).await.status == 200;
    let looked = shell.strata(&["invalidate", "c:*", "--dry-run"]).await.expect(0).says("2 entries would be removed");
    let mut keys: Vec<_> = looked.out.lines().collect();
    keys.sort_unstable();
    assert_eq!(keys, ["c:1", "c:2"]);
    let looked = shell.strata(&["invalidate", "c:*", "--dry-run", "--json"]).await.expect(0).json();
    assert_eq!(looked["invalidated_count"], 2);
    shell.strata(&["invalidate", "c:*"]).await.expect(2).says("--yes");
    assert!(there("c:1").await, "there was nobody to ask");

    let asked = |line: &'static str, keys: &'static str| shell.at_a_terminal(line, keys);
    let no: Done = asked("strata invalidate 'c:*'", "n\n").await.expect(1);
    assert!(no.out.contains("2 entries would be removed") && no.out.contains("Remove 2 entries? [y/N]"), "{no:?}");
    assert!(no.out.contains("nothing was removed") && there("c:1").await, "{no:?}");
    let yes = asked("strata invalidate 'c:*' --reason prices", "y\n").await.expect(0);
    assert!(yes.out.contains("c:1") && yes.out.contains("removed 2 entries"), "{yes:?}");
    assert!(!there("c:1").await && there("d:1").await);
    let none = asked("strata invalidate 'c:*'", "").await.expect(0);
    assert!(none.out.contains("0 entries would be removed") && !none.out.contains("[y/N]"), "{none:?}");

    shell.strata(&["invalidate", "--tag", "t", "--yes", "--max", "0"]).await.expect(5).says("TOO_MANY_MATCHES");
    let done = shell.strata(&["invalidate", "--tag", "t", "--yes", "--json"]).await.expect(0).json();
    assert_eq!((&done["invalidated_count"], &done["reclaim"]), (&json!(1), &json!("complete")));
    assert!(!there("d:1").await);
    let journal = shell.strata(&["journal"]).await.expect(0);
    assert!(journal.out.lines().any(|line| line.contains("c:*") && line.contains("“prices”")), "{journal:?}");
}

#[tokio::test]
async fn an_invalidation_by_name_or_by_several_tags() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    for (key, tags) in [("a", &["x", "y"][..]), ("b", &["x"]), ("c", &["x", "keep"]), ("d", &[])] {
        put_tagged(&api, key, tags).await;
    }
    let removed = async |words: &[&str]| {
        let words = [&["invalidate", "--yes", "--json"], words].concat();
        shell.strata(&words).await.expect(0).json()["invalidated_count"].as_u64().unwrap()
    };
    assert_eq!(removed(&["--tag", "x", "--tag", "y", "--all"]).await, 1);
    assert_eq!(removed(&["--tag", "x", "--except-tag", "keep"]).await, 1);
    assert_eq!(removed(&["--key", "c", "--key", "d", "--key", "nothing"]).await, 2);
    shell.strata(&["invalidate", "--key", "c", "--tag", "x", "--yes"]).await.expect(2);
    shell.strata(&["invalidate", "--all", "--yes"]).await.expect(2);
    let journal = shell.strata(&["journal"]).await.expect(0).out;
    for text in ["tags x and y", "tags x  but for tags keep", "keys c, d, nothing"] {
        assert!(journal.contains(text), "{text}: {journal}");
    }
}
