//! Request bodies: one JSON object, read strictly.
//!
//! Fields are kept as JSON text, so that a value can be stored byte for byte as it was sent, and so that `null`,
//! absence and repetition stay apart, which derived deserialization would not tell. All problems of a body are
//! reported together.

use crate::{encoding, error::ApiError, event::Event, lists, nearest::nearest, problem::Problem};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Deserializer as _, de};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};
use strata_cache::entry::text_in;

/// Most characters of an unknown field's name that are repeated to the client.
const MAX_NAME_CHARS: usize = 64;

/// Most problems that are reported of one body.
const MAX_PROBLEMS: usize = 20;

/// RFC 8259 forbids to send one with JSON.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The bytes of a body as the gateway passed it, checked to be UTF-8.
#[derive(Debug)]
pub struct Body(Bytes);

impl Body {
    /// Takes the body of an event.
    ///
    /// # Errors
    /// When it is still compressed, or no text.
    pub fn of(event: &mut Event) -> Result<Body, ApiError> {
        encoding::check(event)?;
        Ok(Body::new(event.body.take(), event.is_base64_encoded)?)
    }

    /// Reads a body.
    pub fn new(body: Option<String>, is_base64: bool) -> Result<Body, Problem> {
        let text = body.filter(|text| !text.is_empty()).ok_or(Problem::new("body", "must be a JSON object"))?;
        if !is_base64 {
            return Ok(Body(text.into()));
        }
        let bytes = BASE64_STANDARD.decode(&text).map_err(|_| Problem::new("body", "must be valid base64"))?;
        match std::str::from_utf8(&bytes) {
            Ok(_) => Ok(Body(bytes.into())),
            Err(error) => {
                let at = error.valid_up_to();
                Err(Problem::new("body", format!("must be UTF-8, is not at byte {at}")))
            }
        }
    }

    /// The body as text.
    pub fn as_str(&self) -> &str {
        simdutf8::basic::from_utf8(&self.0).expect("a body is checked to be UTF-8 when it is made")
    }

    /// `part`, which lies in this body, as the text of an entry.
    pub fn text(&self, part: &str) -> Bytes {
        text_in(&self.0, part.as_bytes())
    }
}

/// The fields of a JSON object, not yet read, and the problems found so far.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    fields: Vec<(&'static str, &'a RawValue)>,
    problems: Vec<Problem>,
}

impl<'a> Fields<'a> {
    /// The fields of the object that `text` is. Those that are not `known`, or come twice, are problems; after too many of
    /// them no more is read.
    pub fn parse(text: &'a str, known: &[&'static str]) -> Result<Fields<'a>, Problem> {
        let mut fields = Fields::default();
        if text.starts_with(BYTE_ORDER_MARK) {
            return Err(Problem::new("body", "must not begin with a byte order mark"));
        }
        fields.read_members(text, Members { known, section: None }).map_err(|error| unreadable(&error))?;
        Ok(fields)
    }

    /// Takes a field that is itself an object apart: its fields are from now on known by both names with a dot between
    /// them, which is how `known` has them.
    pub fn open(&mut self, section: &'static str, known: &[&'static str]) {
        let Some(text) = self.raw(section) else { return };
        self.fields.retain(|(name, _)| *name != section);
        if self.read_members(text, Members { known, section: Some(section) }).is_err() {
            self.report(|| Problem::new(section, "must be a JSON object"));
        }
    }

    fn read_members(&mut self, text: &'a str, members: Members<'_>) -> Result<(), serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_str(text);
        match reader.deserialize_map(Taking { fields: self, members }) {
            Err(_) if self.is_full() => Ok(()),
            read => read.and_then(|()| reader.end()),
        }
    }

    /// Whether no more problems are reported: a body may have hundreds of thousands.
    fn is_full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    fn add(&mut self, name: &str, value: &'a RawValue, members: Members<'_>) {
        match members.known.iter().find(|known| members.is(known, name)) {
            None => self.report(|| unknown(&members.full(name), members.known)),
            Some(name) if self.has(name) => self.report(|| Problem::new(*name, "must not be given twice")),
            Some(name) => self.fields.push((name, value)),
        }
    }

    /// Whether a field is there.
    pub fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// The JSON text of a field that has to be there. Its absence is a problem.
    pub fn required(&mut self, name: &'static str) -> Option<&'a str> {
        let raw = self.raw(name);
        if raw.is_none() {
            self.report(|| Problem::new(name, "is required"));
        }
        raw
    }

    /// An optional field, read from its JSON text by `read`, whose error is the problem.
    pub fn optional<T, E>(&mut self, name: &'static str, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T>
    where
        E: Into<Cow<'static, str>>,
    {
        let read = read(self.raw(name)?);
        read.map_err(|message| self.report(|| Problem::new(name, message))).ok()
    }

    /// An optional array of at most `most` strings, of which `read` reads each; `None` unless it can read all. One that it
    /// cannot read is a problem of its own, named by its place, as in `keys[3]`.
    pub fn each<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        most: usize,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let texts = self.optional(name, |raw| lists::strings(raw, most, "items"))?;
        let mut items = Vec::with_capacity(texts.len());
        for (at, text) in texts.iter().enumerate() {
            match read(text) {
                Ok(item) => items.push(item),
                Err(error) => self.report(|| Problem::new(format!("{name}[{at}]"), error.to_string())),
            }
        }
        (items.len() == texts.len()).then_some(items)
    }

    /// Notes that a field is there which must not be.
    pub fn refuse(&mut self, name: &'static str, message: impl Into<Cow<'static, str>>) {
        if self.has(name) {
            self.report(|| Problem::new(name, message));
        }
    }

    /// Fails with all problems found.
    pub fn finish(self) -> Result<(), ApiError> {
        if self.problems.is_empty() { Ok(()) } else { Err(ApiError::Invalid(self.problems)) }
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.get())
    }

    /// Notes a problem, which is made only if it is reported: to say what was meant takes far longer than to read it.
    fn report(&mut self, problem: impl FnOnce() -> Problem) {
        if !self.is_full() {
            self.problems.push(problem());
        }
    }
}

