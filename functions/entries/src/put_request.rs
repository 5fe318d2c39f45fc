//! What a PUT's body may say, and what holds where it says nothing.

use serde_json::from_str;
use std::{borrow::Cow, sync::Arc};
use strata_api::{
    ApiError,
    answer_size::{MAX_ANSWER_BYTES, answer_bytes},
    body::{Body, Fields},
    lists,
};
use strata_cache::{Condition, Json, Level, Levels, MAX_TTL_SECONDS, Put, grace::MAX_GRACE_SECONDS};

/// Life of an entry when the request does not say, in seconds (contract).
const DEFAULT_TTL_SECONDS: u32 = 3600;

/// By which part of itself a life may be shortened at most.
const MAX_TTL_JITTER: f64 = 0.5;

/// What memory alone does not keep.
const NEEDS_SHARED_LEVEL: &str = "needs L2_REDIS or L3_DATABASE among cache_levels";

/// The fields of a PUT.
pub(crate) const FIELDS: [&str; 8] = [
    "value",
    "ttl_seconds",
    "ttl_jitter",
    "idle_seconds",
    "grace_seconds",
    "tags",
    "compression_enabled",
    "cache_levels",
];

/// The PUT that `body` asks for. All that is wrong with it is reported together; what the configuration does not allow
/// is for the cache to say, which first makes sure that it knows the one in force.
pub fn read(body: &Body, condition: Condition) -> Result<Put, ApiError> {
    let mut fields = Fields::parse(body.as_str(), &FIELDS)?;
    let said = Said::take(&mut fields);
    fields.finish()?;
    said.put(body, condition)
}

/// What a PUT says.
pub(crate) struct Said<'a> {
    value: Option<&'a str>,
    ttl_seconds: Option<u32>,
    ttl_jitter: Option<f64>,
    idle_seconds: Option<u32>,
    grace_seconds: Option<u32>,
    tags: Option<Vec<Arc<str>>>,
    compress: Option<bool>,
    levels: Option<Levels>,
}

impl<'a> Said<'a> {
    /// Reads the fields of a PUT.
    pub(crate) fn take(fields: &mut Fields<'a>) -> Said<'a> {
        let levels = fields.optional("cache_levels", lists::levels);
        let lasts = levels.is_none_or(|levels| levels.has(Level::L2) || levels.has(Level::L3));
        Said {
            value: fields.required("value"),
            ttl_seconds: fields.optional("ttl_seconds", ttl),
            ttl_jitter: fields.optional("ttl_jitter", jitter),
            idle_seconds: fields.optional("idle_seconds", |raw| match ttl(raw) {
                Ok(_) if !lasts => Err(NEEDS_SHARED_LEVEL.into()),
                read => read,
            }),
            grace_seconds: fields.optional("grace_seconds", |raw| match grace(raw) {
                Ok(1..) if !lasts => Err(NEEDS_SHARED_LEVEL.into()),
                read => read,
            }),
            tags: fields.optional("tags", lists::tags),
            compress: fields.optional("compression_enabled", |raw| from_str(raw).map_err(|_| "must be true or false")),
            levels,
        }
    }

    /// The PUT, once it is known that nothing is wrong with it. Its value lies in `body`.
    pub(crate) fn put(self, body: &Body, condition: Condition) -> Result<Put, ApiError> {
        let value = self.value.expect("a required field that is missing is a problem, and problems ended this");
        check_answer(value)?;
        let ttl_seconds = self.ttl_seconds.unwrap_or(DEFAULT_TTL_SECONDS);
        let mut put = Put::new(Json::checked(body.text(value)), ttl_seconds).only_if(condition);
        put.idle_seconds = self.idle_seconds;
        put.grace_seconds = self.grace_seconds.unwrap_or_default();
        put.tags = self.tags.unwrap_or_default();
        put.compress = self.compress.unwrap_or(true);
        put.levels = self.levels;
        put.ttl_jitter = self.ttl_jitter.unwrap_or_default();
        Ok(put)
    }
}

fn check_answer(value: &str) -> Result<(), ApiError> {
    let answer_bytes = answer_bytes(value);
    if answer_bytes > MAX_ANSWER_BYTES {
        return Err(ApiError::AnswerTooLarge { answer_bytes, max_bytes: MAX_ANSWER_BYTES });
    }
    Ok(())
}

/// A life in seconds.
pub(crate) fn ttl(raw: &str) -> Result<u32, Cow<'static, str>> {
    let ttl = from_str(raw).ok().filter(|ttl| (1..=MAX_TTL_SECONDS).contains(ttl));
    ttl.ok_or_else(|| format!("must be an integer from 1 to {MAX_TTL_SECONDS}").into())
}

