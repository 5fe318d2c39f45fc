//! What a deployment says about its tokens. This is the one place of the authorizer that reads the environment, and it
//! reads it through a closure, so that a test can stand in for it.

use std::fmt;
use std::str::FromStr;

use aws_sdk_secretsmanager::config::Credentials;

use crate::claims::ClaimNames;
use crate::discovery::Provider;
use crate::fetch::trusted;
use crate::jwks::Location;

/// Leeway when none is set, in seconds: clocks kept by NTP differ by far less.
const DEFAULT_LEEWAY_SECONDS: u64 = 5;
/// Most leeway accepted, in seconds. More would keep expired tokens alive for longer than clocks can explain.
const MAX_LEEWAY_SECONDS: u64 = 30;
/// Shortest secret accepted, in bytes: RFC 7518 section 3.2 wants at least the size of the hash for HS256.
const MIN_SECRET_BYTES: usize = 32;

/// Which tokens are good. `Debug` leaves out all that could hold a secret.
pub struct Settings {
    /// `JWT_ISSUER`, required: the only accepted `iss`.
    pub issuer: String,
    /// `JWT_AUDIENCE`, required: what `aud`, or the claim that `JWT_AUDIENCE_CLAIM` names, must be or contain.
    pub audience: String,
    /// What verifies HS256 tokens, which are refused without it.
    pub secret: Option<SecretSource>,
    /// `JWKS_URL`, https (http only to this machine), or where the issuer says when `JWKS_DISCOVERY` is `on`: verifies
    /// RS256, ES256 and EdDSA tokens, which are refused without either.
    pub key_set: Option<Location>,
    /// `JWT_LEEWAY_SECONDS`, 5 unless given, 30 at most: how far `exp`, `nbf` and `iat` may be off.
    pub leeway_seconds: u64,
    /// `JWT_SCOPES_CLAIM`, `JWT_SCOPE_PREFIX`, `JWT_AUDIENCE_CLAIM`, `JWT_PREFIXES_CLAIM`, `JWT_API_KEY_CLAIM`: claims of
    /// the token's top level.
    pub claims: ClaimNames,
}

/// Where the shared secret is, which has at least 32 bytes.
#[derive(Debug)]
pub enum SecretSource {
    /// `JWT_SECRET`: in the environment, where everybody reads it who may see the function's configuration. For use on
    /// one's own machine.
    Given(Secret),
    /// `JWT_SECRET_ARN`: in AWS Secrets Manager.
    Stored(SecretLocation),
}

