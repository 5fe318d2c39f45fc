//! CORS: which web pages may read the answers. Off unless the deployment names origins.
//!
//! Tokens travel in a header that a page has to set itself, never in cookies, so credentials are never allowed. Preflights
//! are answered by the gateway.

use crate::response::Response;
use lambda_http::http::header;

/// Headers of answers that a page may read, besides the few that every page may.
pub const EXPOSED: &str = "Allow, Cache-Position, Cache-Status, ETag, Fill-Token, Location, RateLimit, RateLimit-Policy, Retry-After, \
     WWW-Authenticate, X-Request-Id";

/// The origins whose pages may read answers; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    origins: Vec<String>,
}

impl Cors {
    /// The origins of a list with commas between them.
    ///
    /// # Errors
    /// When one is not an origin, letter for letter as browsers write it: scheme, host, and port if it is not the usual
    /// one.
    pub fn read(list: &str) -> Result<Cors, String> {
        let origins: Vec<String> = list.split(',').map(|origin| origin.trim().to_owned()).collect();
        match origins.iter().position(|origin| !is_origin(origin)) {
            Some(at) => Err(format!("must list origins such as https://app.example.com, [{at}] is none")),
            None => Ok(Cors { origins }),
        }
    }

    /// `response`, for a request from a page of `origin`.
    pub(crate) fn tell(&self, response: Response, origin: Option<&str>) -> Response {
        if self.origins.is_empty() {
            return response;
        }
        let response = response.header(header::VARY, "Origin");
        match origin.and_then(|origin| self.origins.iter().find(|known| *known == origin)) {
            Some(known) => response
                .header(header::ACCESS_CONTROL_ALLOW_ORIGIN, known.clone())
                .header(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED),
            None => response,
        }
    }
}

fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or(text.strip_prefix("http://")).unwrap_or_default();
    let is_of_host = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte);
    !host.is_empty() && host.bytes().all(is_of_host)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use lambda_http::http::StatusCode;
    use serde_json::Value;

    fn headers(cors: &Cors, origin: Option<&str>) -> Value {
        let response = cors.tell(Response::empty(StatusCode::OK), origin);
        serde_json::to_value(response).unwrap()["headers"].take()
    }

    #[test]
    fn only_the_origins_that_are_named_may_read() {
        let cors = Cors::read("https://a.example, http://localhost:8080").unwrap();
        for origin in ["https://a.example", "http://localhost:8080"] {
            let headers = headers(&cors, Some(origin));
            assert_eq!(headers["access-control-allow-origin"], origin);
            assert!(headers["access-control-expose-headers"].as_str().unwrap().contains("ETag"));
            assert_eq!(
                (&headers["vary"], &headers["access-control-allow-credentials"]),
                (&"Origin".into(), &Value::Null)
            );
        }
        for origin in [None, Some("https://a.example.evil"), Some("http://a.example"), Some("null"), Some("")] {
            let headers = headers(&cors, origin);
            assert_eq!((&headers["vary"], &headers["access-control-allow-origin"]), (&"Origin".into(), &Value::Null));
        }
        assert_eq!(headers(&Cors::default(), Some("https://a.example"))["vary"], Value::Null);
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for list in
            ["*", "null", "https://", "a.example", "https://a.example/", "https://A.example", "https://a,", "ftp://a"]
        {
            assert!(Cors::read(list).is_err(), "{list}");
        }
        assert!(Cors::read("https://a,*").unwrap_err().contains("[1]"));
    }
}
