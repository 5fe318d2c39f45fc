//! Which token is good, and what it says.
//!
//! The signature, `exp`, `nbf`, `iss` and `aud` are checked by [`jsonwebtoken`], which by default accepts tokens without
//! `iss` or `aud`, an `iss` that is a list, tokens from the future and a minute after the end: [`Verifier`] closes all
//! of these.

use jsonwebtoken::{Header, Validation};

use crate::claims::{AUDIENCE, ClaimNames, Claims};
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::verification_key::VerificationKey;

/// Most bytes of a subject and of an API key: both are kept in memory, and the subject goes into each journal record.
pub const MAX_NAME_BYTES: usize = 256;

/// Who is asking, and what they may ask for.
#[derive(Debug, PartialEq, Eq)]
pub struct Principal {
    /// The subject, of 1 to [`MAX_NAME_BYTES`] bytes.
    pub sub: String,
    /// Claim `api_key`, of as many: whose rate limits apply, instead of the subject's own.
    pub api_key: Option<String>,
    /// Until when the token is good, seconds since the epoch: its end, rounded down, and the leeway.
    pub exp: u64,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// Claim `cache_key_prefixes`: the token is good for keys under these only. Empty means for no key at all, absent
    /// for every key.
    pub prefixes: Option<Vec<String>>,
}

/// The token of an Authorization header: `Bearer` in any case, spaces, and one token (RFC 6750 section 2.1). Two
/// headers arrive as one value joined by a comma, which no token contains.
///
/// # Errors
/// It is something else.
pub fn bearer(authorization: &str) -> Result<&str, Refusal> {
    let (scheme, rest) = authorization.split_once(' ').ok_or(Refusal::NotBearer)?;
    let token = rest.trim_matches(' ');
    let one = !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if scheme.eq_ignore_ascii_case("bearer") && one { Ok(token) } else { Err(Refusal::NotBearer) }
}

/// The token's header, which nobody has vouched for yet: good for choosing a key, and for nothing else.
///
/// # Errors
/// It cannot be read, or demands an extension.
pub fn header(token: &str) -> Result<Header, Refusal> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| Refusal::Malformed)?;
    if header.crit.is_some() { Err(Refusal::CriticalHeader) } else { Ok(header) }
}

/// What every good token has in common.
pub struct Verifier {
    validation: Validation,
    audience: String,
    names: ClaimNames,
}

impl Verifier {
    /// A verifier for one issuer and audience.
    pub fn new(settings: &Settings) -> Self {
        let mut validation = Validation {
            algorithms: Vec::new(),
            leeway: settings.leeway_seconds,
            validate_nbf: true,
            ..Validation::default()
        };
        validation.set_issuer(&[&settings.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        if settings.claims.audience == AUDIENCE {
            validation.set_audience(&[&settings.audience]);
            validation.required_spec_claims.insert(AUDIENCE.to_owned());
        } else {
            validation.validate_aud = false;
        }
        Self { validation, audience: settings.audience.clone(), names: settings.claims.clone() }
    }

    /// Verifies `token` with the one algorithm that `key` is for, and returns its bearer.
    ///
    /// # Errors
    /// The token is not good at `now` (seconds since the epoch).
    pub fn verify(&self, token: &str, key: &VerificationKey, now: u64) -> Result<Principal, Refusal> {
        let mut validation = self.validation.clone();
        validation.algorithms = vec![key.algorithm];
        match self.read(token, key, &validation, now) {
            // This is looked at first, and the caller is told: everything else must hold.
            Err(Refusal::Expired) => {
                validation.validate_exp = false;
                self.read(token, key, &validation, now).and(Err(Refusal::Expired))
            }
            read => read,
        }
    }

    fn read(
        &self,
        token: &str,
        key: &VerificationKey,
        validation: &Validation,
        now: u64,
    ) -> Result<Principal, Refusal> {
        let claims: Claims = jsonwebtoken::decode(token, &key.key, validation).map_err(|e| Refusal::from(&e))?.claims;
        // Read by the validation as well, which would let it be a list.
        claims.required::<String>("iss")?;
        if !claims.is_or_lists(&self.names.audience, &self.audience) {
            return Err(Refusal::Audience);
        }
        // RFC 7519 allows fractions in dates.
        if claims.optional::<f64>("iat")?.is_some_and(|iat| iat > (now + self.validation.leeway) as f64) {
            return Err(Refusal::NotYetValid);
        }
        self.bearer(&claims)
    }

    fn bearer(&self, claims: &Claims) -> Result<Principal, Refusal> {
        let principal = Principal {
            sub: claims.required("sub")?,
            api_key: claims.optional(&self.names.api_key)?,
            exp: (claims.required::<f64>("exp")? as u64).saturating_add(self.validation.leeway),
            scopes: claims.scopes(&self.names)?,
            prefixes: claims.optional(&self.names.prefixes)?,
        };
        let is_name = |text: &str| (1..=MAX_NAME_BYTES).contains(&text.len());
        let has_empty_prefix = principal.prefixes.iter().flatten().any(String::is_empty);
        if !is_name(&principal.sub) || !principal.api_key.as_deref().is_none_or(is_name) || has_empty_prefix {
            return Err(Refusal::Claims);
        }
        Ok(principal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_after_any_bearer() {
        for good in ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "Bearer   a.b.c", "Bearer a.b.c "] {
            assert_eq!(bearer(good), Ok("a.b.c"), "{good}");
        }
    }

    #[test]
    fn anything_else_is_no_bearer() {
        let bad = ["", "Bearer", "Bearer ", "a.b.c", "Basic a.b.c", "Bearera.b.c", "Bearer\ta.b.c", " Bearer a.b.c"];
        let two = ["Bearer a.b.c d.e.f", "Bearer a.b.c,Bearer d.e.f", "Bearer a.b.c, Bearer d.e.f", "Bearer a.b.c\n"];
        for text in bad.iter().chain(&two) {
            assert_eq!(bearer(text), Err(Refusal::NotBearer), "{text:?}");
        }
    }
}
