//! A line: an entry as `strata export` writes it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::time::Duration;
use strata_client::{Level, Operation, Timestamp};

/// An entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub key: String,
    pub value: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// From when on it is not returned any more; goes before the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<u64>,
    /// For how long it is kept after it has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u64>,
    /// The levels that it may be in; without them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_levels: Option<Vec<Level>>,
}

impl Line {
    /// The operation that stores it so late, in milliseconds since 1970; `None` once it has expired.
    pub fn operation(&self, now_ms: i64) -> Option<Operation> {
        let mut operation = Operation::put(&self.key, &self.value).tags(self.tags.iter().cloned());
        if let Some(idle) = self.idle_seconds {
            operation = operation.idle(Duration::from_secs(idle));
        }
        if let Some(grace) = self.grace_seconds {
            operation = operation.grace(Duration::from_secs(grace));
        }
        if let Some(levels) = &self.cache_levels {
            operation = operation.levels(levels.iter().copied());
        }
        let left = self.expires_at.map(|at| (at.unix() * 1000 - now_ms).div_euclid(1000));
        match (left, self.ttl_seconds) {
            (Some(left), _) => {
                let left = u64::try_from(left).ok().filter(|left| *left > 0)?;
                Some(operation.ttl(Duration::from_secs(left)))
            }
            (None, Some(ttl)) => Some(operation.ttl(Duration::from_secs(ttl))),
            (None, None) => Some(operation),
        }
    }
}

/// Now, in milliseconds since 1970. Expiry is by the wall clock.
#[expect(clippy::disallowed_methods, reason = "no container's clock is meant, but this machine's")]
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ttl(line: &str, now_ms: i64) -> Option<serde_json::Value> {
        let line: Line = serde_json::from_str(line).unwrap();
        line.operation(now_ms).map(|operation| serde_json::to_value(operation).unwrap()["ttl_seconds"].take())
    }

    #[test]
    fn what_is_left_of_its_life_is_stored() {
        let line = r#"{"key":"k","value":null,"expires_at":"1970-01-01T00:01:40Z","ttl_seconds":7}"#;
        assert_eq!(ttl(line, 40_000), Some(60.into()));
        assert_eq!(ttl(line, 40_001), Some(59.into()), "rather a little less than more");
        assert_eq!(ttl(line, 99_001), None);
        assert_eq!(ttl(line, 500_000), None);
        assert_eq!(ttl(r#"{"key":"k","value":1,"ttl_seconds":7}"#, 0), Some(7.into()));
        assert_eq!(ttl(r#"{"key":"k","value":1}"#, 0), Some(serde_json::Value::Null));
    }

    #[test]
    fn a_life_that_slides_goes_on_to_slide() {
        let line: Line = serde_json::from_str(r#"{"key":"k","value":1,"ttl_seconds":7,"idle_seconds":5}"#).unwrap();
        let operation = serde_json::to_value(line.operation(0).unwrap()).unwrap();
        assert_eq!((&operation["ttl_seconds"], &operation["idle_seconds"]), (&7.into(), &5.into()));
    }
}
