//! JSON as RFC 8259 has it: what is valid comes back byte for byte, and what is not is refused by name, never by a crash.

use crate::support::{get, put};
use futures_util::{StreamExt, stream};
use percent_encoding::percent_decode_str;
use strata_it::{Answer, Api, entry, patient};

/// Requests under way at once: one for each container.
const AT_ONCE: usize = 2;
/// How deep the texts of the suite are nested: far beyond what fits on the stack of a parser that calls itself.
const DEPTH: usize = 100_000;
/// How the one case begins that has half of a surrogate pair in the name of a member: names are read, and so must be
/// Unicode.
const UNREADABLE_NAME: &str = "i_object_key_lone";

/// A text of the table.
struct Case {
    name: &'static str,
    text: Vec<u8>,
}

impl Case {
    /// The name of a case begins with what RFC 8259 says of it. Of what it leaves open all is taken that is UTF-8 without
    /// a byte order mark: lone surrogates in escapes, and numbers that no type holds.
    fn is_taken(&self) -> bool {
        match self.name.as_bytes()[0] {
            b'y' => true,
            b'n' => false,
            _ => str::from_utf8(&self.text).is_ok_and(|text| !text.starts_with('\u{feff}')),
        }
    }

    /// The body of a PUT that has the text for its value.
    fn as_value(&self) -> Vec<u8> {
        [&b"{\"value\":"[..], &self.text, b"}"].concat()
    }
}

fn cases() -> Vec<Case> {
    let lines = include_str!("json/vectors.txt").lines().filter(|line| !line.starts_with('#'));
    let cases = lines.map(|line| {
        let (name, text) = line.split_once(' ').unwrap_or((line, ""));
        Case { name, text: percent_decode_str(text).collect() }
    });
    let cases: Vec<Case> = cases.collect();
    assert!(cases.len() > 300, "only {} cases", cases.len());
    cases
}

async fn unlimited() -> Api {
    Api::with(patient().env("RATE_LIMITS", "off")).await
}

/// The fields that a 400 names, and what it says of the first.
#[track_caller]
fn problems(answer: &Answer) -> (Vec<String>, String) {
    let errors = answer.details()["errors"].take();
    let errors = errors.as_array().unwrap();
    let fields = errors.iter().map(|error| error["field"].as_str().unwrap().to_owned());
    (fields.collect(), errors[0]["message"].as_str().unwrap().to_owned())
}

/// Whether a 400 says that the body is no JSON text.
#[track_caller]
fn refuses_the_text(answer: &Answer) -> bool {
    let (fields, message) = problems(answer);
    let says_where = ["must be valid JSON, ", "must be UTF-8, is not at byte "];
    fields == ["body"] && says_where.iter().any(|said| message.starts_with(said))
}

async fn each_case(send: impl AsyncFn(Case)) {
    stream::iter(cases()).for_each_concurrent(AT_ONCE, async |case| send(case).await).await;
}

#[tokio::test]
async fn values_come_back_or_are_refused() {
    let api = unlimited().await;
    each_case(async |case: Case| {
        let path = entry(case.name);
        let answer = api.put(&path, case.as_value()).send().await;
        if case.is_taken() {
            answer.expect(201);
            let found = api.get(&path).send().await.expect(200);
            assert_eq!(found.value().as_bytes(), case.text.trim_ascii(), "{}", case.name);
        } else {
            let refused = answer.expect_error(400, "INVALID_REQUEST");
            assert!(refuses_the_text(&refused), "{}: {refused:?}", case.name);
        }
    })
    .await;
}

