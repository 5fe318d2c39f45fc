//! Tokens for the local stack: what the deployment's issuer would sign.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use crate::calendar;

/// Every scope there is.
pub const ALL_SCOPES: [&str; 3] = ["cache:read", "cache:write", "cache:admin"];

/// What a token says about its bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `sub`.
    pub subject: String,
    /// `scope`.
    pub scopes: Vec<String>,
    /// `api_key`; the subject stands in for it when there is none.
    pub api_key: Option<String>,
    /// `cache_key_prefixes`; without it the token is not limited to any.
    pub prefixes: Option<Vec<String>>,
    /// From now to `exp`, in seconds; negative for a token that has expired.
    pub ttl_seconds: i64,
}

impl Default for Claims {
    /// All scopes, for one hour.
    fn default() -> Self {
        Self::with_scopes(&ALL_SCOPES)
    }
}

impl Claims {
    /// Just these scopes, for one hour.
    pub fn with_scopes(scopes: &[&str]) -> Self {
        Self {
            subject: "local".to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            api_key: None,
            prefixes: None,
            ttl_seconds: 3600,
        }
    }

    /// Another subject.
    pub fn subject(mut self, subject: &str) -> Self {
        subject.clone_into(&mut self.subject);
        self
    }

    /// An API key of its own, which is what rate limits count by.
    pub fn api_key(mut self, api_key: &str) -> Self {
        self.api_key = Some(api_key.to_owned());
        self
    }

    /// Only keys under these prefixes.
    pub fn prefixes(mut self, prefixes: &[&str]) -> Self {
        self.prefixes = Some(prefixes.iter().map(|&prefix| prefix.to_owned()).collect());
        self
    }

    /// Another lifetime, in seconds.
    pub fn ttl_seconds(mut self, ttl: i64) -> Self {
        self.ttl_seconds = ttl;
        self
    }
}

/// What the authorizer of a local stack accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The HS256 secret, JWT_SECRET.
    pub secret: String,
    /// `iss`, JWT_ISSUER.
    pub issuer: String,
    /// `aud`, JWT_AUDIENCE.
    pub audience: String,
}

impl Default for Issuer {
    /// The same for every local stack, so that a token outlives a restart. It opens nothing but local stacks.
    fn default() -> Self {
        Self {
            secret: "not-a-secret-only-for-the-local-stack".to_owned(),
            issuer: "https://issuer.strata.local".to_owned(),
            audience: "strata".to_owned(),
        }
    }
}

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_key_prefixes: Option<&'a [String]>,
}

impl Issuer {
    /// Signs a token.
    pub fn sign(&self, claims: &Claims) -> String {
        let now = i64::try_from(calendar::now_ms() / 1000).unwrap_or(i64::MAX);
        let payload = Payload {
            iss: &self.issuer,
            aud: &self.audience,
            sub: &claims.subject,
            // A token that has expired was issued before.
            iat: now.min(now.saturating_add(claims.ttl_seconds)),
            exp: now.saturating_add(claims.ttl_seconds),
            scope: claims.scopes.join(" "),
            api_key: claims.api_key.as_deref(),
            cache_key_prefixes: claims.prefixes.as_deref(),
        };
        let key = EncodingKey::from_secret(self.secret.as_bytes());
        encode(&Header::new(Algorithm::HS256), &payload, &key).expect("claims are JSON and HS256 takes any secret")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jsonwebtoken::{DecodingKey, Validation, decode};
    use serde_json::Value;

    fn payload(claims: &Claims) -> Value {
        let issuer = Issuer::default();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[&issuer.audience]);
        validation.set_issuer(&[&issuer.issuer]);
        validation.validate_exp = false;
        let key = DecodingKey::from_secret(issuer.secret.as_bytes());
        decode(issuer.sign(claims), &key, &validation).unwrap().claims
    }

    #[test]
    fn a_token_has_the_claims_asked_for() {
        let claims =
            Claims::with_scopes(&["cache:read", "cache:write"]).subject("s").api_key("k").prefixes(&["a:", "b:"]);
        let payload = payload(&claims);
        assert_eq!((&payload["sub"], &payload["api_key"]), (&Value::from("s"), &Value::from("k")));
        assert_eq!(payload["scope"], "cache:read cache:write");
        assert_eq!(payload["cache_key_prefixes"], serde_json::json!(["a:", "b:"]));
        assert_eq!(payload["exp"].as_i64().unwrap() - payload["iat"].as_i64().unwrap(), 3600);
    }

    #[test]
    fn optional_claims_stay_out() {
        let payload = payload(&Claims::default().ttl_seconds(-60));
        assert!(payload.get("api_key").is_none() && payload.get("cache_key_prefixes").is_none());
        assert_eq!(payload["exp"], payload["iat"]);
    }
}
