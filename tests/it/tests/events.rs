//! The sample events: each is replayed against the real binary, and answered as its name says.

use serde_json::Value;
use std::{collections::BTreeSet, fs, path::PathBuf};
use strata_it::stack::{Options, Stack, repository};

/// The events of the functions behind the API in the order they are replayed, each with the status of its answer.
const HTTP: [(&str, &[(&str, u16)]); 5] = [
    (
        "entries",
        &[
            ("entries_put", 201),
            ("entries_get", 200),
            ("entries_get_conditional", 200),
            ("entries_put_invalid", 400),
            ("entries_delete", 200),
            ("entries_put_by_query", 201),
            ("entries_get_by_query", 200),
        ],
    ),
    (
        "invalidate",
        &[
            ("invalidate_dry_run", 200),
            ("invalidate_pattern", 200),
            ("invalidate_tags", 200),
            ("invalidate_invalid", 400),
            ("invalidate_journal", 200),
        ],
    ),
    (
        "warm",
        &[
            ("warm_post", 202),
            ("warm_post_invalid", 400),
            ("warm_post_other", 422),
            ("warm_get", 200),
            ("warm_get_missing", 404),
            ("warm_delete", 200),
        ],
    ),
    ("status", &[("status_get", 200), ("status_forbidden", 403)]),
    (
        "config",
        &[("config_get", 200), ("config_put", 200), ("config_put_conditional", 412), ("config_put_invalid", 422)],
    ),
];

/// The events of the function that answers no requests, each with a member of its answer.
const WARMER: [(&str, &str); 4] = [
    ("warmer_stream", "batchItemFailures"),
    ("warmer_stream_warm", "batchItemFailures"),
    ("warmer_schedule", "members_swept"),
    ("warmer_warm", "warming_job_id"),
];

fn folder() -> PathBuf {
    repository().join("events")
}

#[test]
fn every_event_is_replayed() {
    let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let names: BTreeSet<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        // The authorizer's are replayed by its own suite.
        .filter(|name| !name.starts_with("authorizer_"))
        .collect();
    let replayed = HTTP.iter().flat_map(|(_, events)| events.iter().map(|(name, _)| (*name).to_owned()));
    let replayed = replayed.chain(WARMER.iter().map(|(name, _)| (*name).to_owned()));
    assert_eq!(names, replayed.collect());
}

#[tokio::test]
async fn events_are_answered() {
    let functions = HTTP.map(|(function, _)| function).into_iter().chain(["warmer"]);
    let stack = Stack::start(Options::default().functions(functions).containers(1)).await.unwrap();
    for (name, member) in WARMER {
        let event = fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
        let answer = stack.invoke("warmer", serde_json::from_str(&event).unwrap(), None).await.unwrap();
        assert!(answer.get(member).is_some(), "{name}: {answer}");
    }
    for (function, events) in HTTP {
        for (name, status) in events {
            let event = fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
            let answer = stack.invoke(function, serde_json::from_str(&event).unwrap(), None).await.unwrap();
            assert_eq!(answer["statusCode"], *status, "{name}: {answer}");
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            assert!(body.is_object(), "{name}: {answer}");
        }
    }
}
