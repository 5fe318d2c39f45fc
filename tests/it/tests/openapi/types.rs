//! The document against the types in the code, field by field: one that is added to either alone is found here, also when
//! no answer of the tour has it.

use super::document::{DOCUMENT, operation, resolve};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use strata_it::{Api, patient, stack::repository};

/// What answers are made of: the file, the types in it, and the schema that describes each.
const ANSWERS: [(&str, &[(&str, &str)]); 22] = [
    ("functions/entries/src/get.rs", &[("Metadata", "FoundMetadata")]),
    ("functions/entries/src/put.rs", &[("Answered", "Stored"), ("Metadata", "StoredMetadata")]),
    ("functions/entries/src/patch.rs", &[("Answered", "Patched"), ("Metadata", "Patched/properties/metadata")]),
    ("functions/entries/src/delete.rs", &[("Answered", "Deleted")]),
    ("functions/invalidate/src/invalidate.rs", &[("Answered", "Invalidated")]),
    ("functions/invalidate/src/undo.rs", &[("Answered", "Undone")]),
    ("functions/invalidate/src/list.rs", &[("Answered", "Invalidations"), ("Line", "Invalidation")]),
    ("functions/invalidate/src/journal.rs", &[("Answered", "Mutations")]),
    ("shared/api/src/mutation.rs", &[("Line", "Mutation")]),
    (
        "functions/entries/src/explain.rs",
        &[
            ("Answered", "Explained"),
            ("Predicted", "ExplainedGet"),
            ("LevelAnswer", "ExplainedLevel"),
            ("Container", "ExplainedContainer"),
        ],
    ),
    ("functions/warm/src/post.rs", &[("Answered", "Warming")]),
    ("functions/warm/src/list.rs", &[("Answered", "Jobs")]),
    ("functions/warm/src/report.rs", &[("Report", "Job")]),
    ("functions/config/src/put.rs", &[("Answered", "Configured")]),
    (
        "functions/status/src/status.rs",
        &[
            ("Answered", "Status"),
            ("Level1", "Level1Status"),
            ("Level2", "Level2Status"),
            ("Level3", "Level3Status"),
            ("Overall", "Status/properties/overall_stats"),
            ("Fleet", "Status/properties/fleet"),
            ("Usage", "Usage"),
            ("Coherence", "Status/properties/coherence"),
        ],
    ),
    ("functions/status/src/history.rs", &[("Minute", "Minute"), ("Worked", "LevelMinute")]),
    ("functions/status/src/keys.rs", &[("Answered", "Keys"), ("Line", "ListedKey")]),
    ("functions/status/src/tags.rs", &[("Answered", "TagCounts"), ("Tag", "TagCount")]),
    ("functions/status/src/stats.rs", &[("Answered", "Stats"), ("Group", "PrefixSum"), ("Sum", "Sum")]),
    ("shared/api/src/problem.rs", &[("Problem", "Problem")]),
    ("shared/api/src/respond.rs", &[("Envelope", "Error")]),
    ("shared/api/src/error.rs", &[("Shape", "ErrorBody")]),
];

/// Operations with a body, and the schema of it.
const REQUESTS: [(&str, &str, &str); 6] = [
    ("PUT", "/entries/k", "Put"),
    ("PATCH", "/entries/k", "Patch"),
    ("POST", "/batch", "Batch"),
    ("POST", "/invalidate", "Invalidate"),
    ("POST", "/warm", "Warm"),
    ("PUT", "/config", "ConfigUpdate"),
];

/// A type that can be written as JSON.
struct Written<'a> {
    name: &'a str,
    /// What stands before its braces, and the lines between them.
    head: &'a str,
    body: &'a str,
}

/// The types in `code` that derive `Serialize`.
fn written(code: &str) -> Vec<Written<'_>> {
    let types = code.split("#[derive(").skip(1).filter_map(|part| {
        let (traits, rest) = part.split_once(")]").unwrap();
        let (head, body) = rest.split_once("{\n")?;
        let (_, name) = head.split_once("struct ")?;
        let name = name.split(['<', ' ']).next().unwrap();
        traits.contains("Serialize").then(|| Written { name, head, body: body.split_once("\n}\n").unwrap().0 })
    });
    types.collect()
}

/// The type of a member, whether it has to be there or not.
fn kind(declared: &str) -> &str {
    declared.trim_end_matches([',', '>']).trim_start_matches("Option<")
}