/// Where the text stops being JSON. The parser's own message is not repeated: it may quote the text.
fn unreadable(error: &serde_json::Error) -> Problem {
    if error.is_data() {
        return Problem::new("body", "must be a JSON object");
    }
    let (line, column) = (error.line(), error.column());
    if error.is_eof() {
        return Problem::new(
            "body",
            format!("must be valid JSON, but it ends too early, at line {line} column {column}"),
        );
    }
    Problem::new("body", format!("must be valid JSON, which it stops being at line {line} column {column}"))
}

fn unknown(name: &str, known: &[&'static str]) -> Problem {
    let message = match nearest(name, known) {
        Some(meant) => format!("is not a known field; did you mean {meant}?"),
        None => format!("is not a known field; known are {}", known.join(", ")),
    };
    Problem::new(name.chars().take(MAX_NAME_CHARS).collect::<String>(), message)
}

/// What the members of an object may be called.
#[derive(Clone, Copy)]
struct Members<'k> {
    known: &'k [&'static str],
    /// What stands before their names, and a dot.
    section: Option<&'static str>,
}

impl Members<'_> {
    /// Whether a member of that name is the `known` one.
    fn is(self, known: &str, name: &str) -> bool {
        match self.section {
            None => known == name,
            Some(section) => known.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')) == Some(name),
        }
    }

    fn full(self, name: &str) -> Cow<'_, str> {
        match self.section {
            None => Cow::Borrowed(name),
            Some(section) => Cow::Owned(format!("{section}.{name}")),
        }
    }
}

/// Takes in the members of a JSON object as they come, repeated ones too: none is kept that nobody asks for.
struct Taking<'f, 'a, 'k> {
    fields: &'f mut Fields<'a>,
    members: Members<'k>,
}

impl<'de> de::Visitor<'de> for Taking<'_, 'de, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = members.next_key()? {
            let value = members.next_value()?;
            self.fields.add(&name, value, self.members);
            if self.fields.is_full() {
                return Err(de::Error::custom("too many problems"));
            }
        }
        Ok(())
    }
}

