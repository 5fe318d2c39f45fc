//! A key and the one algorithm that it is for.
//!
//! A token says which algorithm and key it was signed with, and an attacker says whatever helps: `none`, or HMAC with
//! the issuer's public key as the secret. So the algorithm belongs to the key: the secret is for HS256 and nothing else,
//! and a key of the issuer for the one algorithm of its type.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

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
