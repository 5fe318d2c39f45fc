//! L3 as the functions see it: DynamoDB's HTTP interface behind a proxy that can fail the way DynamoDB does.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::http::{header::CONTENT_LENGTH, request::Parts, uri::Uri};
use hyper::{Request, Response, StatusCode, service::service_fn};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use crate::consumed::{self, Consumed};
use crate::gate::{Gate, Lifetime};
use crate::launch::TABLES;

/// Turns of a crowded L3: each request takes an equal part of them.
const TURNS: u32 = 1000;

/// What is wrong with L3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fault", deny_unknown_fields)]
pub enum L3Fault {
    /// Nothing.
    #[default]
    Ok,
    /// Connections are dropped and new ones refused.
    Stopped,
    /// Requests take effect late, also those whose client has given up meanwhile.
    Slow {
        /// How late, in milliseconds.
        ms: u64,
    },
    /// Every request is answered `ProvisionedThroughputExceededException`.
    Throttling,
    /// The first `k` of every `of` requests are answered 500 `InternalServerError`, without taking effect.
    Failing {
        /// How many fail.
        k: u64,
        /// Out of how many.
        of: u64,
    },
    /// Up, and not well: of every `of` requests the first are throttled, the next fail, and the rest take effect late.
    Sick {
        /// How late, in milliseconds.
        ms: u64,
        /// How many are answered `ProvisionedThroughputExceededException`.
        throttled: u64,
        /// How many are answered 500 `InternalServerError`, without taking effect.
        failing: u64,
        /// Out of how many.
        of: u64,
    },
    /// So many requests are served at a time, each for so long; the others wait their turn, and leave with a client that
    /// gives up.
    Crowded {
        /// How many; at least one.
        at_once: u32,
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// Reads of the control table are throttled, as those of a hot partition are; everything else is well.
    ControlThrottling,
    /// The first `k` of every `of` transactions are cancelled, because another one is under way with the same item.
    Conflicting {
        /// How many are cancelled.
        k: u64,
        /// Out of how many.
        of: u64,
    },
}

/// The proxy in front of the DynamoDB engine.
#[derive(Clone)]
pub struct L3 {
    gate: Gate,
    fault: Arc<watch::Sender<L3Fault>>,
    consumed: Arc<Mutex<Consumed>>,
    engine: String,
}

impl L3 {
    /// Opens a port on `address` that leads to the engine at `engine`, `http://host:port`.
    pub(crate) async fn open(address: Ipv4Addr, engine: String) -> io::Result<Self> {
        let (fault, seen) = watch::channel(L3Fault::Ok);
        let forwarder = Forwarder {
            client: Client::builder(TokioExecutor::new()).build(connector()),
            engine: engine.clone(),
            fault: seen,
            requests: Arc::new(AtomicU64::new(0)),
            turns: Arc::new(Semaphore::new(TURNS as usize)),
            consumed: Arc::default(),
        };
        let consumed = Arc::clone(&forwarder.consumed);
        let gate = Gate::open(address, move |stream, lifetime| serve(stream, lifetime, forwarder.clone())).await?;
        Ok(Self { gate, fault: Arc::new(fault), consumed, engine })
    }

    /// Sets a fault, or ends it with [`L3Fault::Ok`]. In force when the call returns.
    pub async fn set(&self, fault: L3Fault) {
        self.fault.send_replace(fault);
        self.gate.set_open(fault != L3Fault::Stopped).await;
    }

    /// The fault in force.
    pub fn fault(&self) -> L3Fault {
        *self.fault.borrow()
    }

