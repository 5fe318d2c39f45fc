//! The issuer's JSON Web Key Set: fetched when the first token needs it, and kept.
//!
//! It is a [`keyring`](crate::keyring): that module says when it is fetched again. A token names its key, so an unknown
//! name is what asks for a newer set.

use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::Jwk;
use reqwest::{Client, Url};
use serde::Deserialize;
use tokio::sync::{Mutex, OnceCell};

use crate::discovery::Provider;
use crate::fetch::{client, get, unavailable};
use crate::keyring::{Keyring, NoKey, Unavailable};
use crate::refusal::Refusal;
use crate::verification_key::VerificationKey;

/// Where a key set is.
#[derive(Clone, Debug)]
pub enum Location {
    /// There.
    Url(Url),
    /// Where the issuer says, which is asked each time anew: it may move its keys.
    Discovered(Provider),
}

/// The key set of an issuer.
pub struct Jwks {
    location: Location,
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
    pub fn new(location: Location) -> Self {
        Self { location, client: OnceCell::new(), ring: Mutex::default() }
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
        let first = match &self.location {
            Location::Url(url) => url,
            Location::Discovered(provider) => provider.document(),
        };
        let client = self.client.get_or_try_init(|| async { client(first) }).await?;
        let url = match &self.location {
            Location::Url(url) => url.clone(),
            Location::Discovered(provider) => provider.key_set(client).await?,
        };
        parse(&get(client, url).await?)
    }
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
