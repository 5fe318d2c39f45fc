//! What a batch's body may say.

use crate::{
    conditions,
    delete::{self, UNDO_SECONDS},
    put_request,
};
use serde_json::from_str;
use std::{borrow::Cow, collections::HashMap};
use strata_api::{
    ApiError, Headers, Principal, Problem,
    body::{Body, Fields},
    etag::{self, Tags},
    lists,
};
use strata_cache::{Key, Mutate};

/// Most operations of one batch.
const MOST_OPERATIONS: usize = 100;
/// Most problems that are reported of one body.
const MOST_PROBLEMS: usize = 20;

/// The fields that an operation may have besides those of a PUT.
const OWN_FIELDS: [&str; 6] = ["op", "key", "if_match", "if_none_match", "fill_token", UNDO_SECONDS];
/// All fields, own ones first.
const FIELDS: [&str; OWN_FIELDS.len() + put_request::FIELDS.len()] = {
    let mut fields = [""; OWN_FIELDS.len() + put_request::FIELDS.len()];
    let mut at = 0;
    while at < fields.len() {
        fields[at] = if at < OWN_FIELDS.len() { OWN_FIELDS[at] } else { put_request::FIELDS[at - OWN_FIELDS.len()] };
        at += 1;
    }
    fields
};

/// One operation.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) key: Key,
    pub(crate) ask: Ask,
}

/// What is asked of a key.
#[derive(Debug)]
pub(crate) enum Ask {
    /// To be read, under conditions as those of a GET.
    Get { if_match: Option<Tags>, if_none_match: Option<Tags> },
    /// To be changed.
    Mutate(Mutate),
    /// A mutation that was handed over to be made.
    Made,
    /// Nothing: alone it would be refused, without a question to the cache.
    Refused(Option<ApiError>),
}

