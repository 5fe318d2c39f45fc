//! The client: where requests go, with which token, within which time.

use crate::{
    Result,
    call::{CACHE_POSITION, Call, Reply},
    error::Error,
    flights::Flights,
    loaded::{LoadError, Loaded},
    positions::{self, Positions},
    retry::Retry,
    token::Token,
};
use reqwest::{
    Response, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    redirect,
};
use std::{sync::Arc, time::Duration};

/// A little over the 29 s that the gateway gives a function.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer read, in bytes: twice what Lambda can answer.
const MAX_ANSWER: usize = 12 * 1024 * 1024;

/// Lets a request be awaited, which sends it.
macro_rules! awaited {
    ($request:ident<'a> => $answer:ty) => {
        impl<'a> IntoFuture for $request<'a> {
            type Output = crate::Result<$answer>;
            type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(self.send())
            }
        }
    };
}
pub(crate) use awaited;

/// A client of one deployment, by one token. Cheap to clone; all clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    base: String,
    token: Token,
    timeout: Duration,
    retry: Retry,
    flights: Flights<Result<Loaded, LoadError>>,
    positions: Positions,
}

/// A client that is being set up.
#[derive(Debug, Clone)]
pub struct Builder {
    url: String,
    token: Token,
    timeout: Duration,
    retry: Retry,
    plain_http: bool,
}

impl Builder {
    /// How long one attempt may take, connecting included; default 30 s, for the gateway gives up after 29 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Builder {
        self.timeout = timeout;
        self
    }

    /// How often and for how long an operation is tried again.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Builder {
        self.retry = retry;
        self
    }

    /// Lets the token be sent over plain HTTP to other machines than this one.
    #[must_use]
    pub fn allow_plain_http(mut self, allow: bool) -> Builder {
        self.plain_http = allow;
        self
    }

    /// The client. [`Error::Invalid`] when the URL is none, or would send the token in clear text over a network.
    pub fn build(self) -> Result<Client> {
        let invalid = |why: &str| Error::Invalid(format!("{}: {why}", self.url));
        if self.url.trim().is_empty() {
            return Err(Error::Invalid("the URL is empty".to_owned()));
        }
        let url = Url::parse(&self.url).map_err(|why| invalid(&why.to_string()))?;
        let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let https = url.scheme() == "https";
        if !https && url.scheme() != "http" {
            return Err(invalid("must begin with https:// or http://"));
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("must be a base URL, without user, query and fragment"));
        }
        if !https && !loopback && !self.plain_http {
            return Err(invalid("would send the token in clear text; use https://"));
        }
        // A redirect could lead the token elsewhere.
        let http = reqwest::Client::builder().redirect(redirect::Policy::none()).connect_timeout(CONNECT_TIMEOUT);
        // In clear text it should pass through nobody else's hands either.
        let http = if https { http } else { http.no_proxy() };
        let http = http.build().map_err(|why| invalid(&chain(&why)))?;
        let base = url.as_str().trim_end_matches('/').to_owned();
        let Builder { token, timeout, retry, .. } = self;
        let (flights, positions) = (Flights::default(), Positions::default());
        Ok(Client { inner: Arc::new(Inner { http, base, token, timeout, retry, flights, positions }) })
    }
}

impl Client {
    /// A client of the API at `url`, such as `https://api.regulateai.com/v1/cache`, with the defaults.
    pub fn new(url: impl Into<String>, token: impl Into<Token>) -> Result<Client> {
        Client::builder(url, token).build()
    }

    /// A client that is to be set up further.
    pub fn builder(url: impl Into<String>, token: impl Into<Token>) -> Builder {
        let (timeout, retry) = (TIMEOUT, Retry::default());
        Builder { url: url.into(), token: token.into(), timeout, retry, plain_http: false }
    }

    /// The base URL.
    pub fn url(&self) -> &str {
        &self.inner.base
    }

    /// What this client has seen and done, for another client to [know of](Client::has_seen); `None` before the first
    /// answer.
    pub fn position(&self) -> Option<String> {
        Some(positions::header(&self.inner.positions.known())).filter(|known| !known.is_empty())
    }

    /// From now on this client is answered by nothing older than another one was that had this
    /// [position](Client::position).
    ///
    /// ```no_run
    #[doc = include_str!("../examples/position.rs")]
    /// ```
    pub fn has_seen(&self, position: impl AsRef<str>) {
        position.as_ref().split(',').for_each(|one| self.inner.positions.answered(&[], one.trim()));
    }

    /// How long an attempt may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.inner.timeout
    }

    /// Loads that are under way.
    pub(crate) fn flights(&self) -> &Flights<Result<Loaded, LoadError>> {
        &self.inner.flights
    }

    /// Sends a call until it is answered or the retries are used up.
    pub(crate) async fn send(&self, call: Call) -> Result<Reply> {
        let mut retries = self.inner.retry.begin();
        loop {
            let error = match self.attempt(&call).await.and_then(Reply::success) {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            // Another deployment answers at this URL than the one whose positions these are: nothing was done.
            if is_about_positions(&error) && call.has_position() && self.inner.positions.forget() {
                continue;
            }
            let Some(pause) = retries.next(&error, call.repeat) else { return Err(error) };
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, call: &Call) -> Result<Reply> {
        let inner = &self.inner;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", inner.token.now()))
            .map_err(|_| Error::Invalid("the token has characters that no token has".to_owned()))?;
        bearer.set_sensitive(true);
        let request = inner.http.request(call.method.clone(), format!("{}{}", inner.base, call.target));
        let request = request.headers(call.headers.clone()).header(AUTHORIZATION, bearer);
        let known = if call.has_position() { inner.positions.known() } else { Vec::new() };
        let request =
            if known.is_empty() { request } else { request.header(CACHE_POSITION, positions::header(&known)) };
        let request = match &call.body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.clone()),
            None => request,
        };
        let exchange = async { read(request.send().await.map_err(|why| failed(&why))?).await };
        let answered = tokio::time::timeout(inner.timeout, exchange).await;
        let reply = answered.map_err(|_| Error::Timeout(inner.timeout))??;
        if let Some(position) = reply.header(CACHE_POSITION.as_str()) {
            inner.positions.answered(&known, &position);
        }
        Ok(reply)
    }
}

fn is_about_positions(error: &Error) -> bool {
    let problems = error.api().and_then(|said| said.details["errors"].as_array());
    problems.into_iter().flatten().any(|problem| {
        problem["field"].as_str().is_some_and(|field| field.eq_ignore_ascii_case(CACHE_POSITION.as_str()))
    })
}

async fn read(mut response: Response) -> Result<Reply> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::with_capacity(response.content_length().map_or(0, |length| length as usize).min(MAX_ANSWER));
    while let Some(chunk) = response.chunk().await.map_err(|why| failed(&why))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            let (status, request_id) = (status.as_u16(), None);
            return Err(Error::Protocol { status, message: format!("more than {MAX_ANSWER} bytes"), request_id });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, headers, body: body.into() })
}

fn failed(why: &reqwest::Error) -> Error {
    match why {
        why if why.is_builder() => Error::Invalid(chain(why)),
        why if why.is_connect() => Error::Unreachable(chain(why)),
        why => Error::Broken(chain(why)),
    }
}

/// The innermost reason, which is the one that helps. The others name the URL, and that is known.
fn chain(why: &reqwest::Error) -> String {
    let mut why: &dyn std::error::Error = why;
    while let Some(source) = why.source() {
        why = source;
    }
    why.to_string()
}
