//! Which key may verify which token.

use jsonwebtoken::{Algorithm, DecodingKey, Header};

use crate::jwks::{Jwks, Location};
use crate::keyring::NoKey;
use crate::refusal::Refusal;
use crate::secret_store::SecretStore;
use crate::settings::SecretSource;
use crate::verification_key::VerificationKey;

/// The keys of a deployment.
pub struct Keys {
    secret: Option<SharedSecret>,
    jwks: Option<Jwks>,
}

/// What verifies HS256 tokens.
enum SharedSecret {
    Given(VerificationKey),
    Stored(SecretStore),
}

impl Keys {
    /// The shared secret, the issuer's key set, or both. Fetches nothing yet.
    pub fn new(secret: Option<SecretSource>, key_set: Option<Location>) -> Self {
        let secret = secret.map(|source| match source {
            SecretSource::Given(secret) => {
                SharedSecret::Given(VerificationKey::hs256(DecodingKey::from_secret(secret.as_bytes())))
            }
            SecretSource::Stored(location) => SharedSecret::Stored(SecretStore::new(location)),
        });
        Self { secret, jwks: key_set.map(Jwks::new) }
    }

    /// The key for a token with this header. May fetch the shared secret or the issuer's keys.
    ///
    /// # Errors
    /// See [`NoKey`].
    pub async fn find(&self, token: &str, header: &Header, now: u64) -> Result<VerificationKey, NoKey> {
        match (header.alg, &self.secret, &self.jwks) {
            (Algorithm::HS256, Some(SharedSecret::Given(key)), _) => Ok(key.clone()),
            (Algorithm::HS256, Some(SharedSecret::Stored(store)), _) => store.find(token, now).await,
            (Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA, _, Some(jwks)) => {
                jwks.find(header.alg, header.kid.as_deref(), now).await
            }
            _ => Err(NoKey::Refused(Refusal::Algorithm)),
        }
    }
}
