//! The shared secret in AWS Secrets Manager: fetched when the first HS256 token needs it, and kept as a
//! [`keyring`](crate::keyring).
//!
//! A secret that is rotated has two versions for a while: the issuer signs with the new one (AWSCURRENT), and tokens of
//! the old one (AWSPREVIOUS) are still on their way. Both are good until the current one is [`OVERLAP`] old. A token
//! does not say which version it was signed with, so each is tried; when none fits, the secret may have been rotated
//! since the last fetch. A previous version that is of no use, now or ever, is passed over: the current one is good
//! without it.

use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Config, Region};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use tokio::sync::Mutex;

use crate::keyring::{Keyring, NoKey, Unavailable};
use crate::refusal::Refusal;
use crate::settings::{Secret, SecretLocation};
use crate::verification_key::VerificationKey;

/// Seconds after the current version was made for which the previous one is good too: as long as an issuer's tokens
/// usually live. Whoever rotates because the old secret is known takes its label AWSPREVIOUS away.
pub const OVERLAP: u64 = 3600;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1400);
/// Longest fetch, with one retry; well within the function's own timeout.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);
const WHAT: &str = "the shared secret";

/// The secret at one ARN.
pub struct SecretStore {
    location: SecretLocation,
    client: OnceLock<Client>,
    ring: Mutex<Keyring<Version>>,
}

/// One version of the secret.
struct Version {
    key: DecodingKey,
    /// From when on it is no longer good, in seconds since the epoch.
    until: Option<u64>,
}

/// A version as it is stored.
struct Stored {
    text: String,
    created_at: u64,
}

/// Why a version could not be had.
struct NoVersion {
    cause: Unavailable,
    /// Asking again will not help.
    is_lasting: bool,
}

impl SecretStore {
    /// Fetches nothing yet.
    pub fn new(location: SecretLocation) -> Self {
        Self { location, client: OnceLock::new(), ring: Mutex::default() }
    }

    /// The version that `token` was signed with, fetching the secret when it is missing, old, or does not fit.
    ///
    /// # Errors
    /// The token was signed with no version, or the secret could not be fetched.
    pub async fn find(&self, token: &str, now: u64) -> Result<VerificationKey, NoKey> {
        let mut ring = self.ring.lock().await;
        let mut found = signer(token, ring.keys(now), now);
        if ring.wants_fetch(found.is_some(), now) {
            let fetched = self.fetch().await;
            ring.record(fetched, now);
            found = signer(token, ring.keys(now), now);
        }
        found.ok_or_else(|| ring.no_key(Refusal::Signature, now))
    }

    async fn fetch(&self) -> Result<Vec<Version>, Unavailable> {
        let (current, previous) = tokio::join!(self.version("AWSCURRENT"), self.version("AWSPREVIOUS"));
        let current = current.map_err(|no| no.cause)?.ok_or_else(|| unavailable("it has no current version"))?;
        let key = key(current.text).ok_or_else(|| unavailable("it has less than 32 bytes"))?;
        let previous = unless_lasting(previous)?.and_then(|version| self::key(version.text));
        let until = Some(current.created_at.saturating_add(OVERLAP));
        Ok([Version { key, until: None }].into_iter().chain(previous.map(|key| Version { key, until })).collect())
    }

    /// The version with the label `stage`; none when no version has it.
    async fn version(&self, stage: &str) -> Result<Option<Stored>, NoVersion> {
        let client = self.client.get_or_init(|| client(&self.location));
        let answer = client.get_secret_value().secret_id(&self.location.arn).version_stage(stage).send().await;
        let answer = match answer {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                return Ok(None);
            }
            answer => answer.map_err(|error| NoVersion {
                is_lasting: error.as_service_error().is_some_and(is_lasting),
                cause: Unavailable::because(WHAT, &error),
            })?,
        };
        let created_at = answer.created_date().and_then(|date| u64::try_from(date.secs()).ok()).unwrap_or_default();
        let no_text = || NoVersion { cause: unavailable("it is no text"), is_lasting: true };
        let text = answer.secret_string.ok_or_else(no_text)?;
        Ok(Some(Stored { text, created_at }))
    }
}

/// Whether a version is of no use however often it is asked for; one that does not exist is none.
fn is_lasting(error: &GetSecretValueError) -> bool {
    error.is_decryption_failure() || error.is_invalid_request_exception()
}

/// The previous version. One that is of no use is as good as none, so that it does not take the current one along.
fn unless_lasting(previous: Result<Option<Stored>, NoVersion>) -> Result<Option<Stored>, Unavailable> {
    match previous {
        Err(NoVersion { cause, is_lasting: true }) => {
            tracing::warn!(%cause, "the previous version of the shared secret is passed over");
            Ok(None)
        }
        previous => previous.map_err(|no| no.cause),
    }
}

fn unavailable(why: &str) -> Unavailable {
    Unavailable::new(WHAT, why)
}

fn key(text: String) -> Option<DecodingKey> {
    let secret = Secret::try_from(text).ok()?;
    Some(DecodingKey::from_secret(secret.as_bytes()))
}

/// The key of the version that made the token's signature.
fn signer(token: &str, versions: &[Version], now: u64) -> Option<VerificationKey> {
    let (message, signature) = token.rsplit_once('.')?;
    let made_it = |version: &&Version| {
        crypto::verify(signature, message.as_bytes(), &version.key, Algorithm::HS256).unwrap_or(false)
    };
    let mut good = versions.iter().filter(|version| version.until.is_none_or(|until| now < until));
    good.find(made_it).map(|version| VerificationKey::hs256(version.key.clone()))
}

/// Built on first use, because it loads the TLS roots. Everything it needs is at hand: Lambda keeps the credentials of
/// a container in its environment.
fn client(location: &SecretLocation) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(FETCH_TIMEOUT)
        .build();
    let retries = RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(100));
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(location.region.clone()))
        .credentials_provider(location.credentials.clone())
        .timeout_config(timeouts)
        .retry_config(retries);
    config.set_endpoint_url(location.endpoint.clone());
    Client::from_conf(config.build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_secretsmanager::types::error::{DecryptionFailure, InternalServiceError, InvalidRequestException};

    #[test]
    fn only_what_asking_again_cannot_mend_is_passed_over() {
        let decryption = GetSecretValueError::DecryptionFailure(DecryptionFailure::builder().build());
        let deleted = GetSecretValueError::InvalidRequestException(InvalidRequestException::builder().build());
        let internal = GetSecretValueError::InternalServiceError(InternalServiceError::builder().build());
        let throttled = GetSecretValueError::unhandled("ThrottlingException");
        for (error, expected) in [(decryption, true), (deleted, true), (internal, false), (throttled, false)] {
            assert_eq!(is_lasting(&error), expected, "{error}");
        }
        for is_lasting in [true, false] {
            let found = unless_lasting(Err(NoVersion { cause: unavailable("it is no text"), is_lasting }));
            assert_eq!(
                found.map(|version| version.is_some()),
                if is_lasting { Ok(false) } else { Err(unavailable("it is no text")) }
            );
        }
    }
}
