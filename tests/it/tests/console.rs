//! The console as browsers get it: the page, its files, and what keeps both from harm. What a person does with it is
//! `tests/console`, in a real browser.

use crate::template::TEMPLATE;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, io::Read};
use strata_it::{
    Answer, Api, patient,
    stack::{Options, repository},
};

/// Its sample events, each with the status of its answer: the file is of a release that is not the one that runs.
pub const SAMPLES: [(&str, u16); 2] = [("console_page", 200), ("console_asset", 404)];

/// What all of it may weigh, packed, in bytes.
const MOST_BYTES: usize = 200 * 1024;

async fn start() -> Api {
    Api::with(stack()).await
}

fn stack() -> Options {
    patient().functions(["authorizer", "console", "status"])
}

async fn page(api: &Api) -> Answer {
    api.get("/console").anonymous().send().await.expect(200)
}

/// The addresses of the files that the page asks for, below the API's.
fn files(page: &Answer) -> BTreeSet<String> {
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    let parts = text.split('"').filter(|part| part.starts_with("console/"));
    parts.map(|part| format!("/{part}")).collect()
}

/// The directives of a policy.
fn policy(answer: &Answer) -> BTreeSet<&str> {
    answer.header("content-security-policy").unwrap_or_else(|| panic!("{answer:?}")).split("; ").collect()
}

#[tokio::test]
async fn a_page_needs_no_token_and_its_files_are_kept_for_ever() {
    let api = start().await;
    let page = page(&api).await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let mut types = BTreeSet::new();
    for file in files(&page) {
        let answer = api.get(&file).anonymous().send().await.expect(200);
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"), "{file}");
        assert!(!answer.body.is_empty(), "{file}");
        types.insert(answer.header("content-type").unwrap().to_owned());
    }
    assert_eq!(types.len(), 3, "{types:?}");
    api.get("/status").anonymous().send().await.expect_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn browsers_are_told_to_allow_next_to_nothing() {
    let api = start().await;
    let page = page(&api).await;
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ] {
        assert!(policy(&page).contains(directive), "{directive}: {page:?}");
    }
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(!text.contains("<style") && !text.contains("style=") && !text.contains(" on"), "nothing is written inline");
    let script = text.split("<script").skip(1).map(|rest| rest.split_once("</script>").unwrap().0);
    assert!(script.into_iter().all(|script| script.contains("src=") && script.ends_with('>')), "{text}");
    let addresses = ["http://", "https://", "\"//"].into_iter().filter(|part| text.contains(part));
    assert_eq!(addresses.count(), 0, "nothing comes from elsewhere");
    let file = api.get(files(&page).first().unwrap()).anonymous().send().await.expect(200);
    assert_eq!(policy(&file), BTreeSet::from(["default-src 'none'", "frame-ancestors 'none'"]));
    let missing = api.get("/console/0/app.js").anonymous().send().await.expect_error(404, "ROUTE_NOT_FOUND");
    for answer in [&page, &file, &missing] {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{answer:?}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{answer:?}");
    }
}

#[tokio::test]
async fn what_the_browser_has_is_not_sent_again() {
    let api = start().await;
    let page = page(&api).await;
    for path in files(&page).into_iter().chain(["/console".to_owned()]) {
        let answer = api.get(&path).anonymous().send().await.expect(200);
        let etag = answer.header("etag").unwrap();
        let again = api.get(&path).anonymous().header("if-none-match", etag).send().await.expect(304);
        assert_eq!((again.header("etag"), again.body.len()), (Some(etag), 0), "{path}");
        api.get(&path).anonymous().header("if-none-match", "W/\"other\"").send().await.expect(200);
    }
}

#[tokio::test]
async fn all_of_it_is_small_once_it_is_packed() {
    let api = start().await;
    let page = page(&api).await;
    let mut bytes = 0;
    for path in files(&page).into_iter().chain(["/console".to_owned()]) {
        let plain = api.get(&path).anonymous().send().await.expect(200);
        let packed = api.get(&path).anonymous().header("accept-encoding", "gzip, br").send().await.expect(200);
        bytes += packed.body.len();
        if packed.header("content-encoding") == Some("gzip") {
            let mut read = Vec::new();
            GzDecoder::new(&packed.body[..]).read_to_end(&mut read).unwrap();
            assert_eq!(read, plain.body, "{path}");
        } else {
            assert!(plain.body.len() < 1024, "{path} is not packed");
        }
    }
    assert!(bytes <= MOST_BYTES, "{bytes} bytes");
}

#[tokio::test]
async fn a_slash_at_the_end_is_no_other_page() {
    let api = start().await;
    let answer = api.get("/console/").anonymous().send().await.expect(308);
    assert_eq!(answer.header("location"), Some("../console"));
}

