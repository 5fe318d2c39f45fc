//! The issuer's JSON Web Key Set: fetched when the first token needs it, and kept.
//!
//! Three things must not happen here. A key that the issuer has removed must not live for ever: the set is fetched again
//! after [`MAX_AGE`]. An issuer that is down must not stop the API: the old set is used on, up to [`MAX_STALENESS`]. And
//! tokens with invented key names must not turn us into a source of load for the issuer: an unknown name causes a fetch
//! only when the last one is [`MIN_INTERVAL`] ago. Ages are counted by the wall clock, because the monotonic one may
//! stand still while the container is frozen.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::Jwk;
use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde::Deserialize;
use tokio::sync::{Mutex, OnceCell};

use crate::keys::{NoKey, VerificationKey};
use crate::token::Refusal;

/// Seconds after which the set is fetched again.
pub const MAX_AGE: u64 = 600;
/// Seconds for which a set is used when it cannot be fetched again.
pub const MAX_STALENESS: u64 = 86_400;
/// Least seconds between the last fetch that worked and one for an unknown key name.
pub const MIN_INTERVAL: u64 = 30;
/// Least seconds between a fetch that failed and the next, so that an outage does not cost every request a timeout.
pub const RETRY_INTERVAL: u64 = 5;
/// Largest set read, in bytes. A set of ten keys with certificates has about 30 KB.
pub const MAX_BYTES: usize = 256 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest fetch; well within the function's own timeout.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// The keys could not be fetched, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable(String);

/// The key set behind one URL.
pub struct Jwks {
    url: Url,
    client: OnceCell<Client>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: Vec<VerificationKey>,
    fetched_at: Option<u64>,
    failure: Option<Failure>,
}

/// The last fetch, when it failed.
struct Failure {
    at: u64,
    cause: Unavailable,
}

/// What a set has for a token.
enum Lookup {
    Found(VerificationKey),
    /// The set has the name, for another algorithm; or it has several keys and the token names none.
    Refused,
    Unknown,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

impl Jwks {
    /// Fetches nothing yet.
    pub fn new(url: Url) -> Self {
        Self { url, client: OnceCell::new(), state: Mutex::default() }
    }

    /// The key named `kid` for `algorithm`, fetching the set when it is missing, old, or lacks that name.
    ///
    /// # Errors
    /// The issuer has no such key, or could not be asked.
    pub async fn find(&self, algorithm: Algorithm, kid: Option<&str>, now: u64) -> Result<VerificationKey, NoKey> {
        let mut state = self.state.lock().await;
        let mut lookup = state.lookup(algorithm, kid, now);
        if state.wants_fetch(&lookup, now) {
            let fetched = self.fetch().await;
            state.record(fetched, now);
            lookup = state.lookup(algorithm, kid, now);
        }
        match (lookup, &state.failure) {
            (Lookup::Found(key), _) => Ok(key),
            (Lookup::Refused, _) => Err(NoKey::Refused(Refusal::Algorithm)),
            (Lookup::Unknown, None) => Err(NoKey::Refused(Refusal::UnknownKey)),
            (Lookup::Unknown, Some(failure)) => Err(NoKey::Unavailable(failure.cause.clone())),
        }
    }

    async fn fetch(&self) -> Result<Vec<VerificationKey>, Unavailable> {
        let client = self.client.get_or_try_init(|| async { client(&self.url) }).await?;
        let response = client.get(self.url.clone()).send().await?;
        if response.status() != StatusCode::OK {
            return Err(Unavailable(format!("status {}", response.status())));
        }
        parse(&read(response).await?)
    }
}

/// Expensive, as it loads the TLS roots. Connections are not kept, because none survives the time between two fetches;
/// redirects are not followed, because they could lead away from https.
fn client(url: &Url) -> reqwest::Result<Client> {
    Client::builder()
        .https_only(url.scheme() == "https")
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(FETCH_TIMEOUT)
        .pool_max_idle_per_host(0)
        .build()
}

impl State {
    fn lookup(&self, algorithm: Algorithm, kid: Option<&str>, now: u64) -> Lookup {
        if self.age(now).is_none_or(|age| age > MAX_STALENESS) {
            return Lookup::Unknown;
        }
        let mut named = self.keys.iter().filter(|key| kid.is_none() || key.kid.as_deref() == kid).peekable();
        if named.peek().is_none() {
            return Lookup::Unknown;
        }
        let mut fitting = named.filter(|key| key.algorithm == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Lookup::Found(key.clone()),
            _ => Lookup::Refused,
        }
    }

    fn wants_fetch(&self, lookup: &Lookup, now: u64) -> bool {
        if self.failure.as_ref().is_some_and(|failure| now.abs_diff(failure.at) < RETRY_INTERVAL) {
            return false;
        }
        match self.age(now) {
            None => true,
            Some(age) => age >= MAX_AGE || (matches!(lookup, Lookup::Unknown) && age >= MIN_INTERVAL),
        }
    }

    /// Seconds since the set was fetched. Its size counts, not its sign: a clock that was set back must not make a set
    /// young for longer than the difference.
    fn age(&self, now: u64) -> Option<u64> {
        self.fetched_at.map(|at| now.abs_diff(at))
    }

    fn record(&mut self, fetched: Result<Vec<VerificationKey>, Unavailable>, now: u64) {
        match fetched {
            Ok(keys) => *self = Self { keys, fetched_at: Some(now), failure: None },
            Err(cause) => {
                tracing::warn!(%cause, known_keys = self.keys.len(), "JWKS not fetched");
                self.failure = Some(Failure { at: now, cause });
            }
        }
    }
}

/// The usable keys of a set. Others may be in it and are passed over, but a set without any is taken for a mistake of
/// the issuer, so that the keys at hand stay.
fn parse(body: &[u8]) -> Result<Vec<VerificationKey>, Unavailable> {
    let document: Document = serde_json::from_slice(body).map_err(|_| Unavailable("not a JWKS".to_owned()))?;
    let jwk = |value| serde_json::from_value::<Jwk>(value).ok();
    let keys: Vec<_> =
        document.keys.into_iter().filter_map(jwk).filter_map(|jwk| VerificationKey::from_jwk(&jwk)).collect();
    if keys.is_empty() { Err(Unavailable("no usable key in the JWKS".to_owned())) } else { Ok(keys) }
}

async fn read(mut response: Response) -> Result<Vec<u8>, Unavailable> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(Unavailable(format!("more than {MAX_BYTES} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl From<reqwest::Error> for Unavailable {
    fn from(error: reqwest::Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self(text)
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the issuer's keys could not be fetched: {}", self.0)
    }
}

impl Error for Unavailable {}
