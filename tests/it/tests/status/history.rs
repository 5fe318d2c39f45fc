//! What the fleet did, minute by minute.

use crate::support::{eventually, get, put, wait_out_the_window};
use serde_json::{Value, json};
use strata_it::{Api, stack::Claims};

const PUTS: u64 = 7;

fn sum(minutes: &Value, of: impl Fn(&Value) -> &Value) -> u64 {
    minutes.as_array().unwrap().iter().map(|minute| of(minute).as_u64().unwrap()).sum()
}

#[tokio::test]
async fn the_minutes_add_up_to_what_is_counted() {
    let api = Api::start().await;
    for number in 0..PUTS {
        put(&api, "entries-1", &format!("k{number}"), "1").await.expect(201);
    }
    for _ in 0..5 {
        get(&api, "entries-1", "k0").await.expect(200);
    }
    get(&api, "entries-2", "k0").await.expect(200);
    eventually("reports", async || {
        wait_out_the_window().await;
        for container in ["entries-1", "entries-2"] {
            get(&api, container, "absent").await.expect(404);
        }
        let status = api.get("/status?history=60").send().await.expect(200).json();
        let minutes = &status["history"];
        assert_eq!(minutes.as_array().unwrap().len(), 60);
        let is_sum = |(at, level): (usize, &Value)| {
            let of = |name: &'static str| sum(minutes, move |minute| &minute["levels"][at][name]);
            of("hits") == level["hits"].as_u64().unwrap()
                && of("reads") == level["hits"].as_u64().unwrap() + level["misses"].as_u64().unwrap()
        };
        assert!(status["levels"].as_array().unwrap().iter().enumerate().all(is_sum), "{status:#}");
        assert!(sum(minutes, |minute| &minute["syncs"]) > 0);
        sum(minutes, |minute| &minute["mutations"]) == PUTS
    })
    .await;
    let few = api.get("/status?history=2").send().await.expect(200).json();
    assert_eq!(few["history"].as_array().unwrap().len(), 2);
    assert!(api.get("/status").send().await.expect(200).json().get("history").is_none());
    for bad in ["history=0", "history=61", "history=x", "histories=1"] {
        api.get(&format!("/status?{bad}")).send().await.expect_error(400, "INVALID_REQUEST");
    }
    let confined = api.stack.token(Claims::default().prefixes(&["k"]));
    let own = api.get("/status?history=60").bearer(&confined).send().await.expect(200).json();
    assert_eq!(
        (&own["history"], &own["coherence"]["checked"]),
        (&json!([]), &json!(0)),
        "others are no business of it"
    );
}
