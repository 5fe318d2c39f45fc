//! One request and its answer, as HTTP has them.

use crate::{
    error::{Error, Said},
    retry::Repeat,
};
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{
    Method, StatusCode,
    header::{ETAG, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::Duration;

/// Most of an answer that cannot be read which is quoted, in characters.
const QUOTED: usize = 200;
/// What lets a value be stored that was loaded after a miss.
pub(crate) const FILL_TOKEN: HeaderName = HeaderName::from_static("fill-token");

/// A request that can be sent more than once.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Below the base URL, query included, percent-encoded.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    pub(crate) repeat: Repeat,
}

impl Call {
    pub(crate) fn new(method: Method, path: &str) -> Call {
        let repeat = if method.is_safe() { Repeat::Harmless } else { Repeat::Never };
        Call { method, target: path.to_owned(), headers: HeaderMap::new(), body: None, repeat }
    }

    /// With one more query parameter, if there is a value for it.
    pub(crate) fn query(mut self, name: &str, value: Option<impl AsRef<str>>) -> Call {
        if let Some(value) = value {
            let before = if self.target.contains('?') { '&' } else { '?' };
            let value = utf8_percent_encode(value.as_ref(), NON_ALPHANUMERIC);
            self.target = format!("{}{before}{name}={value}", self.target);
        }
        self
    }

    /// With one more header, if there is a value for it.
    pub(crate) fn header(mut self, name: HeaderName, value: Option<impl AsRef<str>>) -> Result<Call, Error> {
        if let Some(value) = value {
            let text = value.as_ref();
            let value = HeaderValue::from_str(text);
            let value = value.map_err(|_| Error::Invalid(format!("`{text}` cannot be sent as the header {name}")))?;
            self.headers.insert(name, value);
        }
        Ok(self)
    }

    /// With a JSON body.
    pub(crate) fn json(mut self, body: &impl Serialize) -> Result<Call, Error> {
        let body = serde_json::to_vec(body).map_err(|why| Error::Invalid(format!("this is no JSON: {why}")))?;
        self.body = Some(body.into());
        Ok(self)
    }

    pub(crate) fn repeat(mut self, repeat: Repeat) -> Call {
        self.repeat = repeat;
        self
    }
}

/// An answer that was not an error.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        header(&self.headers, name)
    }

    pub(crate) fn etag(&self) -> Option<String> {
        self.header(ETAG.as_str())
    }

    /// The body, as what this operation answers.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|why| self.not_understood(&why.to_string()))
    }

    pub(crate) fn not_understood(&self, why: &str) -> Error {
        Error::Protocol {
            status: self.status.as_u16(),
            message: why.to_owned(),
            request_id: self.header("x-request-id"),
        }
    }

    /// Itself, or the error that it is.
    pub(crate) fn success(self) -> Result<Reply, Error> {
        if self.status.is_success() || self.status == StatusCode::NOT_MODIFIED {
            return Ok(self);
        }
        let Ok(Body { error }) = serde_json::from_slice(&self.body) else {
            let text = String::from_utf8_lossy(&self.body);
            return Err(self.not_understood(&text.chars().take(QUOTED).collect::<String>()));
        };
        let mut error = error.at(self.status.as_u16(), self.retry_after());
        error.fill_token = self.header(FILL_TOKEN.as_str());
        Err(Error::Api(Box::new(error)))
    }

    fn retry_after(&self) -> Option<Duration> {
        self.header(RETRY_AFTER.as_str())?.parse().ok().map(Duration::from_secs)
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// The contract's error body.
#[derive(Deserialize)]
struct Body {
    error: Said,
}
