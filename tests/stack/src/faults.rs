//! Faults over HTTP, for people and for programs that do not link this crate: `GET` and `POST /_strata/faults`.
//!
//! A request names what is to fail: `{"redis":{"container":"entries-1","fault":"cut"}}`,
//! `{"l3":{"fault":"slow","ms":200}}`, or both. Without a container, or with `all`, every container's way to Redis is
//! meant. The answer to either method is what is in force.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::l3::{L3, L3Fault};
use crate::redis_path::{PathFault, RedisPath, RedisPaths};

/// Where the faults are.
pub(crate) const PATH: &str = "/_strata/faults";

/// Everything that can be made to fail.
#[derive(Clone)]
pub(crate) struct Faults {
    pub(crate) l3: L3,
    pub(crate) paths: Arc<BTreeMap<String, RedisPath>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    redis: Option<Value>,
    l3: Option<L3Fault>,
}

impl Faults {
    /// Answers a request with a status and a JSON body.
    pub(crate) async fn answer(&self, method: &Method, body: &Bytes) -> (StatusCode, Value) {
        let outcome = match *method {
            Method::GET => Ok(()),
            Method::POST => self.apply(body).await,
            _ => return (StatusCode::METHOD_NOT_ALLOWED, json!({ "message": "GET or POST" })),
        };
        match outcome {
            Ok(()) => (StatusCode::OK, self.in_force()),
            Err(message) => (StatusCode::BAD_REQUEST, json!({ "message": message })),
        }
    }

    /// The ways to Redis of one container, or of `all`; none for a container that has none.
    pub(crate) fn paths(&self, container: &str) -> Option<RedisPaths> {
        let all = container == crate::ALL;
        let known = all || self.paths.contains_key(container);
        known.then(|| RedisPaths { paths: self.paths.clone(), container: (!all).then(|| container.to_owned()) })
    }

    async fn apply(&self, body: &Bytes) -> Result<(), String> {
        let wanted: Wanted = serde_json::from_slice(body).map_err(|why| why.to_string())?;
        if let Some(redis) = wanted.redis {
            self.apply_to_redis(redis).await?;
        }
        if let Some(fault) = wanted.l3 {
            self.l3.set(fault).await;
        }
        Ok(())
    }

    async fn apply_to_redis(&self, mut wanted: Value) -> Result<(), String> {
        let container = wanted.as_object_mut().and_then(|wanted| wanted.remove("container"));
        let container = container.as_ref().map_or(Some(crate::ALL), Value::as_str).ok_or("container: a name")?;
        let paths = self.paths(container).ok_or_else(|| format!("{container} has no way to Redis"))?;
        if wanted["fault"] == "reset" {
            paths.reset().await;
            return Ok(());
        }
        let fault: PathFault = serde_json::from_value(wanted).map_err(|why| why.to_string())?;
        paths.set(fault).await;
        Ok(())
    }

    fn in_force(&self) -> Value {
        let redis: BTreeMap<&String, PathFault> = self.paths.iter().map(|(name, path)| (name, path.fault())).collect();
        json!({ "redis": redis, "l3": self.l3.fault() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::Ipv4Addr;

    async fn faults() -> Faults {
        let path = RedisPath::open(Ipv4Addr::LOCALHOST, "127.0.0.1:1".to_owned()).await.unwrap();
        let l3 = L3::open(Ipv4Addr::LOCALHOST, "http://127.0.0.1:1".to_owned()).await.unwrap();
        Faults { l3, paths: Arc::new([("entries-1".to_owned(), path)].into()) }
    }

    async fn post(faults: &Faults, body: Value) -> (StatusCode, Value) {
        faults.answer(&Method::POST, &Bytes::from(body.to_string())).await
    }

    #[tokio::test]
    async fn faults_are_set_shown_and_ended() {
        let faults = faults().await;
        let wanted = json!({
            "redis": { "container": "entries-1", "fault": "delay", "ms": 5 },
            "l3": { "fault": "failing", "k": 1, "of": 3 },
        });
        let (status, shown) = post(&faults, wanted).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(shown["redis"]["entries-1"], json!({ "fault": "delay", "ms": 5 }));
        assert_eq!(shown["l3"], json!({ "fault": "failing", "k": 1, "of": 3 }));
        post(&faults, json!({ "redis": { "fault": "reset" } })).await;
        let (_, shown) = post(&faults, json!({ "redis": { "fault": "none" }, "l3": { "fault": "ok" } })).await;
        assert_eq!(shown, json!({ "redis": { "entries-1": { "fault": "none" } }, "l3": { "fault": "ok" } }));
    }

    #[tokio::test]
    async fn what_is_not_understood_is_refused() {
        let faults = faults().await;
        for wanted in [
            json!({ "redis": { "container": "nobody", "fault": "cut" } }),
            json!({ "redis": { "container": 1, "fault": "cut" } }),
            json!({ "redis": { "fault": "melted" } }),
            json!({ "l3": { "fault": "slow" } }),
            json!({ "l4": {} }),
        ] {
            assert_eq!(post(&faults, wanted.clone()).await.0, StatusCode::BAD_REQUEST, "{wanted}");
        }
    }
}
