//! The list of an API key's jobs, and waiting for one.

use super::{about, begin, ended, id_of, limited, one_key, posted, report, warm};
use crate::{support::eventually, tables::partition};
use futures_util::future::{join, join3};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use strata_it::{Api, patient, stack::Claims};

/// A page of the list, and where the next one begins.
async fn page(api: &Api, query: &str) -> (Vec<Value>, Option<String>) {
    let listed = api.get(&format!("/warm{query}")).send().await.expect(200).json();
    (listed["jobs"].as_array().unwrap().clone(), listed["next"].as_str().map(str::to_owned))
}

/// The jobs on all pages.
async fn listed(api: &Api, query: &str) -> Vec<Value> {
    let (mut jobs, mut next) = page(api, &format!("?limit=2{query}")).await;
    while let Some(after) = next {
        let more = page(api, &format!("?limit=2{query}&after={after}")).await;
        jobs.extend(more.0);
        next = more.1;
    }
    jobs
}

fn ids(jobs: &[Value]) -> BTreeSet<String> {
    jobs.iter().map(|job| job["job_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_jobs_of_the_api_key_are_listed_by_state() {
    let api = Api::with(patient().streams(false)).await;
    assert_eq!(page(&api, "").await, (vec![], None));
    let (mut ready, mut cancelled) = (BTreeSet::new(), Vec::new());
    for _ in 0..3 {
        ready.insert(begin(&api, one_key()).await);
        cancelled.push(begin(&api, one_key()).await);
        about(&api, "DELETE", cancelled.last().unwrap()).send().await.expect(200);
        // Those that ended in the same millisecond have no order.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let scheduled = BTreeSet::from([begin(&api, json!({"keys": ["a"], "strategy": "SCHEDULED"})).await]);
    let other = api.stack.token(Claims::default().api_key("another"));
    let theirs = id_of(&posted(&api, &one_key()).bearer(&other).send().await.expect(202));

    let all = listed(&api, "").await;
    assert_eq!(ids(&all), ready.iter().chain(&cancelled).chain(&scheduled).cloned().collect());
    assert_eq!(all.len(), 7, "each once");
    let over: Vec<&str> = all[4..].iter().map(|job| job["job_id"].as_str().unwrap()).collect();
    assert!(over.iter().eq(cancelled.iter().rev()), "the last that ended first: {over:?}");
    let one = all.iter().find(|job| scheduled.contains(job["job_id"].as_str().unwrap())).unwrap();
    assert_eq!(*one, report(&api, one["job_id"].as_str().unwrap()).await, "each as it is told of alone");
    assert_eq!(ids(&listed(&api, "&state=ready").await), ready);
    assert_eq!(ids(&listed(&api, "&state=scheduled").await), scheduled);
    assert_eq!(ids(&listed(&api, "&state=cancelled").await), cancelled.into_iter().collect());
    for state in ["running", "done", "failed"] {
        assert_eq!(listed(&api, &format!("&state={state}")).await, [] as [Value; 0]);
    }
    let theirs_only = api.get("/warm").bearer(&other).send().await.expect(200).json();
    assert_eq!(ids(theirs_only["jobs"].as_array().unwrap()), BTreeSet::from([theirs]));
}

#[tokio::test]
async fn a_token_with_prefixes_is_shown_what_it_may_touch() {
    let api = Api::with(patient().streams(false)).await;
    let mine = begin(&api, json!({"keys": ["mine:1"], "patterns": ["mine:*"]})).await;
    begin(&api, json!({"keys": ["mine:1", "yours:1"]})).await;
    let shown = api.get("/warm").bearer(&limited(&api)).send().await.expect(200).json();
    assert_eq!(ids(shown["jobs"].as_array().unwrap()), BTreeSet::from([mine]));
}

#[tokio::test]
async fn what_is_wrong_with_a_question_is_named() {
    let api = Api::with(patient().streams(false)).await;
    let job = begin(&api, one_key()).await;
    let job = format!("/warm/{job}");
    for (path, field) in [
        ("/warm?state=over", "state"),
        ("/warm?state=ready&state=done", "state"),
        ("/warm?limit=0", "limit"),
        ("/warm?limit=51", "limit"),
        ("/warm?after=x", "after"),
        ("/warm?after=", "after"),
        ("/warm?after=~0001&state=done", "after"),
        ("/warm?after=1700000000000.warm_job_0&state=ready", "after"),
        ("/warm?page=2", "page"),
        (&format!("{job}?wait=21"), "wait"),
        (&format!("{job}?wait=-1"), "wait"),
        (&format!("{job}?wait=soon"), "wait"),
        (&format!("{job}?wait=1&wait=1"), "wait"),
        (&format!("{job}?waits=1"), "waits"),
    ] {
        let refused = api.get(path).send().await.expect_error(400, "INVALID_REQUEST");
        assert_eq!(refused.details()["errors"][0]["field"], field, "{path}");
    }
    page(&api, "?after=~0001").await;
    page(&api, "?after=1700000000000.warm_job_0&state=done").await;
}

#[tokio::test]
async fn who_waits_is_answered_when_the_job_is_further() {
    let api = Api::with(patient().streams(false).containers(4)).await;
    let id = begin(&api, one_key()).await;
    let wait = async || about(&api, "GET", &format!("{id}?wait=20")).send().await.expect(200).json();
    let third = async {
        eventually("two that wait", async || partition(&api, "cache_control", "waits").await.len() == 4).await;
        let third = wait().await;
        about(&api, "DELETE", &id).send().await.expect(200);
        third
    };
    let (first, second, third) = join3(wait(), wait(), third).await;
    assert_eq!((&first["state"], &second["state"]), (&json!("cancelled"), &json!("cancelled")));
    assert_eq!(third["state"], "ready", "no more than two of an API key wait");
    assert_eq!(partition(&api, "cache_control", "waits").await, []);
    assert_eq!(wait().await["state"], "cancelled", "nothing more can come of it");
}

#[tokio::test]
async fn of_one_that_stands_still_it_is_told_in_the_end() {
    let api = Api::with(patient().streams(false)).await;
    let id = begin(&api, one_key()).await;
    let waited = about(&api, "GET", &format!("{id}?wait=1")).send().await.expect(200).json();
    assert_eq!(waited, report(&api, &id).await);
    let stranger = api.stack.token(Claims::default().prefixes(&["other:"]));
    about(&api, "GET", &format!("{id}?wait=20")).bearer(&stranger).send().await.expect_error(404, "JOB_NOT_FOUND");
}

#[tokio::test]
async fn the_answer_says_where_the_job_is_told_of() {
    let api = Api::start().await;
    let accepted = warm(&api, one_key()).await.expect(202);
    let id = id_of(&accepted);
    assert_eq!(accepted.header("location"), Some(format!("warm/{id}").as_str()));
    let scheduled = json!({"keys": ["a"], "strategy": "SCHEDULED", "run_at": "2024-01-15T10:45:00Z"});
    let past = begin(&api, scheduled).await;
    let next = begin(&api, json!({"keys": ["a"], "strategy": "SCHEDULED"})).await;
    assert!(report(&api, &next).await.get("run_at").is_none(), "no time was given");
    assert_eq!(report(&api, &past).await["run_at"], "2024-01-15T10:45:00Z");
    api.stack.tick().await.unwrap();
    let (past, next) = join(ended(&api, &past), ended(&api, &next)).await;
    assert_eq!((&past["run_at"], next.get("run_at")), (&json!("2024-01-15T10:45:00Z"), None));
}
