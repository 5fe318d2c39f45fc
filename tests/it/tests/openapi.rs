//! openapi.yaml says what the system does. It is written by hand, so everything it says is held against something: its
//! paths against template.yaml, its examples against its schemas, its fields against the types in the code, and all of it
//! against real answers.

mod contract;
mod document;
mod tour;
mod types;

use crate::template;
use document::{DOCUMENT, Operation, assert_valid, operations};
use std::collections::BTreeSet;

#[test]
fn it_has_the_routes_of_the_template_and_no_others() {
    let in_template = template::routes().into_iter().map(|(_, path, method)| {
        let path = path.strip_prefix("/cache").unwrap().replace("{key+}", "{key}");
        (method.to_owned(), path)
    });
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
