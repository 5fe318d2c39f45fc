//! The issuer's JSON Web Key Set: fetched when the first token needs it, and kept.
//!
//! It is a [`keyring`](crate::keyring): that module says when it is fetched again. A token names its key, so an unknown
//! name is what asks for a newer set.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::Jwk;
use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde::Deserialize;
use tokio::sync::{Mutex, OnceCell};

use crate::keyring::{Keyring, Unavailable};
use crate::keys::{NoKey, VerificationKey};
use crate::token::Refusal;

/// Largest set read, in bytes. A set of ten keys with certificates has about 30 KB.
pub const MAX_BYTES: usize = 256 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest fetch; well within the function's own timeout.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);
const WHAT: &str = "the issuer's keys";

/// The key set behind one URL.
pub struct Jwks {
    url: Url,
    client: OnceCell<Client>,
    ring: Mutex<Keyring<VerificationKey>>,
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
        Self { url, client: OnceCell::new(), ring: Mutex::default() }
    }

    /// The key named `kid` for `algorithm`, fetching the set when it is missing, old, or lacks that name.
    ///
    /// # Errors
    /// The issuer has no such key, or could not be asked.
    pub async fn find(&self, algorithm: Algorithm, kid: Option<&str>, now: u64) -> Result<VerificationKey, NoKey> {
        let mut ring = self.ring.lock().await;
        let mut found = lookup(ring.keys(now), algorithm, kid);
        if ring.wants_fetch(!matches!(found, Lookup::Unknown), now) {
            let fetched = self.fetch().await;
            ring.record(fetched, now);
            found = lookup(ring.keys(now), algorithm, kid);
        }
        match found {
            Lookup::Found(key) => Ok(key),
            Lookup::Refused => Err(NoKey::Refused(Refusal::Algorithm)),
            Lookup::Unknown => Err(ring.no_key(Refusal::UnknownKey, now)),
        }
    }

    async fn fetch(&self) -> Result<Vec<VerificationKey>, Unavailable> {
        let client = self.client.get_or_try_init(|| async { client(&self.url) }).await?;
        let response = client.get(self.url.clone()).send().await?;
        if response.status() != StatusCode::OK {
            return Err(unavailable(format!("status {}", response.status())));
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

fn lookup(keys: &[VerificationKey], algorithm: Algorithm, kid: Option<&str>) -> Lookup {
    let mut named = keys.iter().filter(|key| kid.is_none() || key.kid.as_deref() == kid).peekable();
    if named.peek().is_none() {
        return Lookup::Unknown;
    }
    let mut fitting = named.filter(|key| key.algorithm == algorithm);
    match (fitting.next(), fitting.next()) {
        (Some(key), None) => Lookup::Found(key.clone()),
        _ => Lookup::Refused,
    }
}

/// The usable keys of a set. Others may be in it and are passed over, but a set without any is taken for a mistake of
/// the issuer, so that the keys at hand stay.
fn parse(body: &[u8]) -> Result<Vec<VerificationKey>, Unavailable> {
    let document: Document = serde_json::from_slice(body).map_err(|_| unavailable("not a JWKS"))?;
    let jwk = |value| serde_json::from_value::<Jwk>(value).ok();
    let keys: Vec<_> =
        document.keys.into_iter().filter_map(jwk).filter_map(|jwk| VerificationKey::from_jwk(&jwk)).collect();
    if keys.is_empty() { Err(unavailable("no usable key in the JWKS")) } else { Ok(keys) }
}

async fn read(mut response: Response) -> Result<Vec<u8>, Unavailable> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(unavailable(format!("more than {MAX_BYTES} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl From<reqwest::Error> for Unavailable {
    fn from(error: reqwest::Error) -> Self {
        // Its text would have the URL, whose query and user information may be secret.
        Self::because(WHAT, &error.without_url())
    }
}

fn unavailable(why: impl Into<String>) -> Unavailable {
    Unavailable::new(WHAT, why)
}
