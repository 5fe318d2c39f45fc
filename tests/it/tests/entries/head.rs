//! HEAD: what GET says, but for the body.

use strata_it::{Answer, Api, Request, entry, entry_by_query};

/// Headers that tell of the request itself, of the time, or of how much was asked before.
const ITS_OWN: [&str; 5] = ["date", "ratelimit", "x-amzn-requestid", "x-request-id", "x-strata-container"];

/// What a caller may compare: status and headers.
fn told(answer: &Answer) -> (u16, Vec<(String, String)>) {
    let names = answer.header_names().filter(|name| !ITS_OWN.contains(name));
    let headers = names.map(|name| (name.to_owned(), answer.header(name).unwrap().to_owned())).collect();
    (answer.status, headers)
}

#[tokio::test]
async fn it_is_answered_as_get_is_without_the_body() {
    let api = Api::start().await;
    let put = api.put(&entry("a/b ü"), r#"{"value":{"x":[1.0]}}"#).pin("entries-1").send().await.expect(201);
    let tag = put.header("etag").unwrap().to_owned();
    let limited = api.stack.token(strata_it::stack::Claims::with_scopes(&["cache:write"]));
    let plain: fn(Request, &str) -> Request = |request, _| request;
    for (path, status, with) in [
        (entry("a/b ü"), 200, plain),
        (entry_by_query("a/b ü"), 200, plain),
        (entry("a/b ü"), 304, |request, tag| request.header("if-none-match", tag)),
        (entry("a/b ü"), 412, |request, _| request.header("if-match", "\"other\"")),
        (entry("a/b ü"), 200, |request, _| request.header("cache-control", "no-cache")),
        (entry("none"), 404, plain),
        (entry("a/b ü"), 400, |request, _| request.header("if-match", "x")),
        ("/entries".to_owned(), 400, plain),
        (entry("a/b ü"), 401, |request, _| request.anonymous()),
        ("/nowhere".to_owned(), 404, plain),
    ] {
        // The first read puts the entry where the second finds it.
        with(api.get(&path), &tag).pin("entries-1").send().await;
        let get = with(api.get(&path), &tag).pin("entries-1").send().await.expect(status);
        let head = with(api.request("HEAD", &path), &tag).pin("entries-1").send().await;
        assert!(head.body.is_empty(), "{head:?}");
        let (got, expected) = (told(&head), told(&get));
        assert_eq!(got, expected, "{path}");
        if status != 304 {
            assert_eq!(head.header("content-length"), Some(&*get.body.len().to_string()), "{path}");
        }
    }
    api.request("HEAD", &entry("a/b ü")).bearer(&limited).send().await.expect(403);
}
