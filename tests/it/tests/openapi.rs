//! openapi.yaml says what the system does. It is written by hand, so everything it says is held against something: its
//! paths against template.yaml, its examples against its schemas, its fields against the types in the code, and all of it
//! against real answers.

mod contract;
mod document;
mod generators;
mod tour;
mod types;

pub use document::{DOCUMENT, operations};

use crate::template;
use document::{Operation, assert_valid};
use std::collections::BTreeSet;

/// A path of the template as openapi.yaml writes it, below the base URL.
fn described(path: &str) -> String {
    path.strip_prefix("/cache").unwrap().replace("{key+}", "{key}")
}

/// Fails unless a request of this method and path of the template may be answered with `status`; and, unless that refuses
/// it, `body` is what is asked for.
#[track_caller]
pub fn assert_describes(method: &str, path: &str, body: Option<&str>, status: u16, what: &str) {
    let path = described(path);
    let operation = operations().find(|one| one.method.eq_ignore_ascii_case(method) && one.path == path);
    let operation = operation.unwrap_or_else(|| panic!("{what}: no {method} {path}"));
    assert!(operation.responses().any(|(one, _)| one == status.to_string()), "{what}: {status} is not described");
    if let Some(body) = body.filter(|_| status < 400) {
        let schema = &operation.definition["requestBody"]["content"]["application/json"]["schema"];
        assert_valid(&DOCUMENT, schema, &serde_json::from_str(body).unwrap(), what);
    }
}

#[test]
fn it_has_the_routes_of_the_template_and_no_others() {
    let in_template = template::routes().into_iter().map(|(_, path, method)| (method.to_owned(), described(path)));
    let described = operations().map(|Operation { method, path, .. }| (method.to_uppercase(), path.to_owned()));
    assert_eq!(described.collect::<BTreeSet<_>>(), in_template.collect());
}

#[test]
fn its_examples_are_what_its_schemas_say() {
    let mut examples = 0;
    for operation in operations() {
        let bodies = operation.responses().map(|(status, response)| (status, response.clone()));
        for (what, body) in bodies.chain([("request", operation.definition["requestBody"].clone())]) {
            let content = &body["content"]["application/json"];
            for (name, example) in content["examples"].as_object().into_iter().flatten() {
                let what = format!("{} {} {what}: {name}", operation.method, operation.path);
                assert_valid(&DOCUMENT, &content["schema"], &example["value"], &what);
                examples += 1;
            }
        }
    }
    assert!(examples > 15, "only {examples} examples");
}
