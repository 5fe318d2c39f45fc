//! A tour of all operations, the refused ones included; every answer is held against the document.

use super::document::{Operation, operation, operations};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};
use strata_it::{Answer, Api, Request, patient, stack::Claims, stack::L3Fault};

/// Statuses that every operation describes, and that one of all is enough to see.
const SHARED: [u16; 4] = [413, 415, 429, 503];
/// Statuses that nothing should lead to; their shape is that of the other errors.
const UNSEEN: [u16; 3] = [500, 502, 504];
/// Over the gateway's limit of 10 MB.
const TOO_LARGE: usize = 10_500_000;

/// A running stack, and what was seen of the document there.
struct Tour {
    api: Api,
    seen: BTreeSet<(&'static str, u16)>,
}

impl Tour {
    /// Sends a request of that operation, whose answer must be `status` and as the document says.
    async fn takes(&mut self, id: &str, request: Request, status: u16) -> Answer {
        let operation = operation(id);
        let answer = request.send().await.expect(status);
        operation.assert_gives(&answer);
        self.seen.insert((operation.id(), status));
        answer
    }

    /// The same with a path, and a body that may be empty.
    async fn sends(&mut self, id: &str, path: &str, body: &str, status: u16) -> Answer {
        let request = self.api.request(&operation(id).method.to_uppercase(), path).body(body.to_owned());
        self.takes(id, request, status).await
    }

