//! The storms: what one API key may send within a minute at the default limits, at its worst, and what is harmless.

use super::Request;
use serde_json::{Value, json};
use std::time::Duration;

/// A storm.
pub(super) struct Storm {
    pub(super) name: &'static str,
    /// In all turns together.
    pub(super) requests: usize,
    /// From the answer to one to the next.
    pub(super) pause: Duration,
    /// The request of a number.
    pub(super) hostile: fn(usize) -> Request,
    /// One that is as long, and harmless.
    pub(super) harmless: fn(usize) -> Request,
    /// Whether invalidations stay open meanwhile.
    pub(super) opens: bool,
}

/// Nearly the limit of invalidations and jobs, and of PUTs and DELETEs: containers borrow permits ahead, and the last ones
/// may lie with one that is not asked.
const BULK: usize = 88;
const WRITES: usize = 900;
const BULK_PAUSE: Duration = Duration::from_millis(40);
const WRITE_PAUSE: Duration = Duration::from_millis(4);
/// Bytes of the longest pattern and tag, and tags of one invalidation.
const PATTERN_BYTES: usize = 256;
const TAG_BYTES: usize = 128;
const TAGS: usize = 50;
/// Bytes of the keys that containers hold.
const KEY_BYTES: usize = 500;
/// Patterns of a job.
const PATTERNS: usize = 50;

const CALM: Storm = Storm { name: "", requests: BULK, pause: BULK_PAUSE, hostile: look, harmless: look, opens: false };

/// All of them; jobs go on after their turns and come last.
pub(super) const STORMS: [Storm; 7] = [
    Storm { name: "patterns", hostile: patterns, ..CALM },
    Storm { name: "tags", hostile: tags, ..CALM },
    Storm { name: "invalidations of absent keys", hostile: absent, ..CALM },
    Storm {
        name: "DELETEs of absent keys",
        requests: WRITES,
        pause: WRITE_PAUSE,
        hostile: deletes,
        harmless: overwrites,
        ..CALM
    },
    Storm {
        name: "PUTs with fifty tags",
        requests: WRITES,
        pause: WRITE_PAUSE,
        hostile: tagged,
        harmless: untagged,
        ..CALM
    },
    Storm { name: "open invalidations", opens: true, ..CALM },
    Storm { name: "waiting jobs", hostile: jobs, ..CALM },
];

/// A key of the third tenant: it looks like what the worst patterns mean, from its beginning to its end.
pub(super) fn held(number: usize) -> String {
    format!("{}{number:06}", "ab".repeat(KEY_BYTES / 2 - 3))
}

/// The body of an invalidation that is open.
pub(super) fn open(number: usize) -> String {
    json!({"version": 1, "levels": 7, "pattern": worst(number)}).to_string()
}

/// A pattern of which a key that it does not mean has to be read to its end.
fn worst(number: usize) -> String {
    let end = format!("x{number}");
    format!("*{}{end}", "ab".repeat((PATTERN_BYTES - 1 - end.len()) / 2))
}

fn invalidate(body: &Value) -> Request {
    Request { method: "POST", path: "/invalidate".to_owned(), body: body.to_string() }
}

/// Counts what is under one absent key.
fn look(number: usize) -> Request {
    invalidate(&json!({"pattern": format!("{number:a>width$}", width = PATTERN_BYTES), "dry_run": true}))
}

fn patterns(number: usize) -> Request {
    invalidate(&json!({"pattern": worst(number)}))
}

fn tags(number: usize) -> Request {
    invalidate(&json!({"tags": own_tags(number)}))
}

/// As many tags as there may be, as long as they may be, that nothing else has.
fn own_tags(number: usize) -> Vec<String> {
    (0..TAGS).map(|tag| format!("{:t>width$}", number * TAGS + tag, width = TAG_BYTES)).collect()
}

/// A PUT of an entry that lives for as long as its storm may take.
fn put(number: usize, value: &Value, tags: &[String]) -> Request {
    let body = json!({"value": value, "ttl_seconds": 60, "tags": tags}).to_string();
    Request { method: "PUT", path: format!("/entries/tagged-{number}"), body }
}

fn tagged(number: usize) -> Request {
    put(number, &json!(number), &own_tags(number))
}

fn untagged(number: usize) -> Request {
    // A tag takes its quotation marks and a comma, too.
    put(number, &json!("7".repeat(TAGS * (TAG_BYTES + 3))), &[])
}

fn absent(number: usize) -> Request {
    invalidate(&json!({"pattern": format!("{number:a>width$}", width = PATTERN_BYTES)}))
}

fn deletes(number: usize) -> Request {
    Request { method: "DELETE", path: format!("/entries/absent-{number}"), body: String::new() }
}

/// PUTs of one key and another by turns.
fn overwrites(number: usize) -> Request {
    Request { method: "PUT", path: format!("/entries/own-{}", number % 2), body: json!({"value": number}).to_string() }
}

fn jobs(_: usize) -> Request {
    let patterns = vec!["nothing-is-here:*"; PATTERNS];
    Request {
        method: "POST",
        path: "/warm".to_owned(),
        body: json!({"patterns": patterns, "batch_size": 1}).to_string(),
    }
}
