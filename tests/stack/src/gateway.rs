//! API Gateway: from an HTTP request to a function and back, with the limits of a REST API.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::authorizer::Authorizer;
use crate::coding::{pack, unpack};
use crate::event::proxy_event;
use crate::faults::{self, Faults};
use crate::gateway_response::Refusal;
use crate::invoke::{self, respond};
use crate::invoke_error::InvokeError;
use crate::mock::Mock;
use crate::pool::Pool;
use crate::request::Received;
use crate::response::http_response;
use crate::route::{Match, Routes};
use crate::schedule::{self, Schedules};
use crate::template::Api;

/// API Gateway's limit of a request's body.
pub(crate) const BODY_LIMIT: usize = 10 * 1024 * 1024;
/// API Gateway's default limit of a REST integration.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(29);
/// Names the container that answered.
const CONTAINER_HEADER: &str = "x-strata-container";
/// Chooses the container.
const PIN_HEADER: &str = "x-strata-pin";

type HttpResponse = Response<Full<Bytes>>;

pub(crate) struct Gateway {
    pub(crate) api: Api,
    pub(crate) routes: Routes,
    /// None when the stack runs without the authorizer's function.
    pub(crate) authorizer: Option<Authorizer>,
    pub(crate) pools: BTreeMap<String, Arc<Pool>>,
    pub(crate) faults: Faults,
    pub(crate) schedules: Schedules,
}

/// What came of a request, and the container that worked on it.
struct Outcome {
    response: Result<HttpResponse, Refusal>,
    container: Option<String>,
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        Self { response: Err(refusal), container: None }
    }
}

impl Gateway {
    /// Serves connections until the task is aborted.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => drop(tokio::spawn(self.clone().connection(stream, peer.ip().to_string()))),
                // Out of file descriptors, most likely: not worth spinning for.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, source_ip: String) {
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| {
            let (gateway, source_ip) = (self.clone(), source_ip.clone());
            async move { Ok::<_, Infallible>(gateway.answer(request, &source_ip).await) }
        });
        // A client that hangs up, or speaks no HTTP, is its own affair.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>, source_ip: &str) -> HttpResponse {
        let (head, body) = request.into_parts();
        let body = read(body).await;
        if head.uri.path() == faults::PATH {
            let (status, answer) = self.faults.answer(&head.method, &body.unwrap_or_default()).await;
            return json_response(status, &answer);
        }
        if head.uri.path() == schedule::PATH {
            let (status, answer) = self.schedules.answer(&head.method).await;
            return json_response(status, &answer);
        }
        if let Some(function) = invoke::function(head.uri.path()) {
            return invoke::invoke(self.pools.get(function), body.ok()).await;
        }
        let request = Received::new(&head, &self.api.stage, source_ip);
        let found = self.routes.find(&request.method, &request.path);
        let mock = self.api.mocks.find(&request.method, &request.path).filter(|_| found.is_none());
        let body = body.and_then(|body| match self.api.compression {
            Some(_) => unpack(&request.headers, body),
            None => Ok(body),
        });
        let outcome = match (&found, mock, body) {
            (None, None, _) => Refusal::MissingAuthenticationToken.into(),
            (_, _, Err(refusal)) => refusal.into(),
            (Some(found), _, Ok(body)) => self.proxy(&request, found, &body).await,
            (None, Some(mock), Ok(_)) => Outcome { response: mock.answer(&request), container: None },
        };
        let resource = found.as_ref().map(|found| found.route.resource.as_str()).or(mock.map(Mock::resource));
        let response = outcome
            .response
            .unwrap_or_else(|refusal| self.api.responses.render(refusal, |name| request.variable(name, resource)));
        let response = match self.api.compression {
            Some(least) => pack(&request.headers, least, response).await,
            None => response,
        };
        sign(response, &request.id, outcome.container.as_deref())
    }

    /// Authorizes the request and hands it to its function.
    async fn proxy(&self, request: &Received, found: &Match<'_>, body: &Bytes) -> Outcome {
        let context = match self.authorize(request, found).await {
            Ok(context) => context,
            Err(refusal) => return refusal.into(),
        };
        let Some(pool) = self.pools.get(found.function) else { return Refusal::BadFunction.into() };
        let event = Bytes::from(proxy_event(request, found, body, context.as_ref()));
        let invocation = pool.invoke(event, request.header(PIN_HEADER));
        match timeout(INTEGRATION_TIMEOUT, invocation).await {
            Ok((container, answer)) => Outcome { response: translate(answer), container },
            Err(_) => Refusal::IntegrationTimeout.into(),
        }
    }

    async fn authorize(&self, request: &Received, found: &Match<'_>) -> Result<Option<Map<String, Value>>, Refusal> {
        if !found.route.authorized || self.api.authorizer.is_none() {
            return Ok(None);
        }
        let authorizer = self.authorizer.as_ref().ok_or(Refusal::AuthorizerConfiguration)?;
        authorizer.authorize(&request.headers, &request.method_arn()).await.map(Some)
    }
}

fn translate(answer: Result<Bytes, InvokeError>) -> Result<HttpResponse, Refusal> {
    match answer {
        Ok(answer) => http_response(&answer).ok_or(Refusal::BadFunction),
        Err(InvokeError::RequestTooLarge) => Err(Refusal::RequestTooLarge),
        Err(error @ InvokeError::UnknownContainer(_)) => {
            Ok(json_response(StatusCode::BAD_REQUEST, &json!({ "message": error.to_string() })))
        }
        Err(_) => Err(Refusal::BadFunction),
    }
}

fn sign(mut response: HttpResponse, request_id: &str, container: Option<&str>) -> HttpResponse {
    let headers = response.headers_mut();
    for (name, value) in [("x-amzn-requestid", Some(request_id)), (CONTAINER_HEADER, container)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    response
}

fn json_response(status: StatusCode, body: &Value) -> HttpResponse {
    respond(status, Bytes::from(body.to_string()))
}

/// Reads a body to its end, also when it is too large: a client in the middle of sending would miss the answer.
async fn read(mut body: Incoming) -> Result<Bytes, Refusal> {
    let (mut kept, mut length) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        // The client hung up, or its chunks are malformed. What came so far must not pass for the whole.
        let frame = frame.map_err(|_| Refusal::BadBody)?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length <= BODY_LIMIT {
            kept.extend_from_slice(&data);
        }
    }
    if length <= BODY_LIMIT { Ok(kept.freeze()) } else { Err(Refusal::RequestTooLarge) }
}