/// The members that serde writes of the type `name`, those of flattened ones among them.
fn members(types: &[Written<'_>], name: &str) -> BTreeSet<String> {
    let Written { head, body, .. } =
        types.iter().find(|known| known.name == name).unwrap_or_else(|| panic!("no type {name}"));
    assert!(!head.contains("rename") && !body.contains("rename"), "{name} has names that this test does not read");
    let mut members = BTreeSet::new();
    let mut is_flattened = false;
    for line in body.lines().map(str::trim) {
        if line.starts_with("///") || line.starts_with("#[serde") {
            is_flattened = line == "#[serde(flatten)]";
        } else if let Some((member, of)) = line.split_once(": ") {
            if std::mem::take(&mut is_flattened) {
                members.extend(self::members(types, kind(of)));
            } else {
                members.insert(member.trim_start_matches("pub ").trim_start_matches("r#").to_owned());
            }
        }
    }
    members
}

/// The members that the document describes in a schema.
fn described(schema: &str) -> BTreeSet<String> {
    let pointer = format!("/components/schemas/{schema}");
    let schema = DOCUMENT.pointer(&pointer).unwrap_or_else(|| panic!("no {pointer}"));
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn answers_have_the_members_that_are_described() {
    for (file, pairs) in ANSWERS {
        let code = fs::read_to_string(repository().join(file)).unwrap();
        for (name, schema) in pairs {
            assert_eq!(members(&written(&code), name), described(schema), "{name} of {file}, {schema} of openapi.yaml");
        }
    }
}

#[test]
fn every_type_that_is_answered_is_compared() {
    for function in ["entries", "invalidate", "warm", "config", "status"] {
        for file in fs::read_dir(repository().join("functions").join(function).join("src")).unwrap() {
            let path = file.unwrap().path();
            let code = fs::read_to_string(&path).unwrap();
            let (_, pairs) = ANSWERS.iter().find(|(file, _)| path.ends_with(file)).unwrap_or(&("", &[]));
            for Written { name, .. } in written(&code) {
                let mut parts = code.split("#[serde(flatten)]\n").skip(1).filter_map(|rest| rest.lines().next());
                let is_flattened = parts.any(|line| kind(line.split_once(": ").unwrap().1) == name);
                assert!(is_flattened || pairs.iter().any(|(known, _)| *known == name), "{name} of {path:?}");
            }
        }
    }
}

/// The names that a refusal of `body`, which has one that is not known, gives for known.
async fn known(api: &Api, method: &str, path: &str, body: &Value) -> BTreeSet<String> {
    let refused = api.request(method, path).body(body.to_string()).send().await.expect_error(400, "INVALID_REQUEST");
    let errors = refused.details()["errors"].take();
    let message = errors[0]["message"].as_str().unwrap();
    let (_, names) = message.split_once("known are ").unwrap_or_else(|| panic!("{message}"));
    names.split(", ").map(str::to_owned).collect()
}

#[tokio::test]
async fn requests_have_the_members_that_are_described() {
    let api = Api::with(patient().containers(1)).await;
    for (method, path, schema) in REQUESTS {
        assert_eq!(known(&api, method, path, &json!({"?": 1})).await, described(schema), "{method} {path}");
    }
    for (section, part) in DOCUMENT["components"]["schemas"]["ConfigUpdate"]["properties"].as_object().unwrap() {
        let Some(fields) = resolve(&DOCUMENT, part)["properties"].as_object() else { continue };
        let fields = fields.keys().map(|field| format!("{section}.{field}")).collect();
        assert_eq!(known(&api, "PUT", "/config", &json!({section: {"?": 1}})).await, fields, "{section}");
    }
}

#[tokio::test]
async fn queries_have_the_parameters_that_are_described() {
    let api = Api::with(patient().containers(1)).await;
    for (id, path) in [
        ("listMutations", "/journal"),
        ("getStatus", "/status"),
        ("listKeys", "/keys"),
        ("listTags", "/tags"),
        ("getStats", "/stats"),
    ] {
        let parameters = operation(id).definition["parameters"].as_array().unwrap();
        let described = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap().to_owned());
        assert_eq!(known(&api, "GET", &format!("{path}?%3F=1"), &Value::Null).await, described.collect(), "{id}");
    }
}
