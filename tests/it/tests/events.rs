//! The sample events: each is replayed against the real binary, and answered as its name says. There is one for whatever
//! calls a function in template.yaml, so that each can be tried by hand.

use crate::{authorizer, console, openapi, template};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::PathBuf};
use strata_it::stack::{InvokeError, Options, Stack, repository};

/// The events of the functions behind the API in the order they are replayed, each with the status of its answer.
const HTTP: [(&str, &[(&str, u16)]); 5] = [
    (
        "entries",
        &[
            ("entries_put", 201),
            ("entries_get", 200),
            ("entries_get_conditional", 200),
            ("entries_get_stale", 200),
            ("entries_get_fill", 404),
            ("entries_put_fill_invalid", 400),
            ("entries_get_position_invalid", 400),
            ("entries_head", 200),
            ("entries_patch", 200),
            ("entries_put_invalid", 400),
            ("entries_delete", 200),
            ("entries_put_by_query", 201),
            ("entries_get_by_query", 200),
            ("entries_head_by_query", 200),
            ("entries_patch_by_query", 200),
            ("entries_delete_by_query", 200),
            ("entries_explain", 200),
            ("entries_batch", 200),
            ("entries_batch_invalid", 400),
        ],
    ),
    (
        "invalidate",
        &[
            ("invalidate_dry_run", 200),
            ("invalidate_pattern", 200),
            ("invalidate_tags", 200),
            ("invalidate_keys", 200),
            ("invalidate_invalid", 400),
            ("invalidate_undoable", 200),
            ("invalidate_stale", 200),
            ("invalidate_undo_unknown", 404),
            ("invalidate_list", 200),
            ("invalidate_journal", 200),
        ],
    ),
    (
        "warm",
        &[
            ("warm_post", 202),
            ("warm_post_invalid", 400),
            ("warm_post_other", 422),
            ("warm_list", 200),
            ("warm_get", 200),
            ("warm_get_missing", 404),
            ("warm_delete", 200),
        ],
    ),
    (
        "status",
        &[
            ("status_get", 200),
            ("status_keys", 200),
            ("status_keys_by_tag", 200),
            ("status_keys_invalid", 400),
            ("status_tags", 200),
            ("status_stats", 200),
            ("status_forbidden", 403),
        ],
    ),
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

/// Function, name and status of every request.
fn requests() -> impl Iterator<Item = (&'static str, &'static str, u16)> {
    HTTP.iter().flat_map(|(function, events)| events.iter().map(move |(name, status)| (*function, *name, *status)))
}

fn read(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join(format!("{name}.json"))).unwrap()).unwrap()
}

/// The names of all events, without `.json`.
fn names() -> BTreeSet<String> {
    let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let events = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    events.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_event_is_replayed() {
    let replayed =
        requests().map(|(_, name, _)| name).chain(WARMER.iter().map(|(name, _)| *name)).chain(authorizer::SAMPLES);
    let replayed = replayed.chain(console::SAMPLES.map(|(name, _)| name));
    assert_eq!(names(), replayed.map(str::to_owned).collect());
}

/// What sends an event, by the name of the template: the type of a function's own event, of a rule, or of an authorizer.
fn sender(event: &Value) -> &str {
    match (&event["httpMethod"], &event["Records"][0]["eventSource"], &event["source"], &event["type"]) {
        (Value::String(_), ..) => "Api",
        (_, Value::String(source), ..) if source == "aws:dynamodb" => "DynamoDB",
        (_, _, Value::String(source), _) if source == "aws.events" => "Schedule",
        (.., Value::String(kind)) => kind,
        // A rule sends what it was told to, without an envelope.
        _ => "AWS::Events::Rule",
    }
}

/// A sample's name begins with that of the function it is for.
fn function(name: &str) -> &str {
    name.split_once('_').unwrap().0
}

#[test]
fn there_is_an_event_from_whatever_calls_a_function() {
    let names = names();
    let sampled = names.iter().map(|name| (function(name), sender(&read(name)).to_owned()));
    let callers = template::callers().into_iter().map(|(function, kind)| (function, kind.to_owned()));
    assert_eq!(sampled.collect::<BTreeSet<_>>(), callers.collect());
}

/// And its answer is one that openapi.yaml tells of, its body one that openapi.yaml asks for unless it is refused.
#[test]
fn there_is_an_event_of_every_route() {
    let mut sampled = BTreeSet::new();
    for (function, name, status) in requests() {
        let event = read(name);
        let [resource, method] = ["resource", "httpMethod"].map(|field| event[field].as_str().unwrap().to_owned());
        let context = &event["requestContext"];
        assert_eq!(
            (&context["resourcePath"], &context["httpMethod"]),
            (&event["resource"], &event["httpMethod"]),
            "{name}"
        );
        openapi::assert_describes(&method, &resource, event["body"].as_str(), status, name);
        sampled.insert((function.to_owned(), resource, method));
    }
    let routes = template::routes().into_iter();
    let routes = routes.map(|(function, path, method)| (function.to_owned(), path.to_owned(), method.to_owned()));
    assert_eq!(sampled, routes.collect());
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_refused_by_a_named_type() {
    let functions = HTTP.map(|(function, _)| function).into_iter().chain(["warmer", "authorizer", "console"]);
    let functions: Vec<&str> = functions.collect();
    let stack = Stack::start(Options::default().functions(functions.iter().copied()).containers(1)).await.unwrap();
    for function in functions {
        for event in [json!([1]), json!("text"), json!(null)] {
            match stack.invoke(function, event.clone(), None).await {
                Err(InvokeError::Function { kind, message }) => {
                    assert!(!kind.contains("Box<dyn") && !message.is_empty(), "{function}, {event}: {kind}: {message}");
                }
                other => panic!("{function}, {event}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn events_are_answered() {
    let functions = HTTP.map(|(function, _)| function).into_iter().chain(["warmer"]);
    let stack = Stack::start(Options::default().functions(functions).containers(1)).await.unwrap();
    for (name, member) in WARMER {
        let answer = stack.invoke("warmer", read(name), None).await.unwrap();
        assert!(answer.get(member).is_some(), "{name}: {answer}");
    }
    for (function, name, status) in requests() {
        let answer = stack.invoke(function, read(name), None).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{name}: {answer}");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert!(body.is_object(), "{name}: {answer}");
    }
}