    async fn entries(&mut self, suffix: &str, path: &str) {
        let [get, head, put, patch, delete] =
            ["getEntry", "headEntry", "putEntry", "patchEntry", "deleteEntry"].map(|id| format!("{id}{suffix}"));
        self.sends(&get, path, "", 404).await;
        self.sends(&put, path, r#"{"value":{"a":1.50},"tags":["t"],"ttl_seconds":60}"#, 201).await;
        self.sends(&put, path, r#"{"value":"text"}"#, 200).await;
        self.sends(&put, path, r#"{"other":1,"ttl_seconds":0}"#, 400).await;
        let found = self.sends(&get, path, "", 200).await;
        let same = self.api.get(path).header("if-none-match", found.header("etag").unwrap());
        self.takes(&get, same, 304).await;
        self.takes(&get, self.api.get(path).header("if-match", "\"other\""), 412).await;
        self.takes(&get, self.api.get(path).header("if-match", "not quoted"), 400).await;
        self.takes(&put, self.api.put(path, r#"{"value":1}"#).header("if-none-match", "*"), 412).await;
        let ask = |api: &Api, name: &str, value: &str| api.request("HEAD", path).header(name, value);
        self.takes(&head, ask(&self.api, "if-none-match", found.header("etag").unwrap()), 304).await;
        self.takes(&head, ask(&self.api, "if-match", "\"other\""), 412).await;
        self.takes(&head, ask(&self.api, "if-match", "not quoted"), 400).await;
        self.sends(&head, path, "", 200).await;
        self.sends(&patch, path, r#"{"ttl_seconds":60,"only":"longer"}"#, 200).await;
        self.sends(&patch, path, r#"{"ttl_seconds":7200,"add_tags":["t"]}"#, 200).await;
        self.sends(&patch, path, r#"{"ttl_seconds":0}"#, 400).await;
        let tags: Vec<String> = (0..50).map(|number| number.to_string()).collect();
        self.sends(&patch, path, &json!({"add_tags": tags}).to_string(), 422).await;
        let other = self.api.request("PATCH", path).body(r#"{"ttl_seconds":60}"#).header("if-match", "\"other\"");
        self.takes(&patch, other, 412).await;
        self.takes(&delete, self.api.delete(path).header("if-match", "*"), 400).await;
        let joint = if path.contains('?') { '&' } else { '?' };
        let undoable = |seconds: &str| format!("{path}{joint}undo_seconds={seconds}");
        self.sends(&delete, &undoable("x"), "", 400).await;
        self.sends(&delete, &undoable("60"), "", 200).await;
        self.sends(&delete, path, "", 404).await;
        self.sends(&head, path, "", 404).await;
        self.sends(&patch, path, r#"{"ttl_seconds":60}"#, 404).await;
    }

    async fn batches(&mut self) {
        let operations = r#"{"operations":[{"op":"put","key":"b:1","value":[1.0],"if_none_match":"*"},
            {"op":"get","key":"b:2"},{"op":"delete","key":"b:3"}]}"#;
        self.sends("batch", "/batch", operations, 200).await;
        let found = r#"{"operations":[{"op":"get","key":"b:1"},{"op":"put","key":"b:2","value":1,"if_match":"*"}]}"#;
        self.sends("batch", "/batch", found, 200).await;
        self.sends("batch", "/batch", r#"{"operations":[{"op":"delete","key":"b:1"}]}"#, 200).await;
        self.sends("batch", "/batch", r#"{"operations":[{"op":"patch","key":"b:1"}]}"#, 400).await;
    }

    async fn reasons(&mut self) {
        self.sends("explain", "/explain?key=e:1", "", 200).await;
        self.sends("putEntry", "/entries/e:1", r#"{"value":1,"tags":["t"]}"#, 201).await;
        self.sends("explain", "/explain?key=e:1", "", 200).await;
        self.sends("invalidate", "/invalidate", r#"{"keys":["e:1"],"reason":"r"}"#, 200).await;
        self.sends("explain", "/explain?key=e:1", "", 200).await;
        self.sends("explain", "/explain", "", 400).await;
    }

    async fn bulk(&mut self) {
        self.sends("putEntry", "/entries/a:1", r#"{"value":1,"tags":["t"]}"#, 201).await;
        self.sends("invalidate", "/invalidate", r#"{"tags":["t"],"dry_run":true}"#, 200).await;
        self.sends("invalidate", "/invalidate", r#"{"pattern":"a:*","max_affected":0}"#, 409).await;
        self.sends("invalidate", "/invalidate", r#"{"pattern":"a:*","reason":"r","levels":["L1_MEMORY"]}"#, 200).await;
        self.sends("invalidate", "/invalidate", r#"{"tags":["t"]}"#, 200).await;
        let both = r#"{"tags":["t","u"],"match":"all","except_tags":["v"]}"#;
        self.sends("invalidate", "/invalidate", both, 200).await;
        self.sends("invalidate", "/invalidate", r#"{"keys":["a:1","a:2"]}"#, 200).await;
        self.sends("invalidate", "/invalidate", r#"{"pattern":"a:["}"#, 400).await;
    }

    async fn undos(&mut self) {
        self.sends("putEntry", "/entries/u:1", r#"{"value":1,"tags":["t"]}"#, 201).await;
        let undoable = r#"{"pattern":"u:*","reason":"r","undo_seconds":600}"#;
        let done = self.sends("invalidate", "/invalidate", undoable, 200).await.json();
        let path = |id: &str| format!("/invalidate/{id}/undo");
        let undo = path(done["invalidation_id"].as_str().unwrap());
        self.sends("listInvalidations", "/invalidations", "", 200).await;
        self.sends("undoInvalidation", &undo, "", 200).await;
        self.sends("listInvalidations", "/invalidations?limit=1", "", 200).await;
        self.sends("listInvalidations", "/invalidations?limit=0", "", 400).await;
        self.sends("undoInvalidation", &path("0"), "", 404).await;
        self.sends("undoInvalidation", &path("%zz"), "", 400).await;
        let short = r#"{"tags":["t"],"undo_seconds":1}"#;
        let done = self.sends("invalidate", "/invalidate", short, 200).await.json();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        self.sends("undoInvalidation", &path(done["invalidation_id"].as_str().unwrap()), "", 409).await;
        let above = r#"{"pattern":"u:*","levels":["L2_REDIS"],"undo_seconds":1}"#;
        self.sends("invalidate", "/invalidate", above, 422).await;
    }

    /// With L3 switched off nothing can be kept.
    async fn without_l3(&mut self) {
        self.sends("updateConfig", "/config", r#"{"l3_config":{"enabled":false}}"#, 200).await;
        for (id, path) in [("deleteEntry", "/entries/u:1?"), ("deleteEntryByQuery", "/entries?key=u:1&")] {
            self.sends(id, &format!("{path}undo_seconds=60"), "", 422).await;
        }
        self.sends("updateConfig", "/config", r#"{"l3_config":{"enabled":true}}"#, 200).await;
    }

    async fn warming(&mut self) {
        let warm =
            |body: &str| self.api.request("POST", "/warm").header("idempotency-key", "one").body(body.to_owned());
        let (first, other) = (warm(r#"{"keys":["a:1"]}"#), warm(r#"{"keys":["a:2"]}"#));
        let started = self.takes("startWarming", first, 202).await;
        self.takes("startWarming", other, 422).await;
        self.sends("startWarming", "/warm", r#"{"patterns":["a:*"],"strategy":"SCHEDULED"}"#, 202).await;
        self.sends("startWarming", "/warm", r#"{"strategy":"LATER"}"#, 400).await;
        let job = format!("/warm/{}", started.json()["warming_job_id"].as_str().unwrap());
        self.sends("getJob", &job, "", 200).await;
        self.sends("listJobs", "/warm?limit=1", "", 200).await;
        self.sends("listJobs", "/warm?state=over", "", 400).await;
        self.sends("cancelJob", &job, "", 200).await;
        for id in ["getJob", "cancelJob"] {
            self.sends(id, "/warm/warm_job_0", "", 404).await;
            self.sends(id, "/warm/%zz", "", 400).await;
        }
    }

    async fn operation(&mut self) {
        self.sends("listMutations", "/journal?limit=10", "", 200).await;
        self.sends("listMutations", "/journal?key=e:1&kind=put&by=local&prefix=e&since=0-0&wait=0", "", 200).await;
        self.sends("listMutations", "/journal?limit=0", "", 400).await;
        self.sends("listKeys", "/keys", "", 200).await;
        self.sends("listKeys", "/keys?limit=0", "", 400).await;
        self.sends("listTags", "/tags?limit=1", "", 200).await;
        self.sends("listTags", "/tags?cursor=x", "", 400).await;
        self.sends("getStats", "/stats?depth=2", "", 200).await;
        self.sends("getStats", "/stats?separator=%3B", "", 400).await;
        self.sends("getStatus", "/status", "", 200).await;
        self.sends("getStatus", "/status?history=60", "", 200).await;
        self.sends("getStatus", "/status?history=61", "", 400).await;
        let config = self.sends("getConfig", "/config", "", 200).await;
        self.sends("getConfig", "/config?section=l1_config", "", 400).await;
        self.sends("updateConfig", "/config", r#"{"l1_config":{"ttl_minutes":90}}"#, 200).await;
        let stale = config.header("etag").unwrap();
        let update = self.api.put("/config", r#"{"l1_config":{"ttl_minutes":91}}"#).header("if-match", stale);
        self.takes("updateConfig", update, 412).await;
        self.sends("updateConfig", "/config", r#"{"l1_config":{"ttl_minutes":0}}"#, 422).await;
        self.sends("updateConfig", "/config", r#"{"l1_config":{"ttl":0}}"#, 400).await;
    }

    /// Who does not say who he is, or may not do it, is refused by every operation alike.
    async fn strangers(&mut self) {
        let nothing = self.api.stack.token(Claims::with_scopes(&["other"]));
        for Operation { method, path, definition } in operations() {
            let path = path
                .replace("{key}", "k")
                .replace("{job_id}", "j")
                .replace("{invalidation_id}", "i")
                .replace("/entries", "/entries?key=k")
                .replace("?key=k/", "/");
            let request = self.api.request(&method.to_uppercase(), &path);
            let id = definition["operationId"].as_str().unwrap();
            self.takes(id, request.clone().anonymous(), 401).await;
            self.takes(id, request.clone().bearer("not a token"), 401).await;
            self.takes(id, request.bearer(&nothing), 403).await;
        }
    }

    /// A token that is limited to prefixes is told the key that has none of them.
    async fn outsiders(&mut self) {
        let limited = self.api.stack.token(Claims::default().prefixes(&["a:"]));
        for (id, path) in [("getEntry", "/entries/k"), ("getEntryByQuery", "/entries?key=k")] {
            let refused = self.takes(id, self.api.get(path).bearer(&limited), 403).await;
            assert_eq!(refused.details(), json!({"key": "k"}));
        }
        let all = self.api.request("POST", "/invalidate").body(r#"{"pattern":"*"}"#);
        self.takes("invalidate", all.bearer(&limited), 403).await;
    }

    /// What is too much, too often, or not there now.
    async fn limits(&mut self) {
        let huge = json!({"value": "x".repeat(TOO_LARGE)}).to_string();
        self.sends("putEntry", "/entries/k", &huge, 413).await;
        self.sends("updateConfig", "/config", r#"{"max_entry_size_mb":1}"#, 200).await;
        self.sends("putEntry", "/entries/k", &json!({"value": "x".repeat(1 << 20)}).to_string(), 413).await;
        self.sends("updateConfig", "/config", r#"{"max_entry_size_mb":10}"#, 200).await;
        let escaped = json!({"value": "\"".repeat(3_000_000)}).to_string();
        self.sends("putEntry", "/entries/k", &escaped, 413).await;
        let packed = self.api.put("/entries/k", "x").header("content-encoding", "br");
        self.takes("putEntry", packed, 415).await;
        while self.api.get("/config").send().await.status == 200 {}
        self.sends("getConfig", "/config", "", 429).await;
        self.api.stack.l3().set(L3Fault::Stopped).await;
        self.sends("putEntry", "/entries/k", r#"{"value":1}"#, 503).await;
    }
}

#[tokio::test]
async fn every_answer_is_as_it_is_described_and_every_status_is_seen() {
    let mut tour = Tour { api: Api::with(patient().containers(1)).await, seen: BTreeSet::new() };
    tour.entries("", "/entries/a%2Fb").await;
    tour.entries("ByQuery", "/entries?key=a%3Fb").await;
    tour.batches().await;
    tour.reasons().await;
    tour.bulk().await;
    tour.undos().await;
    tour.warming().await;
    tour.operation().await;
    tour.strangers().await;
    tour.outsiders().await;
    tour.without_l3().await;
    tour.limits().await;
    let seen_somewhere: BTreeSet<u16> = tour.seen.iter().map(|(_, status)| *status).collect();
    assert!(SHARED.iter().all(|status| seen_somewhere.contains(status)), "{seen_somewhere:?}");
    let described = operations().flat_map(|operation| {
        let statuses = operation.responses().map(|(status, _)| status.parse().unwrap());
        statuses.map(|status: u16| (operation.id(), status)).collect::<Vec<_>>()
    });
    let expected = described.filter(|(_, status)| !SHARED.contains(status) && !UNSEEN.contains(status));
    let unseen: Vec<_> = expected.filter(|expected| !tour.seen.contains(expected)).collect();
    assert!(unseen.is_empty(), "described and not seen: {unseen:?}");
}