/// A member's name, borrowed where it has no escapes. (`Cow` alone would always copy.)
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const KNOWN: [&str; 2] = ["value", "count"];

    fn number(raw: &str) -> Result<u32, &'static str> {
        serde_json::from_str(raw).map_err(|_| "must be a number")
    }

    fn problems(text: &str) -> Vec<(String, String)> {
        let read = || -> Result<(), ApiError> {
            let mut fields = Fields::parse(text, &KNOWN)?;
            fields.required("value");
            fields.optional("count", number);
            fields.finish()
        };
        match read() {
            Ok(()) => Vec::new(),
            Err(ApiError::Invalid(problems)) => {
                problems.into_iter().map(|problem| (problem.field, problem.message.into_owned())).collect()
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    fn only(text: &str) -> (String, String) {
        let problems = problems(text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        problems.into_iter().next().unwrap()
    }

    #[test]
    fn keeps_values_as_text() {
        let text = r#" { "value" : {"b":1.0e+2, "a":"\u0041\/"} , "count":3}"#;
        let mut fields = Fields::parse(text, &KNOWN).unwrap();
        assert_eq!(fields.required("value"), Some(r#"{"b":1.0e+2, "a":"\u0041\/"}"#));
        assert_eq!(fields.optional("count", number), Some(3));
        fields.finish().unwrap();
    }

    #[test]
    fn null_is_a_value_and_absence_is_not() {
        assert_eq!(problems(r#"{"value":null}"#), []);
        assert_eq!(only("{}"), ("value".to_owned(), "is required".to_owned()));
        assert_eq!(only(r#"{"value":1,"count":null}"#).1, "must be a number");
    }

    #[test]
    fn unknown_and_repeated_fields_are_named() {
        assert_eq!(
            only(r#"{"value":1,"cuont":1}"#),
            ("cuont".into(), "is not a known field; did you mean count?".into())
        );
        assert_eq!(only(r#"{"value":1,"x":1}"#).1, "is not a known field; known are value, count");
        assert_eq!(only(r#"{"value":1,"val\u0075e":2}"#), ("value".to_owned(), "must not be given twice".to_owned()));
        assert_eq!(problems(r#"{"a":1,"b":2}"#).len(), 3);
    }

    #[test]
    fn a_flood_of_problems_is_cut() {
        let members: Vec<String> = (0..1000).map(|i| format!("\"{}{i}\":1", "x".repeat(100))).collect();
        let problems = problems(&format!("{{{}}}", members.join(",")));
        assert_eq!(problems.len(), MAX_PROBLEMS);
        assert!(problems.iter().all(|(field, _)| field.len() == MAX_NAME_CHARS));
    }

    #[test]
    fn a_section_is_read_like_the_whole() {
        const IN_SECTION: [&str; 2] = ["s.a", "s.b"];
        let read = |text: &str| {
            let mut fields = Fields::parse(text, &["s", "b"]).unwrap();
            fields.open("s", &IN_SECTION);
            let found =
                [fields.raw("s.a"), fields.raw("s.b"), fields.raw("b")].map(|raw| raw.unwrap_or("-").to_owned());
            let problems = fields.problems.into_iter().map(|problem| problem.field).collect::<Vec<_>>();
            (found.join(" "), problems.join(" "))
        };
        assert_eq!(read(r#"{"s":{"a":1},"b":2}"#), ("1 - 2".into(), String::new()));
        assert_eq!(read(r#"{"s":{"a":1,"a":2,"s.b":3,"c":4}}"#), ("1 - -".into(), "s.a s.s.b s.c".into()));
        let flood = (0..1000).map(|i| format!("\"x{i}\":1,")).collect::<String>();
        let (found, problems) = read(&format!("{{\"s\":{{{flood}\"b\":5}}}}"));
        assert_eq!((found.as_str(), problems.split(' ').count()), ("- - -", MAX_PROBLEMS), "not read to its end");
    }

    #[test]
    fn says_where_the_text_is_not_json() {
        for text in ["[1]", "1", "null", "\"x\""] {
            assert_eq!(only(text), ("body".to_owned(), "must be a JSON object".to_owned()), "{text}");
        }
        let at = |line, column| format!("must be valid JSON, which it stops being at line {line} column {column}");
        assert_eq!(only("{\"value\":\n tru}").1, at(2, 5));
        assert_eq!(only(r#"{"value":1} x"#).1, at(1, 13));
        assert_eq!(only(r#"{"value":"#).1, "must be valid JSON, but it ends too early, at line 1 column 9");
        assert_eq!(only("\u{feff}{}").1, "must not begin with a byte order mark");
        let flood = format!("{{{}]", "\"a\":1,".repeat(MAX_PROBLEMS - 1));
        assert_eq!(only(&flood).1, at(1, 116), "whatever else is wrong with it");
        let flood = format!("{{{}]", "\"a\":1,".repeat(MAX_PROBLEMS));
        assert_eq!(problems(&flood).len(), MAX_PROBLEMS, "what comes after is not looked at");
    }

    #[test]
    fn nesting_is_no_danger() {
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        assert_eq!(problems(&format!("{{\"value\":{deep}}}")), []);
    }

    #[test]
    fn bodies_are_decoded() {
        let body = Body::new(Some(BASE64_STANDARD.encode("{\"é\":1}")), true).unwrap();
        assert_eq!(body.as_str(), "{\"é\":1}");
        for (body, is_base64) in [(None, false), (Some(""), false), (Some("*"), true), (Some("/w=="), true)] {
            let problem = Body::new(body.map(str::to_owned), is_base64).unwrap_err();
            assert_eq!(problem.field, "body", "{body:?}");
        }
    }

    #[test]
    fn a_small_part_does_not_keep_a_large_body() {
        let body = Body::new(Some(format!("{}{{}}", " ".repeat(10_000))), false).unwrap();
        let (whole, part) = (body.as_str(), &body.as_str()[10_000..]);
        assert_eq!(body.text(whole).as_ptr(), whole.as_ptr());
        assert_ne!(body.text(part).as_ptr(), part.as_ptr());
        assert_eq!(body.text(part), "{}");
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = problems(&text);
        }
    }
}
