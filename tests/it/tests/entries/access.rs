//! Who may do what, as seen through the gateway.

use serde_json::json;
use strata_it::{Api, entry, stack::Claims};

#[tokio::test]
async fn scopes_are_exact() {
    let api = Api::start().await;
    let path = entry("a");
    for (scopes, get, put, delete) in [
        (&["cache:read"][..], 404, 403, 403),
        (&["cache:write"], 403, 201, 200),
        (&["cache:admin"], 403, 403, 403),
        (&[], 403, 403, 403),
    ] {
        let token = api.stack.token(Claims::with_scopes(scopes));
        for (request, status) in
            [(api.get(&path), get), (api.put(&path, r#"{"value":1}"#), put), (api.delete(&path), delete)]
        {
            let answer = request.bearer(&token).send().await.expect(status);
            if status == 403 {
                let answer = answer.expect_error(403, "FORBIDDEN");
                assert!(answer.details()["required_scope"].as_str().unwrap().starts_with("cache:"));
            }
        }
    }
}

#[tokio::test]
async fn a_token_may_be_limited_to_prefixes() {
    let api = Api::start().await;
    let token = api.stack.token(Claims::default().prefixes(&["customer:", "a/"]));
    for (key, status) in [("customer:1", 201), ("a/b", 201), ("order:1", 403), ("a", 403), ("customer", 403)] {
        let answer = api.put(&entry(key), r#"{"value":1}"#).bearer(&token).send().await.expect(status);
        if status == 403 {
            assert_eq!(answer.expect_error(403, "FORBIDDEN").details(), json!({ "key": key }));
        }
    }
    api.get(&entry("order:1")).bearer(&token).send().await.expect(403);
    api.delete(&entry("order:1")).bearer(&token).send().await.expect(403);
    let none = api.stack.token(Claims::default().prefixes(&[]));
    api.get(&entry("customer:1")).bearer(&none).send().await.expect(403);
}

#[tokio::test]
async fn strangers_are_refused_in_shape() {
    let api = Api::start().await;
    let path = entry("a");
    api.get(&path).anonymous().send().await.expect_error(401, "UNAUTHORIZED");
    api.get(&path).bearer("garbage").send().await.expect_error(401, "UNAUTHORIZED");
    let token = api.stack.token(Claims::default());
    let twice = api.get(&path).header("authorization", format!("Bearer {token}"));
    twice.send().await.expect_error(401, "UNAUTHORIZED");
    api.get("/nowhere").send().await.expect_error(404, "ROUTE_NOT_FOUND");
    api.request("POST", &path).send().await.expect_error(405, "METHOD_NOT_ALLOWED");
}