/// Where Secrets Manager keeps the shared secret, and who asks for it.
#[derive(Debug)]
pub struct SecretLocation {
    /// `JWT_SECRET_ARN`: `arn:aws:secretsmanager:region:account:secret:name`.
    pub arn: String,
    /// The region, which the ARN names.
    pub region: String,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`: the function's own, as Lambda sets them.
    pub credentials: Credentials,
    /// `AWS_ENDPOINT_URL_SECRETS_MANAGER`: another endpoint than that of the region.
    pub endpoint: Option<String>,
}

/// A shared secret, which is never printed.
pub struct Secret(String);

/// A setting that cannot be used. The message names the variable and never shows a secret.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingsError {
    variable: &'static str,
    problem: &'static str,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("secret", &self.secret)
            .field("has_key_set", &self.key_set.is_some())
            .field("leeway_seconds", &self.leeway_seconds)
            .field("claims", &self.claims)
            .finish()
    }
}

impl Settings {
    /// The settings of this process's environment.
    ///
    /// # Errors
    /// A variable is missing or unusable.
    #[expect(clippy::disallowed_methods, reason = "the one place of the authorizer that reads the environment")]
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// The settings that `lookup` knows by the names of the environment variables. Empty means absent, because a
    /// template cannot leave a variable out.
    ///
    /// # Errors
    /// A variable is missing or unusable.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let get = |name| lookup(name).filter(|value| !value.is_empty());
        let issuer = get("JWT_ISSUER").ok_or(required("JWT_ISSUER"))?;
        let settings = Self {
            audience: get("JWT_AUDIENCE").ok_or(required("JWT_AUDIENCE"))?,
            secret: secret_source(get)?,
            key_set: key_set(get, &issuer)?,
            leeway_seconds: get("JWT_LEEWAY_SECONDS").as_deref().map_or(Ok(DEFAULT_LEEWAY_SECONDS), leeway)?,
            claims: claim_names(get),
            issuer,
        };
        if settings.secret.is_none() && settings.key_set.is_none() {
            return Err(required("JWT_SECRET_ARN, JWKS_URL or JWKS_DISCOVERY"));
        }
        Ok(settings)
    }
}

fn required(variable: &'static str) -> SettingsError {
    SettingsError { variable, problem: "is required" }
}

fn secret_source(get: impl Fn(&'static str) -> Option<String>) -> Result<Option<SecretSource>, SettingsError> {
    match (get("JWT_SECRET"), get("JWT_SECRET_ARN")) {
        (None, None) => Ok(None),
        (Some(secret), None) => Secret::try_from(secret).map(SecretSource::Given).map(Some),
        (None, Some(arn)) => secret_location(arn, get).map(SecretSource::Stored).map(Some),
        // One of them is left over from a change, and nobody could tell which verifies.
        (Some(_), Some(_)) => {
            Err(SettingsError { variable: "JWT_SECRET", problem: "must not be set together with JWT_SECRET_ARN" })
        }
    }
}

fn secret_location(arn: String, get: impl Fn(&'static str) -> Option<String>) -> Result<SecretLocation, SettingsError> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "secretsmanager", region, _, _] = parts[..] else {
        return Err(SettingsError { variable: "JWT_SECRET_ARN", problem: "must be the ARN of a secret" });
    };
    let variable = |name| get(name).ok_or(required(name));
    let (key, secret) = (variable("AWS_ACCESS_KEY_ID")?, variable("AWS_SECRET_ACCESS_KEY")?);
    let credentials = Credentials::new(key, secret, get("AWS_SESSION_TOKEN"), None, "environment");
    Ok(SecretLocation {
        region: region.to_owned(),
        credentials,
        endpoint: get("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
        arn,
    })
}

fn leeway(text: &str) -> Result<u64, SettingsError> {
    let problem = "must be a whole number of seconds from 0 to 30";
    u64::from_str(text)
        .ok()
        .filter(|seconds| *seconds <= MAX_LEEWAY_SECONDS)
        .ok_or(SettingsError { variable: "JWT_LEEWAY_SECONDS", problem })
}

fn key_set(get: impl Fn(&'static str) -> Option<String>, issuer: &str) -> Result<Option<Location>, SettingsError> {
    let unusable = |variable, problem| Err(SettingsError { variable, problem });
    match (get("JWKS_URL"), get("JWKS_DISCOVERY").as_deref()) {
        (None, None | Some("off")) => Ok(None),
        (Some(url), None | Some("off")) => match trusted(&url) {
            Some(url) => Ok(Some(Location::Url(url))),
            None => unusable("JWKS_URL", "must be an https URL"),
        },
        (None, Some("on")) => match Provider::of(issuer) {
            Some(provider) => Ok(Some(Location::Discovered(provider))),
            None => unusable("JWT_ISSUER", "must be an https URL without query for JWKS_DISCOVERY"),
        },
        // One of them is left over from a change, and nobody could tell which names the keys.
        (Some(_), Some("on")) => unusable("JWKS_DISCOVERY", "must not be on together with JWKS_URL"),
        _ => unusable("JWKS_DISCOVERY", "must be on or off"),
    }
}

fn claim_names(get: impl Fn(&'static str) -> Option<String>) -> ClaimNames {
    let default = ClaimNames::default();
    ClaimNames {
        scopes: get("JWT_SCOPES_CLAIM").map_or(default.scopes, |name| vec![name]),
        scope_prefix: get("JWT_SCOPE_PREFIX").unwrap_or(default.scope_prefix),
        audience: get("JWT_AUDIENCE_CLAIM").unwrap_or(default.audience),
        prefixes: get("JWT_PREFIXES_CLAIM").unwrap_or(default.prefixes),
        api_key: get("JWT_API_KEY_CLAIM").unwrap_or(default.api_key),
    }
}

impl Secret {
    /// The secret's bytes, for the key that is made of it.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl TryFrom<String> for Secret {
    type Error = SettingsError;

    fn try_from(text: String) -> Result<Self, SettingsError> {
        if text.len() < MIN_SECRET_BYTES {
            return Err(SettingsError { variable: "JWT_SECRET", problem: "must have at least 32 bytes" });
        }
        Ok(Self(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.variable, self.problem)
    }
}

impl std::error::Error for SettingsError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    /// Settings of a good environment with some variables replaced.
    fn settings(changes: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let good = [("JWT_ISSUER", "https://issuer"), ("JWT_AUDIENCE", "strata"), ("JWT_SECRET", SECRET)];
        let all: std::collections::HashMap<_, _> = good.iter().chain(changes).copied().collect();
        Settings::from_lookup(|name| all.get(name).map(|value| (*value).to_owned()))
    }

    fn problem(changes: &[(&str, &str)]) -> String {
        settings(changes).unwrap_err().to_string()
    }

    #[test]
    fn defaults() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.leeway_seconds, 5);
        assert!(settings.key_set.is_none());
        assert_eq!(settings.claims, ClaimNames::default());
        assert!(matches!(settings.secret, Some(SecretSource::Given(secret)) if secret.as_bytes() == SECRET.as_bytes()));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(problem(&[("JWT_ISSUER", "")]), "JWT_ISSUER is required");
        assert_eq!(problem(&[("JWT_AUDIENCE", "")]), "JWT_AUDIENCE is required");
        assert_eq!(problem(&[("JWT_SECRET", "")]), "JWT_SECRET_ARN, JWKS_URL or JWKS_DISCOVERY is required");
    }

    #[test]
    fn a_short_secret_is_refused_and_not_shown() {
        let error = problem(&[("JWT_SECRET", "hunter2")]);
        assert_eq!(error, "JWT_SECRET must have at least 32 bytes");
        assert!(!format!("{:?}", settings(&[]).unwrap()).contains(SECRET));
    }

    #[test]
    fn the_key_set_s_url_is_not_shown() {
        let shown =
            format!("{:?}", settings(&[("JWKS_URL", "https://user:hunter2@issuer/keys?code=hunter2")]).unwrap());
        assert!(shown.contains("has_key_set: true") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn the_issuer_is_asked_for_its_keys_only_where_that_is_said() {
        let discovers = |issuer: &str| settings(&[("JWKS_DISCOVERY", "on"), ("JWT_ISSUER", issuer)]);
        for good in ["https://issuer", "https://issuer/", "https://issuer/tenant/v2.0", "http://127.0.0.1:9"] {
            assert!(matches!(discovers(good).unwrap().key_set, Some(Location::Discovered(_))), "{good}");
        }
        for bad in ["http://issuer", "issuer", "https://issuer?x=1", "https://issuer#x", "ftp://issuer"] {
            assert!(discovers(bad).unwrap_err().to_string().starts_with("JWT_ISSUER must be"), "{bad}");
        }
        assert!(settings(&[("JWKS_DISCOVERY", "off")]).unwrap().key_set.is_none());
        assert_eq!(problem(&[("JWKS_DISCOVERY", "yes")]), "JWKS_DISCOVERY must be on or off");
        let both = problem(&[("JWKS_DISCOVERY", "on"), ("JWKS_URL", "https://issuer/keys")]);
        assert_eq!(both, "JWKS_DISCOVERY must not be on together with JWKS_URL");
    }

    #[test]
    fn a_stored_secret_is_asked_for_in_the_region_of_its_arn() {
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:strata/jwt-AbCdEf";
        let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "hidden"), ("AWS_SESSION_TOKEN", "token")];
        let stored = |arn| [&[("JWT_SECRET", ""), ("JWT_SECRET_ARN", arn)], &keys[..]].concat();
        let settings = settings(&stored(arn)).unwrap();
        assert!(!format!("{settings:?}").contains("hidden"));
        let Some(SecretSource::Stored(location)) = settings.secret else { panic!("{settings:?}") };
        assert_eq!((location.region.as_str(), location.arn.as_str()), ("eu-west-1", arn));
        assert_eq!(location.credentials.session_token(), Some("token"));
        assert_eq!(problem(&stored("strata/jwt")), "JWT_SECRET_ARN must be the ARN of a secret");
        assert_eq!(problem(&stored(arn)[..2]), "AWS_ACCESS_KEY_ID is required");
        let both = problem(&[("JWT_SECRET_ARN", arn)]);
        assert_eq!(both, "JWT_SECRET must not be set together with JWT_SECRET_ARN");
    }

    #[test]
    fn keys_come_by_https_or_from_this_machine() {
        for good in ["https://issuer/keys", "http://127.0.0.1:9/keys", "http://localhost:9/", "http://[::1]:9/"] {
            assert!(settings(&[("JWKS_URL", good)]).is_ok(), "{good}");
        }
        for bad in ["http://issuer/keys", "http://127.0.0.1.evil.example/", "ftp://127.0.0.1/", "file:///keys", "keys"]
        {
            assert_eq!(problem(&[("JWKS_URL", bad)]), "JWKS_URL must be an https URL", "{bad}");
        }
    }

    #[test]
    fn leeway_is_bounded() {
        assert_eq!(settings(&[("JWT_LEEWAY_SECONDS", "0")]).unwrap().leeway_seconds, 0);
        assert_eq!(settings(&[("JWT_LEEWAY_SECONDS", "30")]).unwrap().leeway_seconds, 30);
        for bad in ["31", "-1", "1.5", "5s"] {
            assert!(problem(&[("JWT_LEEWAY_SECONDS", bad)]).starts_with("JWT_LEEWAY_SECONDS must"), "{bad}");
        }
    }
}
