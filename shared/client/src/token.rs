//! The token, which must not be seen.

use std::{fmt, sync::Arc};

/// Where the bearer token comes from. It is never shown by `Debug`.
#[derive(Clone)]
pub struct Token(Source);

#[derive(Clone)]
enum Source {
    Fixed(Arc<str>),
    Asked(Arc<dyn Fn() -> String + Send + Sync>),
}

impl Token {
    /// Asks for the token each time a request is sent: for tokens that expire while the client lives. The closure should
    /// return at once, from what another task keeps fresh.
    pub fn from_fn(token: impl Fn() -> String + Send + Sync + 'static) -> Token {
        Token(Source::Asked(Arc::new(token)))
    }

    /// The token for a request that is sent now.
    pub(crate) fn now(&self) -> Arc<str> {
        match &self.0 {
            Source::Fixed(token) => token.clone(),
            Source::Asked(ask) => ask().into(),
        }
    }
}

impl From<String> for Token {
    fn from(token: String) -> Token {
        Token(Source::Fixed(token.into()))
    }
}

impl From<&str> for Token {
    fn from(token: &str) -> Token {
        Token(Source::Fixed(token.into()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
