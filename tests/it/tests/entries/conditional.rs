//! Conditional requests: the ETag is of the value.

use strata_it::Api;

const PATH: &str = "/entries/k";

fn value(value: &str) -> String {
    format!(r#"{{"value":{value}}}"#)
}

#[tokio::test]
async fn a_caller_who_has_the_value_gets_304() {
    let api = Api::start().await;
    let put = api.put(PATH, value("[1]")).send().await.expect(201);
    let found = api.get(PATH).send().await.expect(200);
    let tag = found.header("etag").unwrap().to_owned();
    assert_eq!(put.header("etag"), Some(&*tag));
    for condition in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let unchanged = api.get(PATH).header("if-none-match", condition).send().await.expect(304);
        assert!(unchanged.body.is_empty());
        assert_eq!((unchanged.header("etag"), unchanged.header("cache-control")), (Some(&*tag), Some("no-store")));
    }
    api.get(PATH).header("if-none-match", "\"other\"").send().await.expect(200);
    api.get(PATH).header("if-none-match", "other").send().await.expect_error(400, "INVALID_REQUEST");

    api.put(PATH, value("[1 ]")).send().await.expect(200);
    let changed = api.get(PATH).header("if-none-match", &*tag).header("cache-control", "no-cache").send().await;
    assert_eq!(changed.expect(200).value(), "[1 ]");
    api.delete(PATH).send().await.expect(200);
    let gone = api.get(PATH).header("if-none-match", &*tag).header("cache-control", "no-cache").send().await;
    gone.expect_error(404, "CACHE_KEY_NOT_FOUND");
}

#[tokio::test]
async fn a_put_can_insist_on_what_it_replaces() {
    let api = Api::start().await;
    let put = |text: &str| api.put(PATH, value(text));
    put("0").header("if-match", "*").send().await.expect_error(412, "PRECONDITION_FAILED");
    put("1").header("if-none-match", "*").send().await.expect(201);
    put("2").header("if-none-match", "*").send().await.expect_error(412, "PRECONDITION_FAILED");
    let second = put("2").header("if-match", "*").send().await.expect(200);
    let tag = second.header("etag").unwrap().to_owned();
    put("3").header("if-match", "\"other\"").send().await.expect_error(412, "PRECONDITION_FAILED");
    put("3").header("if-match", format!("W/{tag}")).send().await.expect_error(412, "PRECONDITION_FAILED");
    put("3").header("if-match", format!("\"other\", {tag}")).send().await.expect(200);
    put("4").header("if-match", tag).send().await.expect_error(412, "PRECONDITION_FAILED");
    let found = api.get(PATH).header("cache-control", "no-cache").send().await.expect(200);
    assert_eq!(found.value(), "3");
    api.delete(PATH).send().await.expect(200);
    put("5").header("if-match", "*").send().await.expect_error(412, "PRECONDITION_FAILED");
}

#[tokio::test]
async fn conditions_that_cannot_be_kept_are_refused() {
    let api = Api::start().await;
    api.put(PATH, value("1")).header("if-none-match", "\"a\"").send().await.expect_error(400, "INVALID_REQUEST");
    api.put(PATH, value("1")).header("if-match", "*").header("if-none-match", "*").send().await.expect(400);
    api.delete(PATH).header("if-match", "*").send().await.expect_error(400, "INVALID_REQUEST");
}