/// None of the cases is a request: what is an object is refused for what it says, and what is no JSON for not being any.
#[tokio::test]
async fn bodies_are_refused_for_what_they_are() {
    let api = unlimited().await;
    each_case(async |case: Case| {
        for (method, path) in [("PUT", "/entries/k"), ("POST", "/invalidate"), ("POST", "/warm"), ("PUT", "/config")] {
            let refused = api.request(method, path).body(case.text.clone()).send().await;
            let refused = refused.expect_error(400, "INVALID_REQUEST");
            if case.text.starts_with(b"{") {
                let is_read = case.is_taken() && !case.name.starts_with(UNREADABLE_NAME);
                assert_eq!(refuses_the_text(&refused), !is_read, "{method} {path} {}: {refused:?}", case.name);
            } else {
                assert_eq!(problems(&refused).0, ["body"], "{method} {path} {}", case.name);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn deep_nesting_is_kept() {
    let api = Api::start().await;
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(DEPTH), close.repeat(DEPTH));
    for (key, value) in
        [("arrays", nested("[", "]")), ("objects", nested("{\"\":", "}")), ("both", nested("[{\"\":", "}]"))]
    {
        put(&api, "entries-1", key, &value).await.expect(201);
        for container in ["entries-1", "entries-2"] {
            assert!(get(&api, container, key).await.expect(200).value() == value, "{key} in {container}");
        }
    }
}

#[tokio::test]
async fn nesting_without_an_end_is_refused() {
    let api = Api::start().await;
    for text in ["[".repeat(1 << 20), "[{\"\":".repeat(DEPTH), "{\"\":".repeat(DEPTH)] {
        for body in [text.clone(), format!("{{\"value\":{text}"), format!("{{\"value\":{text}}}")] {
            let refused = api.put("/entries/k", body).send().await.expect_error(400, "INVALID_REQUEST");
            assert_eq!(problems(&refused).0, ["body"]);
        }
    }
}

/// Fields that are read, and not only kept, are read to the depth that their type has.
#[tokio::test]
async fn nesting_in_a_field_that_is_read_is_refused() {
    let api = Api::start().await;
    let deep = format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
    for (method, path, field, body) in [
        ("PUT", "/entries/k", "tags", format!(r#"{{"value":1,"tags":{deep}}}"#)),
        ("PUT", "/entries/k", "ttl_seconds", format!(r#"{{"value":1,"ttl_seconds":{deep}}}"#)),
        ("POST", "/invalidate", "pattern", format!(r#"{{"pattern":{deep}}}"#)),
        ("POST", "/warm", "keys", format!(r#"{{"keys":{deep}}}"#)),
        ("PUT", "/config", "l1_config", format!(r#"{{"l1_config":{deep}}}"#)),
        ("PUT", "/config", "l1_config.ttl_minutes", format!(r#"{{"l1_config":{{"ttl_minutes":{deep}}}}}"#)),
    ] {
        let refused = api.request(method, path).body(body).send().await.expect_error(400, "INVALID_REQUEST");
        assert_eq!(problems(&refused).0, [field]);
    }
}

/// RFC 8259 leaves open which of two members with one name counts. None does: a proxy may have taken the other one.
#[tokio::test]
async fn a_field_that_is_given_twice_is_refused() {
    let api = Api::start().await;
    for (method, path, field, body) in [
        ("PUT", "/entries/k", "value", r#"{"value":1,"val\u0075e":1}"#),
        ("PUT", "/entries/k", "ttl_seconds", r#"{"ttl_seconds":1,"value":1,"ttl_seconds":1}"#),
        ("POST", "/invalidate", "pattern", r#"{"pattern":"a*","pattern":"*"}"#),
        ("POST", "/warm", "keys", r#"{"keys":["a"],"keys":["b"]}"#),
        ("PUT", "/config", "l1_config", r#"{"l1_config":{},"l1_config":{"ttl_minutes":1}}"#),
        ("PUT", "/config", "l1_config.ttl_minutes", r#"{"l1_config":{"ttl_minutes":1,"ttl_minutes":2}}"#),
    ] {
        let refused = api.request(method, path).body(body).send().await.expect_error(400, "INVALID_REQUEST");
        assert_eq!(problems(&refused), (vec![field.to_owned()], "must not be given twice".to_owned()));
    }
}

/// Text that is read must be Unicode: half of a surrogate pair is none, in whatever field it stands.
#[tokio::test]
async fn a_lone_surrogate_is_refused_where_text_is_read() {
    let api = Api::start().await;
    for (method, path, field, body) in [
        ("PUT", "/entries/k", "tags", r#"{"value":1,"tags":["\ud800"]}"#),
        ("PUT", "/entries/k", "body", r#"{"value":1,"\ud800":1}"#),
        ("POST", "/invalidate", "pattern", r#"{"pattern":"\udc00*"}"#),
        ("POST", "/warm", "keys", r#"{"keys":["\ud800\ud800"]}"#),
        ("PUT", "/config", "compression.algorithm", r#"{"compression":{"algorithm":"lz4\ud800"}}"#),
    ] {
        let refused = api.request(method, path).body(body).send().await.expect_error(400, "INVALID_REQUEST");
        let (fields, message) = problems(&refused);
        assert_eq!(fields, [field]);
        assert!(!message.contains("nested"), "{message}");
    }
}
