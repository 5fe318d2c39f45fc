//! What is told of invalidations.

use super::{undoably, undone};
use crate::support::{command, invalidate, put};
use serde_json::{Value, json};
use strata_it::{Answer, Api, entry, stack::Claims};

async fn listed(api: &Api, query: &str) -> Vec<Value> {
    page(api.get(&format!("/invalidations{query}")).send().await).0
}

fn page(answer: Answer) -> (Vec<Value>, Option<String>) {
    let page = answer.expect(200).json();
    (page["invalidations"].as_array().unwrap().clone(), page["next"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn each_is_told_of_with_who_when_and_what_came_of_it() {
    let api = Api::start().await;
    for key in ["a:1", "a:2"] {
        put(&api, "entries-1", key, "1").await.expect(201);
    }
    assert!(listed(&api, "").await.is_empty());
    invalidate(&api, json!({"pattern": "none"})).await.expect(200);
    let id = undoably(&api, json!({"pattern": "a:*", "reason": "a mistake"})).await;
    undoably(&api, json!({"tags": ["t"]})).await;
    undoably(&api, json!({"keys": ["a:1", "a:2", "b"]})).await;
    put(&api, "entries-1", "c", "1").await.expect(201);
    api.delete(&format!("{}?undo_seconds=60", entry("c"))).send().await.expect(200);
    let all = listed(&api, "").await;
    let kinds: Vec<&str> = all.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["delete", "keys", "tags", "pattern"], "the newest first; what cannot be undone is over");
    assert_eq!((&all[0]["key"], &all[1]["keys_count"], &all[2]["tags"]), (&json!("c"), &json!(3), &json!(["t"])));
    assert!(all.iter().all(|one| one["state"] == "undoable" && one["by"] == "local"), "{all:?}");
    let first = &all[3];
    assert_eq!((&first["invalidation_id"], &first["pattern"]), (&json!(id), &json!("a:*")));
    assert_eq!((&first["reason"], &first["invalidated_count"]), (&json!("a mistake"), &json!(2)));
    assert!(first["created_at"].is_string() && first["undo_until"].is_string() && first.get("restored").is_none());
    // The keys were gone when they were named: nothing has touched them but by name.
    assert_eq!(undone(&api, &id).await, [0, 2, 0]);
    let all = listed(&api, "").await;
    assert_eq!((&all[3]["state"], &all[3]["restored"]), (&json!("undone"), &json!(0)));
}

#[tokio::test]
async fn pages_follow_one_another() {
    let api = Api::start().await;
    for number in 0..5 {
        undoably(&api, json!({"pattern": format!("p:{number}")})).await;
    }
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let (lines, next) = page(api.get(&format!("/invalidations?limit=2{cursor}")).send().await);
        assert!(lines.len() <= 2);
        seen.extend(lines.iter().map(|line| line["pattern"].as_str().unwrap().to_owned()));
        let Some(next) = next else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ["p:4", "p:3", "p:2", "p:1", "p:0"]);
    for wrong in ["limit=0", "limit=101", "cursor=x", "state=open"] {
        api.get(&format!("/invalidations?{wrong}")).send().await.expect_error(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn one_that_is_open_is_told_of_whether_it_can_be_undone_or_not() {
    let api = Api::start().await;
    let left = r#"{"version":4096,"levels":7,"pattern":"left:*","reason":"r","by":"who"}"#;
    command::<i64>(&api, &["HSET", "strata:cache:{j}open", "1-0", left]).await;
    let all = listed(&api, "").await;
    assert_eq!(all.len(), 1);
    assert_eq!((&all[0]["state"], &all[0]["pattern"]), (&json!("open"), &json!("left:*")));
    assert_eq!((&all[0]["by"], &all[0]["reason"]), (&json!("who"), &json!("r")));
    assert!(all[0].get("undo_until").is_none());
}

#[tokio::test]
async fn a_confined_token_sees_what_lies_under_its_prefixes() {
    let api = Api::start().await;
    for body in [
        json!({"pattern": "x:*"}),
        json!({"pattern": "y:*"}),
        json!({"pattern": "*"}),
        json!({"tags": ["t"]}),
        json!({"keys": ["x:1", "x:2"]}),
        json!({"keys": ["x:1", "y:2"]}),
    ] {
        undoably(&api, body).await;
    }
    let claims = Claims { prefixes: Some(vec!["x:".to_owned()]), ..Claims::default() };
    let other = api.stack.token(Claims { subject: "other".to_owned(), ..claims });
    let (lines, _) = page(api.get("/invalidations").bearer(&other).send().await);
    let seen: Vec<_> = lines.iter().map(|line| line.get("pattern").unwrap_or(&line["keys_count"])).collect();
    assert_eq!(seen, [&json!(2), &json!("x:*")]);
    let reader = api.stack.token(Claims::with_scopes(&["cache:read", "cache:write"]));
    api.get("/invalidations").bearer(&reader).send().await.expect_error(403, "FORBIDDEN");
}
