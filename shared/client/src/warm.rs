//! Loading entries ahead of their readers.

use crate::{
    Result,
    call::Call,
    client::{Client, awaited},
    retry::Repeat,
    timestamp::Timestamp,
};
use reqwest::{Method, header::HeaderName};
use serde::{Deserialize, Serialize};

/// How entries are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum Strategy {
    /// Into the shared levels now, and the containers take them over.
    Eager,
    /// Into the shared levels now; memory is left to the first read.
    Lazy,
    /// At the next scheduled run, or at [`Warm::run_at`].
    Scheduled,
}

/// A job that was accepted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Warming {
    /// Always true.
    pub success: bool,
    /// For people.
    pub message: String,
    /// The job's name.
    pub warming_job_id: String,
    /// Keys it will look at, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_keys: Option<u64>,
    /// As it was asked for.
    pub strategy: Strategy,
    /// Keys that are looked at together.
    pub batch_size: u64,
    /// Batches under way at once.
    pub max_concurrent: u64,
    /// When it was accepted.
    pub started_at: Timestamp,
    /// When it will have ended, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_completion: Option<Timestamp>,
}

impl Client {
    /// Loads entries into the faster levels, as a job: by keys, patterns or both, of which there is at least one.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/warm.rs")]
    /// ```
    pub fn warm(&self) -> Warm<'_> {
        Warm { client: self, body: Body::default(), idempotency_key: None }
    }
}

/// See [`Client::warm`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct Warm<'a> {
    client: &'a Client,
    body: Body,
    idempotency_key: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Body {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    patterns: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy: Option<Strategy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_concurrent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_at: Option<Timestamp>,
}

impl Warm<'_> {
    /// These keys.
    pub fn keys<T: Into<String>>(mut self, keys: impl IntoIterator<Item = T>) -> Self {
        self.body.keys = keys.into_iter().map(Into::into).collect();
        self
    }

    /// The keys that match any of these patterns.
    pub fn patterns<T: Into<String>>(mut self, patterns: impl IntoIterator<Item = T>) -> Self {
        self.body.patterns = patterns.into_iter().map(Into::into).collect();
        self
    }

    /// How; default [`Strategy::Eager`].
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.body.strategy = Some(strategy);
        self
    }

    /// Keys looked at together, 1 to 1000; default 50.
    pub fn batch_size(mut self, keys: u64) -> Self {
        self.body.batch_size = Some(keys);
        self
    }

    /// Batches under way at once, 1 to 100; default 10.
    pub fn max_concurrent(mut self, batches: u64) -> Self {
        self.body.max_concurrent = Some(batches);
        self
    }

    /// When; only with [`Strategy::Scheduled`].
    pub fn run_at(mut self, at: Timestamp) -> Self {
        self.body.run_at = Some(at);
        self
    }

    /// The same request with the same text is answered with the same job. Default: a random one for each request.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    async fn send(self) -> Result<Warming> {
        let key = self.idempotency_key.unwrap_or_else(|| format!("{:032x}", fastrand::u128(..)));
        let call = Call::new(Method::POST, "/warm").json(&self.body)?;
        let call = call.header(HeaderName::from_static("idempotency-key"), Some(key))?.repeat(Repeat::Harmless);
        self.client.send(call).await?.json()
    }
}

awaited!(Warm<'a> => Warming);
