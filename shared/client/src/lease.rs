//! The lease to load what is missing, as the API grants it.

use crate::{
    Result,
    cache_control::cache_control,
    call::{FILL_TOKEN, Reply},
    client::{Client, awaited},
    entries::{Entry, call, entry},
    error::{ApiError, Code, Error},
};
use reqwest::{
    Method,
    header::{CACHE_CONTROL, HeaderName},
};
use serde::Deserialize;
use std::time::Duration;

const FILL_LEASE: HeaderName = HeaderName::from_static("fill-lease");
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// For how long the load is left to one caller, unless another time is asked for.
pub(crate) const LEASE: Duration = Duration::from_secs(10);

/// What a read found that asked for the lease to load what is missing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Lease {
    /// The entry.
    Found(Box<Entry>),
    /// Nothing; and it is for this caller to load it, and to store it [with the token](crate::Put::fill_token).
    Granted {
        /// Good once.
        token: String,
        /// Within so long.
        expires_in: Duration,
    },
    /// Nothing; somebody else loads it.
    Held {
        /// It may be there after so long.
        retry_after: Duration,
    },
    /// Nothing; and there are no leases: Redis is out of reach, or L2 or L3 is switched off.
    Unavailable,
    /// What has expired, where [that is taken](GetOrLease::max_stale); and who is to load it anew, as where there is nothing.
    Stale {
        /// The entry.
        entry: Box<Entry>,
        /// One of the others.
        lease: Box<Lease>,
    },
}

/// `details.fill` of a miss, or `fill` of what has expired.
#[derive(Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum Fill {
    Granted { expires_in: u64 },
    Held { retry_after: u64 },
    Unavailable,
}

impl Client {
    /// Reads an entry, and asks for the lease to load it where it is missing: of all who miss it, one gets it.
    /// [`get_or_load`](Client::get_or_load) does all of what has to be done then.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/get_or_lease.rs")]
    /// ```
    pub fn get_or_lease(&self, key: impl Into<String>) -> GetOrLease<'_> {
        GetOrLease { client: self, key: key.into(), lease: LEASE, wait: Duration::ZERO, max_stale: None }
    }
}

/// See [`Client::get_or_lease`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct GetOrLease<'a> {
    client: &'a Client,
    key: String,
    lease: Duration,
    wait: Duration,
    pub(crate) max_stale: Option<Duration>,
}

impl GetOrLease<'_> {
    /// How long the load is left to whom the lease is granted, 1 to 60 whole seconds; default 10.
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = time;
        self
    }

    /// Where somebody else has the lease, waits so long for the value, or for the lease; 1 to 10 whole seconds. Only a few
    /// can wait at a time; others are answered at once.
    pub fn wait(mut self, time: Duration) -> Self {
        self.wait = time;
        self
    }

    async fn send(self) -> Result<Lease> {
        let wait = Some(self.wait.as_secs()).filter(|seconds| *seconds > 0);
        let call = call(Method::GET, &self.key)
            .header(FILL_LEASE, Some(self.lease.as_secs().to_string()))?
            .header(PREFER, wait.map(|seconds| format!("wait={seconds}")))?
            .header(CACHE_CONTROL, cache_control(false, self.max_stale))?;
        match self.client.send(call).await {
            Ok(reply) => found(&reply),
            Err(Error::Api(said)) if said.code == Code::CacheKeyNotFound => lease(*said),
            Err(error) => Err(error),
        }
    }
}

awaited!(GetOrLease<'a> => Lease);

fn lease(said: ApiError) -> Result<Lease> {
    let not_understood =
        |message: String| Error::Protocol { status: said.status, message, request_id: Some(said.request_id.clone()) };
    let fill =
        Fill::deserialize(&said.details["fill"]).map_err(|why| not_understood(format!("details.fill: {why}")))?;
    fill.lease(said.fill_token.clone()).ok_or_else(|| not_understood(format!("{FILL_TOKEN} is missing")))
}

fn found(reply: &Reply) -> Result<Lease> {
    #[derive(Deserialize)]
    struct Expired {
        fill: Fill,
    }
    let entry = Box::new(entry(reply)?);
    if !entry.metadata.stale {
        return Ok(Lease::Found(entry));
    }
    let Expired { fill } = reply.json()?;
    let lease = fill.lease(reply.header(FILL_TOKEN.as_str()));
    let lease = lease.ok_or_else(|| reply.not_understood(&format!("{FILL_TOKEN} is missing")))?;
    Ok(Lease::Stale { entry, lease: Box::new(lease) })
}

impl Fill {
    /// As a caller is told of it; `None` without the token that goes with it.
    fn lease(self, token: Option<String>) -> Option<Lease> {
        Some(match self {
            Fill::Granted { expires_in } => {
                Lease::Granted { token: token?, expires_in: Duration::from_secs(expires_in) }
            }
            Fill::Held { retry_after } => Lease::Held { retry_after: Duration::from_secs(retry_after) },
            Fill::Unavailable => Lease::Unavailable,
        })
    }
}
