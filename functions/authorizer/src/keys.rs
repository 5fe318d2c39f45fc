//! Which key may verify which token.
//!
//! A token says which algorithm and key it was signed with, and an attacker says whatever helps: `none`, or HMAC with
//! the issuer's public key as the secret. So the algorithm belongs to the key: the secret is for HS256 and nothing else,
//! and a key of the issuer for the one algorithm of its type.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header};

use crate::jwks::{Jwks, Location};
use crate::keyring::Unavailable;
use crate::secret_store::SecretStore;
use crate::settings::SecretSource;
use crate::token::Refusal;

/// A key and the one algorithm that it is for.
#[derive(Debug, Clone)]
pub struct VerificationKey {
    /// The issuer's name for the key.
    pub kid: Option<String>,
    /// The only algorithm of a token that this key may verify.
    pub algorithm: Algorithm,
    /// The key itself.
    pub key: DecodingKey,
}

/// Why there is no key for a token.
#[derive(Debug)]
pub enum NoKey {
    /// There is none, for certain: the token is bad.
    Refused(Refusal),
    /// It could not be found out.
    Unavailable(Unavailable),
}

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

impl VerificationKey {
    /// The key of a shared secret.
    pub(crate) fn hs256(key: DecodingKey) -> Self {
        Self { kid: None, algorithm: Algorithm::HS256, key }
    }

    /// The key of a JWK, unless it is of an unknown type, or for something else than verifying with that type's
    /// algorithm: such keys are not ours to use (RFC 7517 sections 4.2, 4.3, 4.4 and 5).
    pub fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let algorithm = algorithm_of(&jwk.algorithm)?;
        let common = &jwk.common;
        let for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
        let for_verifying = common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
        let for_algorithm = common.key_algorithm.is_none_or(|declared| declared == algorithm.into());
        if !(for_signatures && for_verifying && for_algorithm) {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some(Self { kid: common.key_id.clone(), algorithm, key })
    }
}

/// The algorithm of a key's type. A symmetric key in a public key set would be everybody's, so it has none.
fn algorithm_of(parameters: &AlgorithmParameters) -> Option<Algorithm> {
    match parameters {
        AlgorithmParameters::RSA(_) => Some(Algorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Some(Algorithm::ES256),
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Some(Algorithm::EdDSA),
        _ => None,
    }
}
