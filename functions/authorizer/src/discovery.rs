//! OpenID Connect Discovery 1.0: the configured issuer says where its keys are.
//!
//! Only that issuer is asked, and only for itself (section 4.3): what another issuer's document says, which a mistaken or
//! hostile server may hand out, would make that one's keys good here.

use reqwest::{Client, Url};
use serde::Deserialize;

use crate::fetch::{get, trusted, unavailable};
use crate::keyring::Unavailable;

/// An issuer that publishes a discovery document.
#[derive(Clone, Debug)]
pub struct Provider {
    issuer: String,
    document: Url,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

impl Provider {
    /// The provider that `issuer` is; `None` unless that is an https URL without query and fragment.
    pub fn of(issuer: &str) -> Option<Self> {
        let url = trusted(issuer).filter(|url| url.query().is_none() && url.fragment().is_none())?;
        // Section 4: a slash at the end goes first.
        let document = format!("{}/.well-known/openid-configuration", url.as_str().trim_end_matches('/'));
        Some(Self { issuer: issuer.to_owned(), document: Url::parse(&document).ok()? })
    }

    /// Where the document is.
    pub(crate) fn document(&self) -> &Url {
        &self.document
    }

    /// Where the document says that the keys are.
    pub(crate) async fn key_set(&self, client: &Client) -> Result<Url, Unavailable> {
        let body = get(client, self.document.clone()).await?;
        let said: Document =
            serde_json::from_slice(&body).map_err(|_| unavailable("its discovery document cannot be read"))?;
        if said.issuer != self.issuer {
            return Err(unavailable("its discovery document is of another issuer"));
        }
        let url = trusted(&said.jwks_uri).filter(|url| url.scheme() == self.document.scheme());
        url.ok_or_else(|| unavailable("its discovery document names no https URL of keys"))
    }
}
