//! A request as the gateway received it: the facts that events, ARNs and answers of its own are made of.

use hyper::HeaderMap;
use hyper::http::request::Parts;

use crate::calendar;
use crate::gateway_response::REQUEST_HEADER;

/// A request's head, read once.
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) time_ms: u64,
    /// In the Common Log Format.
    pub(crate) time: String,
    pub(crate) method: String,
    pub(crate) stage: String,
    /// The whole path, raw.
    whole_path: String,
    /// What is below the stage, raw; empty when the path is not below it.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) source_ip: String,
}

impl Received {
    pub(crate) fn new(head: &Parts, stage: &str, source_ip: &str) -> Self {
        let whole = head.uri.path();
        let below = whole.strip_prefix('/').and_then(|path| path.strip_prefix(stage));
        let path = below.filter(|path| path.starts_with('/')).unwrap_or_default();
        let time_ms = calendar::now_ms();
        Self {
            id: request_id(),
            time_ms,
            time: calendar::common_log_format(time_ms),
            method: head.method.to_string(),
            stage: stage.to_owned(),
            whole_path: whole.to_owned(),
            path: path.to_owned(),
            query: head.uri.query().map(str::to_owned),
            headers: head.headers.clone(),
            source_ip: source_ip.to_owned(),
        }
    }

    /// A header that is text; the first of several.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn method_arn(&self) -> String {
        let Self { stage, method, path, .. } = self;
        let (region, account, api) = (crate::dynamo::REGION, crate::ACCOUNT, crate::API_ID);
        format!("arn:aws:execute-api:{region}:{account}:{api}/{stage}/{method}{path}")
    }

    /// A `$context` variable of gateway responses, or a header that they repeat.
    pub(crate) fn variable(&self, name: &str, resource: Option<&str>) -> Option<String> {
        if let Some(header) = name.strip_prefix(REQUEST_HEADER) {
            return self.header(header).map(str::to_owned);
        }
        let text = match name {
            "requestId" | "extendedRequestId" => &self.id,
            "requestTime" => &self.time,
            "requestTimeEpoch" => return Some(self.time_ms.to_string()),
            "httpMethod" => &self.method,
            "path" => &self.whole_path,
            "resourcePath" => resource?,
            "stage" => &self.stage,
            "accountId" => crate::ACCOUNT,
            "apiId" => crate::API_ID,
            "protocol" => "HTTP/1.1",
            "identity.sourceIp" => &self.source_ip,
            "identity.userAgent" => self.header("user-agent")?,
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// A random UUID, version 4, which is what AWS' request ids look like.
pub(crate) fn request_id() -> String {
    let random = fastrand::u128(..);
    let versioned = (random & !(0xf << 76)) | (0x4 << 76);
    let variant = (versioned & !(0x3 << 62)) | (0x2 << 62);
    let hex = format!("{variant:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn received(uri: &str) -> Received {
        Received::new(&hyper::Request::put(uri).body(()).unwrap().into_parts().0, "v1", "127.0.0.1")
    }

    #[test]
    fn the_stage_is_taken_off_once() {
        assert_eq!(received("/v1/v1/a").path, "/v1/a");
        for outside in ["/v1", "/v12/a", "/cache/entries/a", "//v1/a", "/V1/a"] {
            assert_eq!(received(outside).path, "", "{outside}");
        }
        assert_eq!(received("/v1/../v1/%2e%2e/a").path, "/../v1/%2e%2e/a");
    }

    #[test]
    fn the_arn_names_stage_method_and_path() {
        assert!(received("/v1/cache/entries/a").method_arn().ends_with("/v1/PUT/cache/entries/a"));
    }

    #[test]
    fn request_ids_are_uuids() {
        let id = request_id();
        let groups: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
        assert_eq!(&id[14..15], "4");
        assert!("89ab".contains(&id[19..20]));
    }
}
