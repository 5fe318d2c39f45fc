//! Fetching what the issuer publishes: over a connection that nobody can tamper with, and with limits on time and size.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url, redirect};

use crate::keyring::Unavailable;

/// Largest answer read, in bytes. A set of ten keys with certificates has about 30 KB.
pub const MAX_BYTES: usize = 256 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest fetch; two of them are well within the function's own timeout.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);
const WHAT: &str = "the issuer's keys";

/// A URL that keys may come from: https, because keys that anyone on the way could replace would verify anything; or a
/// server on this machine, as a test has it.
pub(crate) fn trusted(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    (url.scheme() == "https" || (url.scheme() == "http" && loopback)).then_some(url)
}

/// Expensive, as it loads the TLS roots. Connections are not kept, because none survives the time between two fetches;
/// redirects are not followed, because they could lead away from https.
pub(crate) fn client(url: &Url) -> Result<Client, Unavailable> {
    let client = Client::builder()
        .https_only(url.scheme() == "https")
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(FETCH_TIMEOUT)
        .pool_max_idle_per_host(0)
        .build()?;
    Ok(client)
}

/// The body of an answer 200.
pub(crate) async fn get(client: &Client, url: Url) -> Result<Vec<u8>, Unavailable> {
    let response = client.get(url).send().await?;
    if response.status() != StatusCode::OK {
        return Err(unavailable(format!("status {}", response.status())));
    }
    read(response).await
}

async fn read(mut response: Response) -> Result<Vec<u8>, Unavailable> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(unavailable(format!("more than {MAX_BYTES} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl From<reqwest::Error> for Unavailable {
    fn from(error: reqwest::Error) -> Self {
        // Its text would have the URL, whose query and user information may be secret.
        Self::because(WHAT, &error.without_url())
    }
}

/// Why the issuer's keys could not be fetched.
pub(crate) fn unavailable(why: impl Into<String>) -> Unavailable {
    Unavailable::new(WHAT, why)
}