    /// What the functions have asked of the engine so far, as DynamoDB would bill it.
    pub fn consumed(&self) -> Consumed {
        *self.consumed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine itself, past the faults: for tests that look into the tables.
    pub fn engine_endpoint(&self) -> &str {
        &self.engine
    }

    /// What the functions are given as their DynamoDB endpoint.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.gate.address())
    }
}

type Answer = Response<Full<Bytes>>;

#[derive(Clone)]
struct Forwarder {
    client: Client<HttpConnector, Full<Bytes>>,
    engine: String,
    fault: watch::Receiver<L3Fault>,
    /// Counts the requests that came while some of them had to fail.
    requests: Arc<AtomicU64>,
    turns: Arc<Semaphore>,
    consumed: Arc<Mutex<Consumed>>,
}

impl Forwarder {
    async fn answer(self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let (mut head, body) = request.into_parts();
        // It will be longer.
        head.headers.remove(CONTENT_LENGTH);
        let Ok(body) = body.collect().await else { return Ok(internal_error()) };
        let body = body.to_bytes();
        let operation = operation(&head);
        let fault = *self.fault.borrow();
        let reads_control =
            fault == L3Fault::ControlThrottling && consumed::is_read(&operation) && names(&body, TABLES[1].1);
        let request = Request::from_parts(head, Full::new(consumed::asking(&body).into()));
        Ok(match fault {
            L3Fault::Ok => self.forward(request).await,
            // On a connection that is about to be dropped.
            L3Fault::Stopped => std::future::pending().await,
            L3Fault::Throttling => throttled(),
            L3Fault::Failing { k, of } if self.turn(of) < k => internal_error(),
            L3Fault::Conflicting { k, of } if operation == "TransactWriteItems" && self.turn(of) < k => conflict(),
            L3Fault::Failing { .. } | L3Fault::Conflicting { .. } => self.forward(request).await,
            L3Fault::Slow { ms } => self.forward_late(request, Duration::from_millis(ms)).await,
            L3Fault::Sick { ms, throttled: refused, failing, of } => match self.turn(of) {
                turn if turn < refused => throttled(),
                turn if turn < refused + failing => internal_error(),
                _ => self.forward_late(request, Duration::from_millis(ms)).await,
            },
            L3Fault::Crowded { at_once, ms } => self.forward_in_turn(request, at_once, ms).await,
            L3Fault::ControlThrottling if reads_control => throttled(),
            L3Fault::ControlThrottling => self.forward(request).await,
        })
    }

    /// Which of `of` requests in a row this one is.
    fn turn(&self, of: u64) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) % of.max(1)
    }

    /// In the service's own future, which is dropped, and its turn with it, when its client hangs up.
    async fn forward_in_turn(self, request: Request<Full<Bytes>>, at_once: u32, ms: u64) -> Answer {
        let turns = Arc::clone(&self.turns);
        let part = TURNS / at_once.clamp(1, TURNS);
        let Ok(_turn) = turns.acquire_many(part).await else { return internal_error() };
        tokio::time::sleep(Duration::from_millis(ms)).await;
        self.forward(request).await
    }

    /// In a task of its own, because the service's future is dropped when its client hangs up.
    async fn forward_late(self, request: Request<Full<Bytes>>, delay: Duration) -> Answer {
        let late = tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            self.forward(request).await
        });
        late.await.unwrap_or_else(|_| internal_error())
    }

    async fn forward(self, mut request: Request<Full<Bytes>>) -> Answer {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let Ok(uri) = format!("{}{path}", self.engine).parse::<Uri>() else { return internal_error() };
        *request.uri_mut() = uri;
        let (parts, body) = request.into_parts();
        let operation = operation(&parts);
        let Ok(response) = self.client.request(Request::from_parts(parts, body)).await else { return internal_error() };
        let (head, body) = response.into_parts();
        let Ok(body) = body.collect().await else { return internal_error() };
        let body = body.to_bytes();
        self.consumed.lock().unwrap_or_else(PoisonError::into_inner).count(&operation, &body);
        Response::from_parts(head, Full::new(body))
    }
}

/// Which operation a request is for.
fn operation(head: &Parts) -> String {
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    target.and_then(|target| target.split('.').nth(1)).unwrap_or_default().to_owned()
}

/// Whether a request is about the table.
fn names(body: &[u8], table: &str) -> bool {
    let name = format!("\"{table}\"");
    body.windows(name.len()).any(|window| window == name.as_bytes())
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

async fn serve(stream: TcpStream, mut lifetime: Lifetime, forwarder: Forwarder) {
    let service = service_fn(move |request| forwarder.clone().answer(request));
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = lifetime.over() => {}
        // A client that hangs up is none of the proxy's business.
        _ = connection => {}
    }
}

fn throttled() -> Answer {
    refusal(
        StatusCode::BAD_REQUEST,
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"The level of configured provisioned throughput for the table was exceeded."}"#,
    )
}

fn conflict() -> Answer {
    refusal(
        StatusCode::BAD_REQUEST,
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","message":"Transaction cancelled, please refer cancellation reasons for specific reasons [TransactionConflict, None]","CancellationReasons":[{"Code":"TransactionConflict","Message":"Transaction is ongoing for the item"},{"Code":"None"}]}"#,
    )
}

fn internal_error() -> Answer {
    refusal(
        StatusCode::INTERNAL_SERVER_ERROR,
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"Internal server error"}"#,
    )
}

fn refusal(status: StatusCode, body: &'static str) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    let content_type = hyper::header::HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, content_type);
    response
}
