//! What openapi.yaml says of an operation, and whether an answer is as it says.

use crate::template::yaml;
use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};
use std::fs;
use std::sync::LazyLock;
use strata_it::{Answer, stack::repository};

/// The document.
pub static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| yaml(&fs::read_to_string(repository().join("openapi.yaml")).unwrap()));

/// The same, in which objects have no members but those it names: a field of an answer that is not described is found.
static CLOSED: LazyLock<Value> = LazyLock::new(|| {
    let mut document = DOCUMENT.clone();
    close(&mut document);
    document
});

/// Headers of HTTP itself, of API Gateway, and of the local stack.
const TRANSPORT: [&str; 6] =
    ["content-length", "content-type", "date", "x-amzn-errortype", "x-amzn-requestid", "x-strata-container"];

/// A method of a path.
pub struct Operation {
    pub method: &'static str,
    /// Below the base URL, such as `/entries/{key}`.
    pub path: &'static str,
    pub definition: &'static Value,
}

/// All operations.
pub fn operations() -> impl Iterator<Item = Operation> {
    let paths = DOCUMENT["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, item)| {
        let methods = item
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| ["get", "head", "put", "patch", "post", "delete"].contains(&name.as_str()));
        methods.map(move |(method, definition)| Operation { method, path, definition })
    })
}

/// The operation of that `operationId`.
pub fn operation(id: &str) -> Operation {
    operations().find(|operation| operation.definition["operationId"] == id).unwrap_or_else(|| panic!("no {id}"))
}

impl Operation {
    pub fn id(&self) -> &'static str {
        self.definition["operationId"].as_str().unwrap()
    }

    /// Statuses and what is answered with them.
    pub fn responses(&self) -> impl Iterator<Item = (&'static str, &'static Value)> {
        let responses = self.definition["responses"].as_object().unwrap().iter();
        responses.map(|(status, response)| (status.as_str(), resolve(&DOCUMENT, response)))
    }

    /// Fails unless `answer` is one that this operation is said to give, in body and headers.
    #[track_caller]
    pub fn assert_gives(&self, answer: &Answer) {
        let what = format!("{}: {answer:?}", self.id());
        let pointer = format!("/paths/{}/{}/responses/{}", self.path.replace('/', "~1"), self.method, answer.status);
        let response = CLOSED.pointer(&pointer).unwrap_or_else(|| panic!("not described: {what}"));
        let response = resolve(&CLOSED, response);
        match response.pointer("/content/application~1json/schema").filter(|_| self.method != "head") {
            Some(schema) => assert_valid(&CLOSED, schema, &answer.json(), &what),
            None => assert!(answer.body.is_empty(), "{what}"),
        }
        assert_headers(response["headers"].as_object().unwrap(), answer, &what);
    }
}

#[track_caller]
fn assert_headers(described: &Map<String, Value>, answer: &Answer, what: &str) {
    for name in answer.header_names().filter(|name| !TRANSPORT.contains(name)) {
        assert!(described.keys().any(|known| known.eq_ignore_ascii_case(name)), "{name} is not described: {what}");
    }
    for (name, header) in described {
        let header = resolve(&CLOSED, header);
        match answer.header(name) {
            Some(value) => assert_valid(&CLOSED, &header["schema"], &json!(value), &format!("{name} of {what}")),
            None => assert!(header["required"] != true, "{name} is missing: {what}"),
        }
    }
}

/// Fails unless `value` is what `schema`, a part of `document`, says.
#[track_caller]
pub fn assert_valid(document: &Value, schema: &Value, value: &Value, what: &str) {
    let errors: Vec<String> = validator(document, schema)
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{what}");
}

/// References are resolved against the schema's own root, hence the components beside it.
fn validator(document: &Value, schema: &Value) -> Validator {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true).build(&schema).unwrap()
}

/// What a reference of the document means; anything else is itself.
pub fn resolve<'d>(document: &'d Value, part: &'d Value) -> &'d Value {
    match part["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference}")),
        None => part,
    }
}

/// Forbids the members that a schema does not name. One that only adds to another, by `$ref` or in `anyOf`, has no type
/// of its own.
fn close(part: &mut Value) {
    match part {
        Value::Object(members) => {
            let names_members =
                members.get("type").is_some_and(|kind| kind == "object") && members.contains_key("properties");
            if names_members && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