/// For how long what has expired is kept, in seconds.
fn grace(raw: &str) -> Result<u32, Cow<'static, str>> {
    let grace = from_str(raw).ok().filter(|grace| *grace <= MAX_GRACE_SECONDS);
    grace.ok_or_else(|| format!("must be an integer from 0 to {MAX_GRACE_SECONDS}").into())
}

/// A part of a life.
fn jitter(raw: &str) -> Result<f64, Cow<'static, str>> {
    let jitter = from_str(raw).ok().filter(|jitter| (0.0..=MAX_TTL_JITTER).contains(jitter));
    jitter.ok_or_else(|| format!("must be a number from 0 to {MAX_TTL_JITTER}").into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::sync::Arc;
    use strata_cache::{Level, Levels};

    fn put(body: &str) -> Result<Put, ApiError> {
        read(&Body::new(Some(body.to_owned()), false).unwrap(), Condition::Always)
    }

    #[track_caller]
    fn assert_refused(field: &str, value: Value, message: &str) {
        let mut body = json!({"value": 1});
        body[field] = value;
        let Err(ApiError::Invalid(problems)) = put(&body.to_string()) else { panic!("{body} is taken") };
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].field, field);
        assert!(problems[0].message.contains(message), "{problems:?}");
    }

    #[test]
    fn defaults_are_the_contract_s() {
        let put = put(r#"{"value":{}}"#).unwrap();
        assert_eq!((put.ttl_seconds, put.idle_seconds, put.compress, put.levels), (3600, None, true, None));
        assert!(put.tags.is_empty());
    }

    #[test]
    fn everything_said_is_kept() {
        let body = r#"{"value": [1.0,"\u0041"] ,"ttl_seconds":31536000,"idle_seconds":60,"tags":["b","a","b"],
            "compression_enabled":false,"cache_levels":["L3_DATABASE","L1_MEMORY"]}"#;
        let put = put(body).unwrap();
        assert_eq!(put.value.text(), r#"[1.0,"\u0041"]"#);
        assert_eq!((put.ttl_seconds, put.idle_seconds, put.compress), (31_536_000, Some(60), false));
        assert_eq!(put.tags, [Arc::from("b"), Arc::from("a")]);
        assert_eq!(put.levels, Some(Levels::NONE.with(Level::L1).with(Level::L3)));
    }

    #[test]
    fn lives_are_whole_seconds_of_at_most_a_year() {
        for ttl in [json!(0), json!(-1), json!(31_536_001), json!(1.0), json!("60"), json!(null), json!(true)] {
            assert_refused("ttl_seconds", ttl.clone(), "an integer from 1 to 31536000");
            assert_refused("idle_seconds", ttl, "an integer from 1 to 31536000");
        }
    }

    #[test]
    fn a_grace_may_be_nothing_and_has_a_year_at_most() {
        for grace in [json!(-1), json!(31_536_001), json!(1.0), json!("60"), json!(null), json!(true)] {
            assert_refused("grace_seconds", grace, "an integer from 0 to 31536000");
        }
        for grace in [0, 31_536_000] {
            assert_eq!(put(&json!({"value": 1, "grace_seconds": grace}).to_string()).unwrap().grace_seconds, grace);
        }
        let in_memory = |grace| json!({"value": 1, "grace_seconds": grace, "cache_levels": ["L1_MEMORY"]}).to_string();
        assert!(put(&in_memory(0)).is_ok());
        let Err(ApiError::Invalid(problems)) = put(&in_memory(1)) else { panic!("it is taken") };
        assert_eq!((problems.len(), problems[0].field.as_str()), (1, "grace_seconds"));
    }

    #[test]
    fn no_life_slides_in_the_memory_of_one_container() {
        let body = |levels| json!({"value": 1, "idle_seconds": 60, "cache_levels": [levels]}).to_string();
        let Err(ApiError::Invalid(problems)) = put(&body("L1_MEMORY")) else { panic!("it is taken") };
        assert_eq!((problems.len(), problems[0].field.as_str()), (1, "idle_seconds"));
        assert!(problems[0].message.contains("needs L2_REDIS or L3_DATABASE"), "{problems:?}");
        assert!(put(&body("L2_REDIS")).is_ok() && put(&body("L3_DATABASE")).is_ok());
    }

    #[test]
    fn jitter_is_half_of_a_life_at_most() {
        assert_eq!(put(r#"{"value":1}"#).unwrap().ttl_jitter, 0.0);
        for (jitter, taken) in [("0", 0.0), ("0.5", 0.5), ("1e-1", 0.1)] {
            assert_eq!(put(&format!(r#"{{"value":1,"ttl_jitter":{jitter}}}"#)).unwrap().ttl_jitter, taken);
        }
        for jitter in [json!(-0.1), json!(0.51), json!(1), json!("0.1"), json!(null), json!([])] {
            assert_refused("ttl_jitter", jitter, "a number from 0 to 0.5");
        }
    }

    #[test]
    fn tags_are_bounded() {
        let tags = |count: usize| (0..count).map(|i| format!("t{i}")).collect::<Vec<_>>();
        assert_eq!(put(&json!({"value": 1, "tags": tags(50)}).to_string()).unwrap().tags.len(), 50);
        assert!(put(&json!({"value": 1, "tags": ["é".repeat(64)]}).to_string()).is_ok());
        assert_refused("tags", json!(tags(51)), "at most 50");
        assert_refused("tags", json!(["a", ""]), "[1] is not");
        assert_refused("tags", json!(["x".repeat(129)]), "[0] is not");
        assert_refused("tags", json!(["a\n"]), "[0] is not");
        for tags in [json!("a"), json!([1]), json!([null]), json!(null), json!({})] {
            assert_refused("tags", tags, "an array of strings");
        }
    }

    #[test]
    fn levels_are_known_and_named_once() {
        assert_refused("cache_levels", json!(["L2"]), "must be of L1_MEMORY, L2_REDIS, L3_DATABASE");
        assert_refused("cache_levels", json!(["L2_REDIS", "L2_REDIS"]), "L2_REDIS twice");
        assert_refused("cache_levels", json!([]), "at least one");
        for levels in [json!("L1_MEMORY"), json!([1]), json!(null)] {
            assert_refused("cache_levels", levels, "an array of level names");
        }
    }

    #[test]
    fn flags_are_booleans() {
        for flag in [json!("true"), json!(1), json!(null)] {
            assert_refused("compression_enabled", flag, "true or false");
        }
    }

    #[test]
    fn problems_are_reported_together() {
        let Err(ApiError::Invalid(problems)) = put(r#"{"ttl_seconds":0,"tag":[],"tags":1}"#) else { panic!() };
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["tag", "value", "ttl_seconds", "tags"]);
    }

    #[test]
    fn too_large_to_answer() {
        let text = |len: usize| format!("{{\"value\":\"{}\"}}", "x".repeat(len - 2));
        assert!(put(&text(5 << 20)).is_ok());
        assert!(matches!(put(&text(6 << 20)), Err(ApiError::AnswerTooLarge { .. })));
        let escaped = format!("{{\"value\":\"{}\"}}", "\\\\".repeat(2 << 20));
        assert!(matches!(put(&escaped), Err(ApiError::AnswerTooLarge { .. })));
    }

    proptest! {
        #[test]
        fn values_are_kept_byte_for_byte(value in "\"[a-zé😀 ]{0,20}\"|-?[1-9][0-9]{0,30}(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?") {
            let put = put(&format!("{{ \"value\" :\t{value} }}")).unwrap();
            prop_assert_eq!(&put.value.text()[..], value.as_bytes());
        }
    }
}
