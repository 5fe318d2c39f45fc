//! The query parameters of a request, which the gateway has decoded. Each may be given once, and none that is not known:
//! it is most likely a mistyped one. All that is wrong is reported together.

use crate::{error::ApiError, event::Event, nearest::nearest, problem::Problem};
use std::borrow::Cow;

/// Most characters of an unknown parameter's name that are repeated to the client.
const NAME_CHARS: usize = 64;

/// The parameters of a request.
pub struct Query<'a> {
    event: &'a Event,
    problems: Vec<Problem>,
}

impl<'a> Query<'a> {
    /// Those of `event`. One that is not `known` is a problem; of several the first.
    pub fn of(event: &'a Event, known: &[&'static str]) -> Query<'a> {
        let other = event.query.keys().find(|name| !known.contains(&name.as_str()));
        Query { event, problems: other.map(|name| unknown(name, known)).into_iter().collect() }
    }

    /// Refuses any parameter of an operation that has none. One that is called like one of the `fields` of its body was
    /// most likely meant to be that.
    pub fn none(event: &Event, fields: &[&str]) -> Result<(), ApiError> {
        let Some(other) = event.query.keys().next() else { return Ok(()) };
        let message = if fields.contains(&other.as_str()) {
            "is not a query parameter; it is a field of the body"
        } else {
            "is not a known query parameter; this operation has none"
        };
        Err(Problem::new(shown(other), message).into())
    }

    /// A parameter, as `read` makes it out of its text; `None` when it is not given, or wrong.
    pub fn optional<T, E: Into<Cow<'static, str>>>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let read = match self.event.query.get(name).map(Vec::as_slice) {
            None | Some([]) => return None,
            Some([value]) => read(value).map_err(Into::into),
            Some(_) => Err("must not be given twice".into()),
        };
        read.map_err(|message| self.problems.push(Problem::new(name, message))).ok()
    }

    /// An integer from 1 to `most`.
    pub fn count(&mut self, name: &'static str, most: usize) -> Option<usize> {
        self.optional(name, |text| {
            let count = text.parse().ok().filter(|count| (1..=most).contains(count));
            count.ok_or_else(|| format!("must be an integer from 1 to {most}"))
        })
    }

    /// Fails when anything was wrong.
    pub fn finish(self) -> Result<(), ApiError> {
        if self.problems.is_empty() { Ok(()) } else { Err(ApiError::Invalid(self.problems)) }
    }
}

fn unknown(name: &str, known: &[&'static str]) -> Problem {
    let message = match nearest(name, known) {
        Some(meant) => format!("is not a known query parameter; did you mean {meant}?"),
        None => format!("is not a known query parameter; known are {}", known.join(", ")),
    };
    Problem::new(shown(name), message)
}

/// As much of an unknown parameter's name as is repeated.
fn shown(name: &str) -> String {
    name.chars().take(NAME_CHARS).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn event(query: Value) -> Event {
        serde_json::from_value(json!({ "multiValueQueryStringParameters": query })).unwrap()
    }

    #[test]
    fn what_is_given_is_read() {
        let event = event(json!({"limit": ["7"], "prefix": ["a%2F+"]}));
        let mut query = Query::of(&event, &["prefix", "limit", "tag"]);
        assert_eq!(query.count("limit", 10), Some(7));
        assert_eq!(query.optional("prefix", |text| Ok::<_, &str>(text.to_owned())).unwrap(), "a%2F+", "decoded once");
        assert_eq!(query.optional("tag", |_| Err::<(), _>("is not read")), None);
        assert!(query.finish().is_ok());
    }

    #[test]
    fn where_there_are_none_each_is_refused() {
        assert!(Query::none(&event(json!({})), &["dry_run"]).is_ok());
        assert!(Query::none(&event(Value::Null), &[]).is_ok());
        for (name, fields, said) in
            [("dry_run", &["dry_run"][..], "a field of the body"), ("dry_run", &[][..], "has none")]
        {
            let refused = Query::none(&event(json!({ name: ["true"] })), fields);
            let Err(ApiError::Invalid(problems)) = refused else { panic!("{refused:?}") };
            assert_eq!(problems[0].field, name);
            assert!(problems[0].message.ends_with(said), "{problems:?}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_named() {
        let event = event(json!({"limit": ["0"], "prefix": ["a", "b"], "lmit": ["1"]}));
        let mut query = Query::of(&event, &["prefix", "limit"]);
        assert_eq!(query.count("limit", 10), None);
        assert_eq!(query.optional("prefix", |text| Ok::<_, &str>(text.to_owned())), None);
        let Err(ApiError::Invalid(problems)) = query.finish() else { panic!("not refused") };
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "lmit is not a known query parameter; did you mean limit?",
                "limit must be an integer from 1 to 10",
                "prefix must not be given twice",
            ]
        );
    }
}
