//! What a PATCH's body may say.

use crate::put_request::ttl;
use serde_json::from_str;
use strata_api::{
    ApiError, Problem,
    body::{Body, Fields},
    lists,
};
use strata_cache::{Condition, Only, Patch};

const FIELDS: [&str; 4] = ["ttl_seconds", "only", "add_tags", "remove_tags"];

/// The PATCH that `body` asks for. All that is wrong with it is reported together.
pub fn read(body: &Body, condition: Condition) -> Result<Patch, ApiError> {
    let mut fields = Fields::parse(body.as_str(), &FIELDS)?;
    let (changes, has_life) = (fields.has("add_tags") || fields.has("remove_tags"), fields.has("ttl_seconds"));
    let has_only = fields.has("only");
    let patch = Patch {
        ttl_seconds: fields.optional("ttl_seconds", ttl),
        only: fields.optional("only", only),
        add_tags: fields.optional("add_tags", lists::tags).unwrap_or_default(),
        remove_tags: fields.optional("remove_tags", lists::tags).unwrap_or_default(),
        condition,
        by: String::new(),
        api_key: String::new(),
    };
    fields.finish()?;
    if has_only && !has_life {
        return Err(Problem::new("only", "says which ttl_seconds are wanted, which are missing").into());
    }
    if !changes && !has_life {
        return Err(Problem::new("body", "must have ttl_seconds, add_tags or remove_tags").into());
    }
    if let Some(at) = patch.add_tags.iter().position(|tag| patch.remove_tags.contains(tag)) {
        return Err(Problem::new(format!("add_tags[{at}]"), "must not be among remove_tags as well").into());
    }
    Ok(patch)
}

fn only(raw: &str) -> Result<Only, &'static str> {
    match from_str(raw) {
        Ok("longer") => Ok(Only::Longer),
        Ok("shorter") => Ok(Only::Shorter),
        _ => Err("must be \"longer\" or \"shorter\""),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Arc;

    fn patch(body: &str) -> Result<Patch, ApiError> {
        read(&Body::new(Some(body.to_owned()), false).unwrap(), Condition::Always)
    }

    #[track_caller]
    fn assert_refused(body: &str, expected: &str) {
        assert_eq!(patch(body).unwrap_err().to_string(), expected, "{body}");
    }

    #[test]
    fn everything_said_is_kept() {
        let all = patch(r#"{"ttl_seconds":60,"only":"shorter","add_tags":["a","a"],"remove_tags":["b"]}"#).unwrap();
        assert_eq!((all.ttl_seconds, all.only), (Some(60), Some(Only::Shorter)));
        assert_eq!((all.add_tags, all.remove_tags), (vec![Arc::from("a")], vec![Arc::from("b")]));
        let life = patch(r#"{"ttl_seconds":60}"#).unwrap();
        assert_eq!((life.ttl_seconds, life.only, life.add_tags.len()), (Some(60), None, 0));
        assert_eq!(patch(r#"{"only":"longer","ttl_seconds":1}"#).unwrap().only, Some(Only::Longer));
        assert!(patch(r#"{"add_tags":[]}"#).unwrap().ttl_seconds.is_none());
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        assert_refused("{}", "body must have ttl_seconds, add_tags or remove_tags");
        assert_refused(r#"{"only":"longer"}"#, "only says which ttl_seconds are wanted, which are missing");
        assert_refused(r#"{"only":"later","ttl_seconds":1}"#, r#"only must be "longer" or "shorter""#);
        assert_refused(r#"{"ttl_seconds":0}"#, "ttl_seconds must be an integer from 1 to 31536000");
        let both = r#"{"add_tags":["x","a"],"remove_tags":["a"]}"#;
        assert_refused(both, "add_tags[1] must not be among remove_tags as well");
        let value = "value is not a known field; known are ttl_seconds, only, add_tags, remove_tags";
        assert_refused(r#"{"value":1,"ttl_seconds":1}"#, value);
        assert_refused(
            r#"{"only":1,"add_tags":1}"#,
            "only must be \"longer\" or \"shorter\"; add_tags must be an array of strings",
        );
    }
}