#[tokio::test]
async fn other_methods_and_files_start_nothing_or_are_not_found() {
    let api = start().await;
    let version = files(&page(&api).await).first().unwrap().split('/').nth(2).unwrap().to_owned();
    for path in ["/console".to_owned(), format!("/console/{version}/app.js")] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let answer = api.request(method, &path).anonymous().body("x").send().await;
            let answer = answer.expect_error(405, "METHOD_NOT_ALLOWED");
            assert_eq!((answer.header("allow"), answer.header("x-strata-container")), (Some("GET"), None), "{path}");
        }
    }
    for asset in ["lib.rs", "index.html", "%2e%2e", "app.js%00", "..%2Fapp.js", "APP.JS"] {
        let path = format!("/console/{version}/{asset}");
        api.get(&path).anonymous().send().await.expect_error(404, "ROUTE_NOT_FOUND");
    }
    for path in ["/console/app.js", "/console/a/b/c"] {
        let answer = api.get(path).anonymous().send().await.expect_error(404, "ROUTE_NOT_FOUND");
        assert_eq!(answer.header("x-strata-container"), None, "{path}");
    }
}

#[tokio::test]
async fn a_parameter_switches_it_off() {
    let api = Api::with(patient().functions(["authorizer", "console", "status"]).parameter("Console", "off")).await;
    for path in ["/console", "/console/0/app.js"] {
        for method in ["GET", "POST"] {
            let answer = api.request(method, path).anonymous().send().await.expect_error(404, "ROUTE_NOT_FOUND");
            assert_eq!(answer.header("x-strata-container"), None, "{method} {path}");
        }
    }
    api.get("/status").send().await.expect(200);
}

#[tokio::test]
async fn the_page_knows_how_tokens_of_this_deployment_say_what_they_may() {
    let api = Api::with(stack().parameter("JwtScopesClaim", "https://a.example/\"scopes\"")).await;
    let text = String::from_utf8(page(&api).await.body.to_vec()).unwrap();
    assert!(text.contains("data-scopes-claim=\"https://a.example/&quot;scopes&quot;\""), "{text}");
}

#[tokio::test]
async fn sample_events() {
    let api = start().await;
    for (name, status) in SAMPLES {
        let event = fs::read_to_string(repository().join(format!("events/{name}.json"))).unwrap();
        let answer = api.stack.invoke("console", serde_json::from_str(&event).unwrap(), None).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{name}");
    }
}

/// What anybody may call without a token takes nothing from those who have one.
#[test]
fn it_has_bounds_of_its_own_no_rights_and_no_network() {
    let resources = &TEMPLATE["Resources"];
    let function = &resources["ConsoleFunction"];
    assert_eq!(
        (&function["Condition"], &resources["ConsoleLogs"]["Condition"]),
        (&json!("HasConsole"), &json!("HasConsole"))
    );
    assert_eq!(TEMPLATE["Conditions"]["HasConsole"], json!({"Equals": [{"Ref": "Console"}, "on"]}));
    let properties = &function["Properties"];
    for missing in ["Policies", "VpcConfig"] {
        assert_eq!(properties[missing], Value::Null, "{missing}");
    }
    assert!(
        TEMPLATE["Globals"]["Function"]["VpcConfig"].is_null() && TEMPLATE["Globals"]["Function"]["Policies"].is_null()
    );
    let reserved = json!({"If": ["ReservesConsole", {"Ref": "ConsoleConcurrency"}, {"Ref": "AWS::NoValue"}]});
    assert_eq!(properties["ReservedConcurrentExecutions"], reserved);
    assert_ne!(TEMPLATE["Parameters"]["ConsoleConcurrency"]["Default"], 0);
    let settings = resources["Api"]["Properties"]["MethodSettings"].as_array().unwrap();
    for event in properties["Events"].as_object().unwrap().values() {
        assert_eq!(event["Properties"]["Auth"], json!({"Authorizer": "NONE"}));
        let path = format!("/{}", event["Properties"]["Path"].as_str().unwrap().replace('/', "~1"));
        let of_path = |setting: &&Value| setting["If"][0] == "HasConsole" && setting["If"][1]["ResourcePath"] == path;
        let setting = settings.iter().find(of_path).unwrap_or_else(|| panic!("{path} has no throttle"));
        assert_eq!(setting["If"][1]["HttpMethod"], event["Properties"]["Method"]);
        assert!(setting["If"][1]["ThrottlingRateLimit"].as_u64().is_some_and(|rate| rate <= 100), "{path}");
    }
}
