//! What the page has to know of the deployment, from the environment.

use std::env::{self, VarError};

/// How this deployment's tokens say what they may do. The page reads the token to leave out what would be refused; the
/// functions decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `JWT_SCOPES_CLAIM`: the claim that names the scopes; empty for the usual ones.
    pub scopes_claim: String,
    /// `JWT_PREFIXES_CLAIM`: the claim that names the key prefixes; empty for `cache_key_prefixes`.
    pub prefixes_claim: String,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// A variable is not UTF-8.
    #[expect(clippy::disallowed_methods, reason = "the one place of the console that reads the environment")]
    pub fn from_env() -> Result<Self, VarError> {
        let claim = |name: &str| match env::var(name) {
            Err(VarError::NotPresent) => Ok(String::new()),
            read => read,
        };
        Ok(Self { scopes_claim: claim("JWT_SCOPES_CLAIM")?, prefixes_claim: claim("JWT_PREFIXES_CLAIM")? })
    }
}