impl Ask {
    pub(crate) fn is_read(&self) -> bool {
        matches!(self, Ask::Get { .. })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Op {
    Get,
    Put,
    Delete,
}

/// The operations that `body` lists, on behalf of `principal`. All that is wrong with them is reported together.
pub(crate) fn read(body: &Body, principal: &Principal) -> Result<Vec<Operation>, ApiError> {
    let mut fields = Fields::parse(body.as_str(), &["operations"])?;
    let raw = fields.required("operations").unwrap_or("[]");
    let listed = fields.optional("operations", |_| {
        let listed = lists::objects(raw, MOST_OPERATIONS, "operations")?;
        if listed.is_empty() { Err(Cow::Borrowed("must list at least one operation")) } else { Ok(listed) }
    });
    fields.finish()?;
    let (mut operations, mut problems, mut places) = (Vec::new(), Vec::new(), HashMap::new());
    for (at, raw) in listed.unwrap_or_default().into_iter().enumerate() {
        let name = |field: &str| match field {
            "body" => format!("operations[{at}]"),
            field => format!("operations[{at}].{field}"),
        };
        match operation(raw.get(), body, principal) {
            Ok(operation) => match places.insert(operation.key.clone(), at) {
                None => operations.push(operation),
                Some(first) => {
                    problems.push(Problem::new(name("key"), format!("must not be that of operations[{first}]")))
                }
            },
            Err(ApiError::Invalid(own)) => {
                problems.extend(own.into_iter().map(|problem| Problem { field: name(&problem.field), ..problem }));
            }
            Err(other) => return Err(other),
        }
        if problems.len() >= MOST_PROBLEMS {
            problems.truncate(MOST_PROBLEMS);
            break;
        }
    }
    if problems.is_empty() { Ok(operations) } else { Err(ApiError::Invalid(problems)) }
}

fn operation(raw: &str, body: &Body, principal: &Principal) -> Result<Operation, ApiError> {
    let mut fields = Fields::parse(raw, &FIELDS)?;
    fields.required("op");
    let op = fields.optional("op", |raw| match from_str::<Cow<'_, str>>(raw).as_deref() {
        Ok("get") => Ok(Op::Get),
        Ok("put") => Ok(Op::Put),
        Ok("delete") => Ok(Op::Delete),
        _ => Err("must be get, put or delete"),
    });
    fields.required("key");
    let key = fields.optional("key", |raw| {
        let text: String = from_str(raw).map_err(|_| "must be a string".to_owned())?;
        Key::new(text).map_err(|error| error.to_string())
    });
    let tags = |raw: &str| from_str(raw).map_err(|_| "must be a string of entity tags");
    let if_match = fields.optional("if_match", tags);
    let if_none_match = fields.optional("if_none_match", tags);
    let token = |raw: &str| from_str(raw).map_err(|_| "must be a string");
    let fill_token = fields.optional("fill_token", token);
    let undo_seconds = fields.optional(UNDO_SECONDS, delete::seconds);
    let headers = Headers { if_match, if_none_match, fill_token, ..Headers::default() };
    let said = match op {
        Some(Op::Put) => Some(put_request::Said::take(&mut fields)),
        Some(_) => {
            let of_put = put_request::FIELDS.iter().chain(&["fill_token"]);
            of_put.for_each(|name| fields.refuse(name, "is a field of put only"));
            None
        }
        None => None,
    };
    match op {
        Some(Op::Delete) => {
            ["if_match", "if_none_match"].iter().for_each(|name| fields.refuse(name, "is not supported with delete"));
        }
        Some(_) => fields.refuse(UNDO_SECONDS, "is a field of delete only"),
        None => {}
    }
    fields.finish()?;
    let (op, key) = op.zip(key).expect("what is required and missing is a problem, and problems ended this");
    let ask = match op {
        Op::Get => Ask::Get {
            if_match: etag::if_match(&headers).map_err(own)?,
            if_none_match: etag::if_none_match(&headers).map_err(own)?,
        },
        Op::Delete => Ask::Mutate(Mutate::DeleteUndoably {
            key: key.clone(),
            by: principal.subject.clone(),
            account: principal.account(),
            undo_seconds,
        }),
        Op::Put => {
            let condition = conditions::of_put(&headers).map_err(own_error)?;
            let fill = match conditions::fill_of_put(&headers, &condition, principal) {
                Err(lost @ ApiError::LeaseLost) => return Ok(Operation { key, ask: Ask::Refused(Some(lost)) }),
                fill => fill.map_err(own_error)?,
            };
            match said.expect("a put was read").put(body, condition) {
                Ok(put) => {
                    let mut put = put.by(&*principal.subject);
                    put.fill = fill;
                    Ask::Mutate(Mutate::Put(key.clone(), put))
                }
                Err(error) => Ask::Refused(Some(error)),
            }
        }
    };
    Ok(Operation { key, ask })
}

/// A problem of a header, as one of the field that takes its place.
fn own(problem: Problem) -> Problem {
    let field = match problem.field.as_str() {
        "If-Match" => "if_match",
        "If-None-Match" => "if_none_match",
        "Fill-Token" => "fill_token",
        other => other,
    };
    Problem { field: field.to_owned(), ..problem }
}

fn own_error(error: ApiError) -> ApiError {
    match error {
        ApiError::Invalid(problems) => ApiError::Invalid(problems.into_iter().map(own).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use strata_cache::Condition;

    fn read(body: &str) -> Result<Vec<Operation>, ApiError> {
        let context = json!({"sub": "s", "exp": "2000000000", "scopes": "[]"});
        let event = json!({"requestContext": {"authorizer": context}});
        let principal = Principal::of(&serde_json::from_value(event).unwrap(), 0)?;
        super::read(&Body::new(Some(body.to_owned()), false)?, &principal)
    }

    /// The field and the message of each problem.
    fn problems(operations: Value) -> Vec<(String, String)> {
        match read(&json!({ "operations": operations }).to_string()) {
            Ok(_) => Vec::new(),
            Err(ApiError::Invalid(problems)) => {
                problems.into_iter().map(|problem| (problem.field, problem.message.into_owned())).collect()
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn assert_refused(operation: Value, field: &str, message: &str) {
        let problems = problems(json!([{"op": "get", "key": "first"}, operation]));
        assert_eq!(problems.len(), 1, "{problems:?}");
        let expected = if field.is_empty() { "operations[1]".to_owned() } else { format!("operations[1].{field}") };
        assert_eq!(problems[0].0, expected);
        assert!(problems[0].1.contains(message), "{problems:?}");
    }

    #[test]
    fn every_kind_is_read_with_what_belongs_to_it() {
        let body = r#"{"operations":[{"op":"get","key":"a","if_none_match":"\"x\""},{"key":"b","op":"delete"},
            {"op":"delete","key":"d","undo_seconds":60},
            {"op":"put","key":"c/ é","value": {"b":1.0, "a":"\u0041"} ,"ttl_seconds":5,"if_none_match":"*"}]}"#;
        let operations = read(body).unwrap();
        assert!(matches!(&operations[0].ask, Ask::Get { if_match: None, if_none_match: Some(Tags::Listed(_)) }));
        let deletes = operations[1..3].iter().map(|operation| match &operation.ask {
            Ask::Mutate(Mutate::DeleteUndoably { key, by, undo_seconds, .. }) if by == "s" => {
                (key.as_str(), *undo_seconds)
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(deletes.collect::<Vec<_>>(), [("b", None), ("d", Some(60))]);
        let Ask::Mutate(Mutate::Put(key, put)) = &operations[3].ask else { panic!() };
        assert_eq!((key.as_str(), &put.value.text()[..]), ("c/ é", &br#"{"b":1.0, "a":"\u0041"}"#[..]));
        assert_eq!((put.ttl_seconds, &put.condition, put.by.as_str()), (5, &Condition::Absent, "s"));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        assert_refused(json!({"key": "b"}), "op", "is required");
        assert_refused(json!({"op": "patch", "key": "b"}), "op", "get, put or delete");
        assert_refused(json!({"op": "get"}), "key", "is required");
        assert_refused(json!({"op": "get", "key": ""}), "key", "at least 1 byte");
        assert_refused(json!({"op": "get", "key": 1}), "key", "a string");
        assert_refused(json!({"op": "get", "key": "first"}), "key", "operations[0]");
        assert_refused(json!({"op": "get", "key": "b", "value": 1}), "value", "put only");
        assert_refused(json!({"op": "delete", "key": "b", "if_match": "*"}), "if_match", "not supported");
        assert_refused(json!({"op": "get", "key": "b", "if_match": "x"}), "if_match", "entity tags");
        assert_refused(json!({"op": "get", "key": "b", "undo_seconds": 1}), "undo_seconds", "delete only");
        assert_refused(json!({"op": "delete", "key": "b", "undo_seconds": 3601}), "undo_seconds", "0 to 3600");
        assert_refused(json!({"op": "put", "key": "b", "value": 1, "if_none_match": "\"x\""}), "if_none_match", "*");
        assert_refused(json!({"op": "put", "key": "b"}), "value", "is required");
        assert_refused(
            json!({"op": "put", "key": "b", "value": 1, "fill_token": "x"}),
            "fill_token",
            "must be the Fill-Token",
        );
        assert_refused(json!({"op": "put", "key": "b", "value": 1, "fill_token": 1}), "fill_token", "a string");
        assert_refused(json!({"op": "get", "key": "b", "fill_token": "x"}), "fill_token", "put only");
        assert_refused(json!({"op": "put", "key": "b", "value": 1, "ttl_seconds": 0}), "ttl_seconds", "1 to");
        assert_refused(json!({"op": "put", "key": "b", "value": 1, "tag": []}), "tag", "did you mean tags");
        assert_refused(json!(1), "", "must be a JSON object");
    }

    #[test]
    fn a_batch_has_one_to_a_hundred_operations() {
        let gets = |count: usize| (0..count).map(|at| json!({"op": "get", "key": at.to_string()})).collect::<Vec<_>>();
        assert_eq!(problems(json!(gets(100))), []);
        assert_eq!(problems(json!(gets(101)))[0].1, "must have at most 100 operations, has 101");
        assert_eq!(problems(json!([]))[0].1, "must list at least one operation");
        for other in [json!({}), json!(null), json!("x")] {
            assert_eq!(problems(other)[0], ("operations".to_owned(), "must be an array of objects".to_owned()));
        }
        assert!(matches!(read("{}"), Err(ApiError::Invalid(problems)) if problems[0].message == "is required"));
        assert_eq!(problems(json!(vec![json!({}); 100])).len(), MOST_PROBLEMS);
    }

    #[test]
    fn a_value_that_no_answer_can_carry_is_refused_alone() {
        let body = format!(r#"{{"operations":[{{"op":"put","key":"a","value":"{}"}}]}}"#, "x".repeat(6 << 20));
        let operations = read(&body).unwrap();
        assert!(matches!(operations[0].ask, Ask::Refused(Some(ApiError::AnswerTooLarge { .. }))));
    }

    proptest! {
        #[test]
        fn never_panics(operation in any::<String>(), op in "get|put|delete", field in "[a-z_]{0,9}", value in "[0-9\\[\\]{}\",a]{0,9}") {
            let _ = read(&operation);
            let _ = read(&format!(r#"{{"operations":[{{"op":"{op}","key":"k","{field}":{value}}}]}}"#));
        }
    }
}
