//! Keys made on the spot, and tokens signed with them.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// RSA keys take a while to make.
static RSA: LazyLock<[RsaKey; 2]> = LazyLock::new(|| [RsaKey::generate(), RsaKey::generate()]);

struct RsaKey {
    private: EncodingKey,
    public_pem: String,
}

/// A private key with a name.
pub struct Signer {
    pub kid: &'static str,
    pub algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    pub fn rsa(kid: &'static str) -> Self {
        Self { kid, algorithm: Algorithm::RS256, key: RSA[0].private.clone() }
    }

    /// Another key than that of [`Signer::rsa`].
    pub fn other_rsa(kid: &'static str) -> Self {
        Self { kid, algorithm: Algorithm::RS256, key: RSA[1].private.clone() }
    }

    pub fn ec(kid: &'static str) -> Self {
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self { kid, algorithm: Algorithm::ES256, key: EncodingKey::from_ec_der(key.as_ref()) }
    }

    pub fn ed(kid: &'static str) -> Self {
        // Without the public half, which is the form that jsonwebtoken reads it from.
        let key = Ed25519KeyPair::generate().unwrap();
        let key = AsDer::<Pkcs8V1Der>::as_der(&key).unwrap();
        Self { kid, algorithm: Algorithm::EdDSA, key: EncodingKey::from_ed_der(key.as_ref()) }
    }

    /// The public half, as a JWKS shows it.
    pub fn jwk(&self) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap()).unwrap();
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The public half with some members replaced.
    pub fn jwk_with<const N: usize>(&self, changes: [(&str, Value); N]) -> Value {
        let mut jwk = self.jwk();
        for (name, value) in changes {
            jwk[name] = value;
        }
        jwk
    }

    /// A token that names this key.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(Some(self.kid), claims)
    }

    /// A token of this key that names another key, or none.
    pub fn sign_as(&self, kid: Option<&str>, claims: &Value) -> String {
        self.sign_with(Header { kid: kid.map(str::to_owned), ..Header::new(self.algorithm) }, claims)
    }

    /// A token of this key with any header.
    pub fn sign_with(&self, header: Header, claims: &Value) -> String {
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

/// An HS256 token.
pub fn hs256(secret: &[u8], claims: &Value) -> String {
    jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// An HS256 token of two texts, whatever they are.
pub fn hs256_text(secret: &[u8], header: &str, claims: &str) -> String {
    let message = format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

/// A token of freely chosen parts.
pub fn raw(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

/// The public half of [`Signer::rsa`] as PEM text, as an attacker finds it.
pub fn rsa_public_pem() -> &'static str {
    &RSA[0].public_pem
}

impl RsaKey {
    fn generate() -> Self {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let private = AsDer::<Pkcs8V1Der>::as_der(&key).unwrap();
        let public = AsDer::<PublicKeyX509Der>::as_der(key.public_key()).unwrap();
        let private = EncodingKey::from_rsa_pem(pem("PRIVATE KEY", private.as_ref()).as_bytes()).unwrap();
        Self { private, public_pem: pem("PUBLIC KEY", public.as_ref()) }
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}
