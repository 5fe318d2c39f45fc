//! Who may change the configuration, who did, and what a switch is said to do.

use super::{configure, shown};
use serde_json::{Value, json};
use strata_it::{Api, patient, stack::Claims};

async fn journal(api: &Api, token: &str) -> Vec<Value> {
    let journal = api.get("/journal").bearer(token).send().await.expect(200).json();
    journal["mutations"].as_array().unwrap().clone()
}

#[tokio::test]
async fn who_is_confined_cannot_change_what_is_everybody_s() {
    let api = Api::start().await;
    let confined = Claims::default().subject("tenant").prefixes(&["tenant:"]);
    let confined = api.stack.token(confined);
    let before = shown(&api).await;
    for update in [r#"{"l3_config":{"enabled":false}}"#, r#"{"max_entry_size_mb":1}"#, "{}", "x"] {
        api.put("/config", update).bearer(&confined).send().await.expect_error(403, "FORBIDDEN");
    }
    assert_eq!(shown(&api).await, before);
    api.get("/config").bearer(&confined).send().await.expect(200);
}

#[tokio::test]
async fn who_is_confined_is_not_shown_where_things_are() {
    let api = Api::start().await;
    let confined = api.stack.token(Claims::default().prefixes(&["tenant:"]));
    let (all, theirs) = (shown(&api).await, api.get("/config").bearer(&confined).pin("config-1").send().await);
    let theirs = theirs.expect(200).json();
    let mut expected = all.clone();
    expected["l2_config"]["redis_url"] = json!("redis://***");
    expected["l2_config"]["key_prefix"] = json!("***");
    expected["l3_config"]["database_url"] = json!("dynamodb://***");
    expected["l3_config"]["table_name"] = json!("***");
    assert_eq!(theirs, expected);
    assert_ne!(theirs, all);
}

#[tokio::test]
async fn the_journal_has_a_scope_of_its_own() {
    let api = Api::start().await;
    let token = |scope: &str| api.stack.token(Claims::with_scopes(&[scope]));
    for scope in ["cache:journal", "cache:admin"] {
        api.get("/journal").bearer(&token(scope)).send().await.expect(200);
    }
    let refused = api.get("/journal").bearer(&token("cache:read")).send().await.expect_error(403, "FORBIDDEN");
    assert_eq!(refused.details()["required_scope"], "cache:journal");
    let update = api.put("/config", r#"{"max_entry_size_mb":1}"#).bearer(&token("cache:journal")).send().await;
    update.expect_error(403, "FORBIDDEN");
}

#[tokio::test]
async fn a_change_is_in_the_journal_and_in_the_log() {
    let api = Api::start().await;
    let admin = api.stack.token(Claims::default().subject("alice"));
    let update = json!({"max_entry_size_mb": 3, "compression": {"algorithm": "zstd"}}).to_string();
    let told = api.put("/config", update.clone()).bearer(&admin).pin("config-1").send().await.expect(200);
    api.put("/config", update).bearer(&admin).pin("config-1").send().await.expect(200);
    let lines = journal(&api, &admin).await;
    assert_eq!(lines.len(), 1, "what changes nothing is no change: {lines:?}");
    let line = &lines[0];
    assert_eq!(
        (&line["kind"], &line["by"], &line["at"]),
        (&json!("config"), &json!("alice"), &told.json()["updated_at"])
    );
    let changes = json!([
        {"field": "compression.algorithm", "old": "lz4", "new": "zstd"},
        {"field": "max_entry_size_mb", "old": 10, "new": 3},
    ]);
    assert_eq!(line["changes"], changes);
    let confined = api.stack.token(Claims::default().subject("alice").prefixes(&["a:"]));
    assert_eq!(journal(&api, &confined).await, [] as [Value; 0], "the configuration is no matter of a tenant's");
    let log = api.stack.logs("config-1");
    let logged: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let changed: Vec<&Value> = logged.iter().filter(|line| line.get("config_by").is_some()).collect();
    assert_eq!(changed.len(), 1, "{log}");
    assert_eq!((&changed[0]["config_by"], &changed[0]["config_version"]), (&json!("alice"), &json!(1)));
    assert_eq!(changed[0]["config_changes"], "compression.algorithm: \"lz4\" -> \"zstd\", max_entry_size_mb: 10 -> 3");
}

#[tokio::test]
async fn a_change_that_redis_learns_of_later_is_in_the_journal_as_made() {
    let api = Api::with(patient().env("RATE_LIMITS", "off")).await;
    api.stack.redis_path("config-1").cut().await;
    let update = api.put("/config", r#"{"max_entry_size_mb":4}"#).pin("config-1").send().await.expect(200).json();
    assert_eq!(update["degraded"], true);
    api.stack.redis_path("config-1").restore().await;
    crate::support::eventually("the journal", async || {
        shown(&api).await;
        let token = api.stack.token(Claims::default());
        let lines = journal(&api, &token).await;
        let Some(line) = lines.iter().find(|line| line["kind"] == "config") else { return false };
        assert_eq!((&line["by"], &line["at"]), (&json!("local"), &update["updated_at"]));
        true
    })
    .await;
}

#[tokio::test]
async fn the_switch_of_a_level_says_what_it_does() {
    let api = Api::with(patient().env("RATE_LIMITS", "off")).await;
    let harmless = configure(&api, json!({"max_entry_size_mb": 2})).await.expect(200).json();
    assert!(harmless.get("warnings").is_none());
    for (level, name) in [("l1_config", "L1_MEMORY"), ("l2_config", "L2_REDIS"), ("l3_config", "L3_DATABASE")] {
        for (enabled, says) in [(false, "is off"), (true, "is on")] {
            let told = configure(&api, json!({level: {"enabled": enabled}})).await.expect(200).json();
            let warnings = told["warnings"].as_array().unwrap();
            assert_eq!(warnings.len(), 1);
            assert!(warnings[0].as_str().unwrap().starts_with(&format!("{name} {says}")), "{warnings:?}");
            let again = configure(&api, json!({level: {"enabled": enabled}})).await.expect(200).json();
            assert!(again.get("warnings").is_none(), "nothing was switched");
        }
    }
}
