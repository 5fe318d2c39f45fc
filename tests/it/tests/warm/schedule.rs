//! Jobs that wait for their time, and what schedules warm by themselves.

use super::{about, begin, ended, fill, report, warm};
use crate::{
    support::{command, copy_name, flush},
    tables::partition,
};
use serde_json::{Value, json};
use strata_api::{Timestamp, timestamp};
use strata_it::{Api, patient, stack::Options};

/// The seconds since the Unix epoch that `time` says.
#[track_caller]
fn seconds(time: &Value) -> i64 {
    timestamp::parse_ms(time.as_str().unwrap()).unwrap() / 1000
}

#[tokio::test]
async fn a_scheduled_job_waits_for_the_next_run() {
    let api = Api::start().await;
    fill(&api, 3).await;
    flush(&api).await;
    let id = begin(&api, json!({"patterns": ["k:*"], "strategy": "SCHEDULED"})).await;
    let past = json!({"keys": ["k:0"], "strategy": "SCHEDULED", "run_at": "2024-01-15T10:45:00Z"});
    let past = begin(&api, past).await;
    for id in [&id, &past] {
        assert_eq!(report(&api, id).await["state"], "scheduled");
    }
    assert_eq!(api.stack.tick().await.unwrap()[0]["jobs_woken"], 2);
    for id in [&id, &past] {
        assert_eq!(ended(&api, id).await["state"], "done");
    }
    assert!(command::<bool>(&api, &["EXISTS", &copy_name("k:2")]).await);
}

#[tokio::test]
async fn one_with_a_time_waits_for_it() {
    let api = Api::start().await;
    let at = Timestamp { seconds: seconds_now(&api).await + 3600 };
    let body = json!({"keys": ["k:0"], "strategy": "SCHEDULED", "run_at": at.to_string()});
    let accepted = warm(&api, body).await.expect(202).json();
    assert_eq!(accepted["started_at"], at.to_string());
    assert!(seconds(&accepted["estimated_completion"]) >= at.seconds, "{accepted}");
    let id = accepted["warming_job_id"].as_str().unwrap();
    assert_eq!(api.stack.tick().await.unwrap()[0]["jobs_woken"], 0);
    let waiting = report(&api, id).await;
    assert_eq!((&waiting["state"], &waiting["run_at"]), (&json!("scheduled"), &json!(at.to_string())), "{waiting}");
    assert_eq!(about(&api, "DELETE", id).send().await.expect(200).json()["state"], "cancelled");
}

/// What the clock of Redis says.
async fn seconds_now(api: &Api) -> i64 {
    command::<(i64, i64)>(api, &["TIME"]).await.0
}

/// A stack whose schedule warms what `input` says.
fn scheduled(input: &Value) -> Options {
    patient().parameter("WarmScheduleExpression", "rate(1 day)").parameter("WarmScheduleInput", input.to_string())
}

#[tokio::test]
async fn what_a_schedule_says_is_warmed_at_once() {
    let api = Api::with(scheduled(&json!({"patterns": ["k:*"], "batch_size": 2})).streams(false)).await;
    fill(&api, 5).await;
    flush(&api).await;
    let answers = api.stack.tick().await.unwrap();
    let id = answers[1]["warming_job_id"].as_str().unwrap_or_else(|| panic!("{answers:?}"));
    let told = report(&api, id).await;
    assert_eq!((&told["state"], &told["done"], &told["batch_size"]), (&json!("done"), &json!(5), &json!(2)), "{told}");
    assert!(command::<bool>(&api, &["EXISTS", &copy_name("k:4")]).await);
    let again = api.stack.tick().await.unwrap();
    assert_ne!(again[1]["warming_job_id"], id, "each time it fires is a job of its own");
}

#[tokio::test]
async fn an_event_that_comes_again_makes_no_second_job() {
    let api = Api::with(patient().streams(false)).await;
    let event = json!({"keys": ["k:0"], "strategy": "SCHEDULED"});
    let deliver = async |id: &str| {
        let answer = api.stack.invoke_as("warmer", event.clone(), id).await.unwrap();
        answer["warming_job_id"].as_str().unwrap().to_owned()
    };
    let first = deliver("7f2c1e0a-8d53-4b6e-9a41-5c2f3e1d0b9a").await;
    assert_eq!(deliver("7f2c1e0a-8d53-4b6e-9a41-5c2f3e1d0b9a").await, first);
    assert_ne!(deliver("0c5b1f8e-2f6a-4d7b-8b1d-3e9a7c6d5f40").await, first);
    assert_eq!(partition(&api, "cache_control", "jobs").await.len(), 2);
}

#[tokio::test]
async fn an_input_that_is_wrong_fails_by_name() {
    let api = Api::with(scheduled(&json!({"patterns": ["k:*"], "batch_size": 0}))).await;
    let failed = api.stack.tick().await.unwrap_err().to_string();
    assert!(failed.contains("batch_size must be an integer from 1 to 1000"), "{failed}");
}
