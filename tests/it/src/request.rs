//! A request, sent as it is written.

use crate::answer::Answer;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A request that is being put together.
#[derive(Debug, Clone)]
pub struct Request {
    authority: String,
    method: Method,
    /// Path and query, as they go out.
    target: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Request {
    /// A request of `method` for `path` below `url`.
    pub(crate) fn new(url: &str, method: &str, path: &str) -> Request {
        let base = url.parse::<Uri>().expect("the stack's URL is one");
        Request {
            authority: base.authority().expect("the stack's URL names a host").to_string(),
            method: method.parse().expect("methods are tokens"),
            target: format!("{}{path}", base.path()),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Request {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With this token instead of the one before.
    #[must_use]
    pub fn bearer(self, token: &str) -> Request {
        self.anonymous().header("authorization", format!("Bearer {token}"))
    }

    /// Without a token.
    #[must_use]
    pub fn anonymous(mut self) -> Request {
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
        self
    }

    /// To be answered by this container.
    #[must_use]
    pub fn pin(self, container: &str) -> Request {
        self.header("x-strata-pin", container)
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Request {
        self.body = body.into();
        self
    }

    /// Sends it on a connection of its own and reads the whole answer.
    pub async fn send(self) -> Answer {
        let what = format!("{} {}", self.method, self.target);
        let stream = TcpStream::connect(&self.authority).await.expect("the gateway accepts connections");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a fresh connection works");
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(self.into_http()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap_or_else(|error| panic!("{what}: {error}")).to_bytes();
        connection.abort();
        Answer::new(what, head.status.as_u16(), head.headers, body)
    }

    fn into_http(self) -> hyper::Request<Full<Bytes>> {
        let target = self.target.parse::<Uri>().unwrap_or_else(|error| panic!("{}: {error}", self.target));
        let request = hyper::Request::builder().method(self.method).uri(target).header(header::HOST, self.authority);
        let request = self.headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        request.body(Full::new(self.body)).expect("headers of tests are well-formed")
    }
}
