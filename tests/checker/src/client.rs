//! Does one operation through the gateway and writes down what the client saw.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use strata_it::{Answer, Request, entry};

use crate::history::{Action, Found, L3, Operation, Outcome, Patch, Put, Scope};
use crate::rig::Rig;
use crate::workload::Workload;
use crate::{timestamp, value};

/// The clock of a run: monotonic, with the wall time of its beginning to compare expiry with.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    zero: Instant,
    zero_wall_ms: i64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { zero: Instant::now(), zero_wall_ms: i64::try_from(wall.as_millis()).unwrap_or(i64::MAX) }
    }

    pub(crate) fn now(&self) -> Duration {
        self.zero.elapsed()
    }
}

/// One client of a run.
pub(crate) struct Client<'a> {
    pub(crate) rig: &'a Rig,
    pub(crate) workload: &'a Workload,
    pub(crate) clock: Clock,
    pub(crate) token: String,
    /// What a fault has to say of itself.
    pub(crate) remarks: Mutex<Vec<String>>,
}

impl Client<'_> {
    /// Does one operation in the container.
    pub(crate) async fn perform(&self, container: &str, action: Action) -> Operation {
        let request = self.request(&action);
        self.send(container, action, request).await.0
    }

    async fn send(&self, container: &str, action: Action, request: Request) -> (Operation, Answer) {
        let request = request.bearer(&self.token).pin(container);
        let process = self.rig.process(container);
        let start = self.clock.now();
        let answer = request.send().await;
        let end = self.clock.now();
        let same = self.rig.process(container) == process;
        let outcome = self.outcome(&action, &answer, !same);
        (Operation { start, end, process: same.then_some(process), action, outcome }, answer)
    }

    /// Does one operation in the container, and says by what it can be undone.
    pub(crate) async fn perform_undoably(&self, container: &str, action: Action) -> (Operation, Option<String>) {
        let request = self.request(&action);
        let (operation, answer) = self.send(container, action, request).await;
        let done = operation.is_acknowledged() && answer.status == 200;
        let id = done.then(|| answer.json()["invalidation_id"].as_str().map(str::to_owned)).flatten();
        (operation, id)
    }

    /// Undoes what an operation has removed, in any container.
    pub(crate) async fn undo(&self, undone: &Operation, id: &str, rng: &mut Rng) -> Option<Operation> {
        let action = Action::Undo { scope: undone.meant()?, of: undone.start };
        let request = self.rig.api.request("POST", &format!("/invalidate/{id}/undo"));
        let container = self.rig.container(Client::function(&action), rng);
        let (operation, answer) = self.send(&container, action, request).await;
        // Where it waits for others nothing is done; where its time is over, a part.
        let is_part = answer.status == 409 && answer.json()["error"]["message"].as_str()?.contains("go on");
        let outcome = if is_part { Outcome::Unknown { status: 409, killed: false } } else { operation.outcome.clone() };
        Some(Operation { outcome, ..operation })
    }

    /// Reads a key in one container; where it is missing and the lease is granted, loads the value for a while and puts it
    /// in another container.
    pub(crate) async fn fill(&self, [first, second]: [&str; 2], put: Put, load: Duration) -> Vec<Operation> {
        let action = Action::Get { key: put.key, no_cache: false };
        let request = self.request(&action).header("fill-lease", "10");
        let (missed, answer) = self.send(first, action, request).await;
        let Some(token) = answer.header("fill-token").map(str::to_owned) else { return vec![missed] };
        tokio::time::sleep(load).await;
        let action = Action::Put(Put { loaded: Some(missed.end), ..put });
        let request = self.request(&action).header("fill-token", token);
        let (filled, _) = self.send(second, action, request).await;
        vec![missed, filled]
    }

    /// Does operations in the container, in one request: a batch where they are several.
    pub(crate) async fn perform_all(&self, container: &str, actions: Vec<Action>) -> Vec<Operation> {
        if let [only] = &actions[..] {
            return vec![self.perform(container, only.clone()).await];
        }
        let request = self.batch(&actions).bearer(&self.token).pin(container);
        let process = self.rig.process(container);
        let start = self.clock.now();
        let answer = request.send().await;
        let end = self.clock.now();
        let same = self.rig.process(container) == process;
        let results = results(&answer);
        let operation = |(place, action): (usize, Action)| {
            let outcome = match &results {
                Some(results) => self.part(&action, results.get(&place)),
                None => self.outcome(&action, &answer, !same),
            };
            Operation { start, end, process: same.then(|| process.clone()), action, outcome }
        };
        actions.into_iter().enumerate().map(operation).collect()
    }

    fn batch(&self, actions: &[Action]) -> Request {
        let operations: Vec<String> = actions.iter().map(|action| self.batched(action)).collect();
        let body = format!(r#"{{"operations":[{}]}}"#, operations.join(","));
        let request = self.rig.api.request("POST", "/batch").body(body);
        let no_cache = actions.iter().any(|action| matches!(action, Action::Get { no_cache: true, .. }));
        if no_cache { request.header("cache-control", "no-cache") } else { request }
    }

    /// One operation of a batch.
    fn batched(&self, action: &Action) -> String {
        let key = |key: usize| json!(self.workload.keys.names[key]);
        match action {
            Action::Get { key: read, .. } => json!({"op": "get", "key": key(*read)}).to_string(),
            Action::Delete { key: deleted } => json!({"op": "delete", "key": key(*deleted)}).to_string(),
            Action::Put(put) => format!(r#"{{"op":"put","key":{},{}"#, key(put.key), &self.put_body(put)[1..]),
            _ => unreachable!("a batch has gets, puts and deletes"),
        }
    }

    /// How one operation of a batch ended. One without a result was not begun.
    fn part(&self, action: &Action, result: Option<&Part>) -> Outcome {
        let Some(Part { status, value, body }) = result else { return Outcome::Refused(0) };
        match (action, status) {
            (Action::Get { .. }, 200) => Outcome::Found(self.found(value, body)),
            (Action::Get { .. }, 404) => Outcome::Absent,
            (Action::Delete { .. }, 404) => Outcome::NothingThere,
            (_, 200 | 201) => acknowledged(body),
            (_, status @ 400..=499) => Outcome::Refused(*status),
            (_, status) => Outcome::Unknown { status: *status, killed: false },
        }
    }

    /// Asks a container for something that is no part of the history; returns the status.
    pub(crate) async fn tell(&self, container: &str, request: Request) -> u16 {
        request.bearer(&self.token).pin(container).send().await.status
    }

    /// Has something said in the report of what fails.
    pub(crate) fn remark(&self, what: String) {
        self.remarks.lock().expect("nothing panics while it adds a remark").push(what);
    }

    /// What was remarked so far.
    pub(crate) fn remarks(&self) -> String {
        self.remarks.lock().expect("nothing panics while it reads the remarks").join(", ")
    }

    /// The function whose container does it.
    pub(crate) fn function(action: &Action) -> &'static str {
        match action {
            Action::Invalidate { .. } | Action::MakeStale { .. } | Action::Undo { .. } => "invalidate",
            _ => "entries",
        }
    }

    fn request(&self, action: &Action) -> Request {
        let api = &self.rig.api;
        let path = |key: usize| entry(&self.workload.keys.names[key]);
        match action {
            Action::Get { key, no_cache } => {
                let get = api.get(&path(*key));
                if *no_cache { get.header("cache-control", "no-cache") } else { get }
            }
            Action::GetStale { key, no_cache } => {
                let how = if *no_cache { "no-cache, max-stale" } else { "max-stale" };
                api.get(&path(*key)).header("cache-control", how)
            }
            Action::Put(put) => api.put(&path(put.key), self.put_body(put)),
            Action::Patch(patch) => api.request("PATCH", &path(patch.key)).body(self.patch_body(patch)),
            Action::Delete { key } => api.delete(&path(*key)),
            Action::Invalidate { scope, levels } => {
                api.request("POST", "/invalidate").body(self.invalidate_body(scope, levels).to_string())
            }
            Action::MakeStale { scope } => {
                let mut body = self.invalidate_body(scope, &[]);
                body["mode"] = json!("stale");
                api.request("POST", "/invalidate").body(body.to_string())
            }
            Action::Undo { .. } => unreachable!("it is asked for by what it undoes"),
        }
    }

    fn put_body(&self, put: &Put) -> String {
        let tags: Vec<String> = put.tags.iter().map(|&tag| self.workload.keys.tag(tag)).collect();
        let mut rest = json!({ "ttl_seconds": put.ttl.as_secs(), "tags": tags });
        if !put.grace.is_zero() {
            rest["grace_seconds"] = json!(put.grace.as_secs());
        }
        name_levels(&mut rest, "cache_levels", put.levels);
        // The value goes in as it is: a JSON library would write it its own way.
        format!(r#"{{"value":{},{}"#, value::text(put.value), &rest.to_string()[1..])
    }

    fn patch_body(&self, patch: &Patch) -> String {
        let tags = |tags: &[usize]| tags.iter().map(|&tag| self.workload.keys.tag(tag)).collect::<Vec<_>>();
        let (add, remove) = (tags(&patch.add), tags(&patch.remove));
        json!({ "ttl_seconds": patch.ttl.as_secs(), "add_tags": add, "remove_tags": remove }).to_string()
    }

    fn invalidate_body(&self, scope: &Scope, levels: &[&str]) -> Value {
        let mut body = match scope {
            Scope::Pattern { text, .. } => json!({ "pattern": text }),
            Scope::Keys(keys) => {
                let names = keys.iter().map(|&key| &self.workload.keys.names[key]);
                json!({ "keys": names.collect::<Vec<_>>() })
            }
            Scope::Tag(tag) => json!({ "tags": [self.workload.keys.tag(*tag)] }),
        };
        name_levels(&mut body, "levels", levels);
        body
    }

    fn outcome(&self, action: &Action, answer: &Answer, killed: bool) -> Outcome {
        match (action, answer.status) {
            (Action::Get { .. } | Action::GetStale { .. }, 200) => {
                Outcome::Found(self.found(answer.value(), &answer.json()))
            }
            (Action::Get { .. } | Action::GetStale { .. }, 404) => Outcome::Absent,
            (Action::Delete { .. }, 404) => Outcome::NothingThere,
            (_, 200 | 201) => acknowledged(&answer.json()),
            (_, status @ 400..=499) => Outcome::Refused(status),
            (_, status) => Outcome::Unknown { status, killed },
        }
    }

    fn found(&self, text: &str, body: &Value) -> Found {
        let number = value::number(text);
        let metadata = &body["metadata"];
        let expires_at = metadata["expires_at"].as_str().and_then(timestamp::parse_ms);
        Found {
            value: number,
            intact: number.is_some_and(|number| value::text(number) == text),
            level: metadata["level"].as_str().unwrap_or_default().to_owned(),
            // An entry that does not say when it expires is one that has.
            expires_at_ms: expires_at.map_or(i64::MIN, |at| at - self.clock.zero_wall_ms),
            stale: metadata["stale"] == true,
        }
    }
}

/// What a batch's answer says of one operation.
struct Part {
    status: u16,
    /// The JSON text of its value; empty where it has none.
    value: String,
    body: Value,
}

/// The results of a batch by the places of their operations; none where it was not answered as one.
fn results(answer: &Answer) -> Option<HashMap<usize, Part>> {
    #[derive(Deserialize)]
    struct Done<'a> {
        #[serde(borrow)]
        results: Vec<&'a RawValue>,
        unprocessed: Vec<usize>,
    }
    #[derive(Deserialize)]
    struct Valued<'a> {
        #[serde(borrow)]
        value: Option<&'a RawValue>,
    }
    let Done { results, unprocessed } = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == 200)?;
    let places = (0..results.len() + unprocessed.len()).filter(|place| !unprocessed.contains(place));
    let part = |raw: &RawValue| {
        let body: Value = serde_json::from_str(raw.get()).expect("it is JSON");
        let Valued { value } = serde_json::from_str(raw.get()).expect("a result is an object");
        let status = body["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap_or_default();
        Part { status, value: value.map(|value| value.get().to_owned()).unwrap_or_default(), body }
    };
    Some(places.zip(results.into_iter().map(part)).collect())
}

fn acknowledged(body: &Value) -> Outcome {
    let stored = body["metadata"]["levels_stored"].as_array();
    Outcome::Acknowledged {
        degraded: body["degraded"] == true,
        durable: stored.is_some_and(|levels| levels.iter().any(|level| level == L3)),
    }
}

fn name_levels(body: &mut Value, field: &str, levels: &[&str]) {
    if !levels.is_empty() {
        body[field] = json!(levels);
    }
}
