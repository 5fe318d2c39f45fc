//! API Gateway TOKEN authorizer: verifies the JWT and tells the functions who is asking.
//!
//! It stands alone, outside the VPC and without the cache, because all it needs is a key: a shared secret, which
//! Secrets Manager keeps, or the issuer's JSON Web Key Set, which is on the internet. The gateway caches its verdict
//! for a while, so what must hold on every request (scopes, key prefixes, `exp`) is passed on and checked again by the
//! functions.
//!
//! # Layout
//! - [`settings`]: what a deployment says about its tokens, from the environment;
//! - [`token`]: which token is good, and who its bearer is ([`token::Principal`]); [`claims`]: what it says;
//! - [`keys`] and [`verification_key`]: which key may verify which token; [`secret_store`] and [`jwks`]: where keys are fetched, [`discovery`]
//!   and [`fetch`]: how, [`keyring`]: when, and how long they are kept;
//! - [`policy`]: the answer that API Gateway expects;
//! - `telemetry`: one line per request.
//!
//! # The four answers
//! A good token gets a policy. A bad one gets the error text `Unauthorized`, letter for letter, which API Gateway turns
//! into 401, always the same. One that has expired, and has nothing else wrong with it, gets a policy with no bearer in
//! it, so that a function answers 401 and says why: nobody else can, and it is what callers meet most. Anything else,
//! such as an issuer that cannot be reached, is a fault on our side and any other error text,
//! which becomes 500: telling a caller that a good token is bad would make it throw the token away.

pub mod claims;
pub mod discovery;
pub mod fetch;
pub mod jwks;
pub mod keyring;
pub mod keys;
pub mod policy;
pub mod refusal;
pub mod secret_store;
pub mod settings;
mod telemetry;
pub mod token;
pub mod verification_key;

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Instant,
};

use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde::{Deserialize, Serialize};

use crate::keyring::{NoKey, Unavailable};
use crate::keys::Keys;
use crate::policy::{Expired, Policy, UnknownMethodArn};
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::token::Verifier;

/// The event of a TOKEN authorizer. It holds the token, so it cannot be printed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenEvent {
    /// The Authorization header as it was sent.
    pub authorization_token: String,
    /// The request's ARN: `arn:aws:execute-api:region:account:api/stage/METHOD/path`.
    pub method_arn: String,
}

/// What the gateway is answered.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The token is good.
    Allowed(Policy),
    /// It was.
    Expired(Policy<Expired>),
}

/// Why there is no policy.
#[derive(Debug)]
pub enum AuthorizeError {
    /// The token is bad: 401, by the gateway, or by a function when it is no worse than expired.
    Refused(Refusal),
    /// No key to decide with: 500.
    Unavailable(Unavailable),
    /// The gateway sent an ARN that is none: 500.
    MethodArn(UnknownMethodArn),
    /// It panicked: 500.
    Panicked,
}

impl From<Refusal> for AuthorizeError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<NoKey> for AuthorizeError {
    fn from(error: NoKey) -> Self {
        match error {
            NoKey::Refused(refusal) => Self::Refused(refusal),
            NoKey::Unavailable(cause) => Self::Unavailable(cause),
        }
    }
}

impl From<AuthorizeError> for Diagnostic {
    fn from(error: AuthorizeError) -> Self {
        let text = match error {
            AuthorizeError::Refused(_) => "Unauthorized",
            AuthorizeError::Unavailable(_) | AuthorizeError::MethodArn(_) | AuthorizeError::Panicked => {
                "The token could not be checked"
            }
        };
        Diagnostic { error_type: "AuthorizeError".to_owned(), error_message: text.to_owned() }
    }
}

/// Decides about tokens; one per container.
pub struct Authorizer {
    verifier: Verifier,
    keys: Keys,
}

impl Authorizer {
    /// Fetches nothing yet, and keeps a secret of the settings as a key only.
    pub fn new(settings: Settings) -> Self {
        Self { verifier: Verifier::new(&settings), keys: Keys::new(settings.secret, settings.key_set) }
    }

    /// The policy for the token's bearer. `now` is in seconds since the epoch.
    ///
    /// # Errors
    /// See [`AuthorizeError`].
    pub async fn authorize(&self, event: &TokenEvent, now: u64) -> Result<Policy, AuthorizeError> {
        let token = token::bearer(&event.authorization_token)?;
        let header = token::header(token)?;
        let key = self.keys.find(token, &header, now).await?;
        let principal = self.verifier.verify(token, &key, now)?;
        Policy::allow(principal, &event.method_arn).map_err(AuthorizeError::MethodArn)
    }
}

/// Runs the authorizer until Lambda stops the container.
///
/// # Errors
/// The settings are unusable, or the Runtime API is gone. The former is a mistake in the deployment: the container ends
/// before its first request, with the reason in the log.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let settings = Settings::from_env().inspect_err(|error| tracing::error!(%error, "unusable settings"))?;
    let authorizer = &Authorizer::new(settings);
    Runtime::new(service_fn(|event| answer(authorizer, event))).run().await
}

/// The verdict that `deciding` comes to. A panic has a name as well: the runtime would tell the type of what holds it.
async fn decided(deciding: impl Future<Output = Result<Policy, AuthorizeError>>) -> Result<Policy, AuthorizeError> {
    let mut deciding = pin!(deciding);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| deciding.as_mut().poll(context)));
        polled.unwrap_or(Poll::Ready(Err(AuthorizeError::Panicked)))
    })
    .await
}

async fn answer(authorizer: &Authorizer, event: LambdaEvent<TokenEvent>) -> Result<Answer, AuthorizeError> {
    let started = Instant::now();
    let verdict = decided(authorizer.authorize(&event.payload, jsonwebtoken::get_current_timestamp())).await;
    telemetry::log(&event.context.request_id, &verdict, started.elapsed());
    match verdict {
        Err(AuthorizeError::Refused(Refusal::Expired)) => {
            Policy::expired(&event.payload.method_arn).map(Answer::Expired).map_err(AuthorizeError::MethodArn)
        }
        verdict => verdict.map(Answer::Allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_has_a_name() {
        let told = Diagnostic::from(decided(async { panic!("a token") }).await.expect_err("it panics"));
        assert_eq!(told.error_type, "AuthorizeError");
        assert_eq!(told.error_message, "The token could not be checked");
    }
}
