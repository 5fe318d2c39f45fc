//! What keeps a generator of clients from reading the document, each found with one that is in use; the document's head has
//! them in words. `make clients` runs one such generator, this test says why it would fail.

use super::document::DOCUMENT;
use serde_json::Value;

/// Of the pointers into the document, those of parts that say nothing to a generator but add to another schema.
const OVERLAYS: &str = "/components/responses/";

/// Calls `found` with every object of the document and the pointer to it.
fn visit<'d>(part: &'d Value, at: &str, found: &mut impl FnMut(&str, &'d Value)) {
    found(at, part);
    match part {
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            // Examples are values, not schemas.
            if name != "examples" {
                visit(member, &format!("{at}/{}", name.replace('/', "~1")), found);
            }
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| visit(item, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

/// What of a part of the document a generator stumbles over.
fn stumbles(part: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if part["items"] == false {
        found.push("items: false, instead of maxItems".to_owned());
    }
    for choice in ["oneOf", "anyOf"].iter().filter(|choice| !part["properties"].is_null() && !part[**choice].is_null())
    {
        found.push(format!("{choice} beside properties, instead of if"));
    }
    if part["in"].is_string() && !part["schema"]["const"].is_null() {
        found.push("a parameter with const, instead of enum".to_owned());
    }
    if part["type"] == "object" && ["properties", "additionalProperties"].iter().all(|name| part[name].is_null()) {
        found.push("an object that says nothing of its members".to_owned());
    }
    let reference = part["$ref"].as_str().unwrap_or_default();
    if reference.split('/').count() > 4 {
        found.push(format!("{reference} has no name of its own"));
    }
    if part["type"] == "object" {
        let required: Vec<&str> = part["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, member) in part["properties"].as_object().into_iter().flatten() {
            if !member["default"].is_null() {
                found.push(format!("a default of {name}, instead of saying so"));
            }
            if !member["const"].is_null() && !required.contains(&name.as_str()) {
                found.push(format!("const of {name}, which may be missing, instead of enum"));
            }
        }
    }
    found
}

#[test]
fn it_has_nothing_that_generators_stumble_over() {
    let mut found = Vec::new();
    visit(&DOCUMENT, "", &mut |at, part| {
        if !at.starts_with(OVERLAYS) {
            found.extend(stumbles(part).into_iter().map(|what| format!("{at}: {what}")));
        }
    });
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn each_of_them_is_found() {
    for part in [
        r##"{"type": "array", "prefixItems": [], "items": false}"##,
        r##"{"type": "object", "properties": {}, "oneOf": [{"required": ["a"]}]}"##,
        r##"{"in": "header", "name": "If-None-Match", "schema": {"const": "*"}}"##,
        r##"{"type": "object"}"##,
        r##"{"$ref": "#/components/schemas/Found/properties/metadata"}"##,
        r##"{"type": "object", "properties": {"a": {"type": "integer", "default": 1}}}"##,
        r##"{"type": "object", "properties": {"a": {"const": true}}}"##,
    ] {
        assert_eq!(stumbles(&serde_json::from_str(part).unwrap()).len(), 1, "{part}");
    }
    let fine = r##"{"type": "object", "required": ["a"], "properties": {"a": {"const": true}}}"##;
    assert!(stumbles(&serde_json::from_str(fine).unwrap()).is_empty());
}
