//! Why a caller is not authenticated, as far as that may be said: never more than the holder of the token knows, and nothing
//! about its times unless its signature is valid.

/// Why a caller is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// No authorizer was asked.
    Missing,
    /// There is more than one `Authorization` header.
    Malformed,
    /// The token has expired.
    Expired,
    /// What the authorizer says cannot be read.
    Refused,
}

impl Denial {
    /// The word for it in `details.reason`.
    pub const fn reason(self) -> &'static str {
        match self {
            Denial::Missing => "missing",
            Denial::Malformed => "malformed",
            Denial::Expired => "expired",
            Denial::Refused => "refused",
        }
    }

    /// The sentence for the client.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Denial::Missing => "A bearer token is required",
            Denial::Malformed => "There must be one Authorization header, with one bearer token",
            Denial::Expired => "The bearer token has expired",
            Denial::Refused => "The bearer token is not accepted",
        }
    }

    /// The cause for the log.
    pub(crate) const fn cause(self) -> &'static str {
        match self {
            Denial::Missing => "no authorizer context",
            Denial::Malformed => "more than one Authorization header",
            Denial::Expired => "the token has expired",
            Denial::Refused => "the authorizer context cannot be read",
        }
    }

    /// `WWW-Authenticate` (RFC 6750, section 3): a request without a token is told no error.
    pub(crate) const fn challenge(self) -> &'static str {
        match self {
            Denial::Missing => "Bearer",
            Denial::Malformed => r#"Bearer error="invalid_request""#,
            Denial::Expired => r#"Bearer error="invalid_token", error_description="expired""#,
            Denial::Refused => r#"Bearer error="invalid_token""#,
        }
    }
}
