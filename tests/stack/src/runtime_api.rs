//! Lambda's Runtime API, version 2018-06-01, for one container: a port of its own tells the containers apart.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

const PREFIX: &str = "/2018-06-01/runtime/";

/// A call by the runtime.
pub(crate) enum Call {
    /// It polls for work.
    Next(oneshot::Sender<Delivery>),
    /// It answers an invocation.
    Response { id: String, body: Bytes, verdict: oneshot::Sender<Verdict> },
    /// It reports that an invocation failed.
    Failure { id: String, body: Bytes, verdict: oneshot::Sender<Verdict> },
}

/// An event on its way into the container.
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) event: Bytes,
    /// When the function's time is up, in milliseconds since 1970.
    pub(crate) deadline_ms: u64,
    pub(crate) arn: String,
}

/// What became of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    TooLarge,
    UnknownRequest,
}

/// The server's port and the calls that arrive there.
pub(crate) struct RuntimeApi {
    /// `host:port`, the function's AWS_LAMBDA_RUNTIME_API.
    pub(crate) address: String,
    pub(crate) calls: mpsc::UnboundedReceiver<Call>,
    server: JoinHandle<()>,
}

impl RuntimeApi {
    pub(crate) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (send, calls) = mpsc::unbounded_channel();
        let server = tokio::spawn(accept(listener, send));
        Ok(Self { address, calls, server })
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, calls: mpsc::UnboundedSender<Call>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, calls.clone()));
    }
}

async fn serve(stream: TcpStream, calls: mpsc::UnboundedSender<Call>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(request, calls.clone()));
    // A connection ends when its process does.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    calls: mpsc::UnboundedSender<Call>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.strip_prefix(PREFIX).unwrap_or_default().split('/').collect();
    Ok(match (request.method(), segments.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => next(calls).await,
        (&Method::POST, ["invocation", id, outcome @ ("response" | "error")]) => {
            let Ok(body) = request.into_body().collect().await else { return Ok(status(StatusCode::BAD_REQUEST)) };
            let (body, id) = (body.to_bytes(), (*id).to_owned());
            let (verdict, decided) = oneshot::channel();
            let call = match *outcome {
                "response" => Call::Response { id, body, verdict },
                _ => Call::Failure { id, body, verdict },
            };
            let _ = calls.send(call);
            status(decided.await.map_or(StatusCode::INTERNAL_SERVER_ERROR, Verdict::status))
        }
        // The process ends after this, which is what counts; the reason is in its log.
        (&Method::POST, ["init", "error"]) => status(StatusCode::ACCEPTED),
        _ => status(StatusCode::NOT_FOUND),
    })
}

impl Verdict {
    fn status(self) -> StatusCode {
        match self {
            Self::Accepted => StatusCode::ACCEPTED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnknownRequest => StatusCode::BAD_REQUEST,
        }
    }
}

async fn next(calls: mpsc::UnboundedSender<Call>) -> Response<Full<Bytes>> {
    let (poll, delivered) = oneshot::channel();
    let _ = calls.send(Call::Next(poll));
    let Ok(delivery) = delivered.await else { return status(StatusCode::INTERNAL_SERVER_ERROR) };
    let response = Response::builder()
        .header("lambda-runtime-aws-request-id", &delivery.id)
        .header("lambda-runtime-deadline-ms", delivery.deadline_ms)
        .header("lambda-runtime-invoked-function-arn", &delivery.arn)
        .header("lambda-runtime-trace-id", trace_id(delivery.deadline_ms))
        .header("content-type", "application/json")
        .body(Full::new(delivery.event));
    response.expect("ids, numbers and ARNs are header values")
}

/// An X-Ray trace id of about this time.
fn trace_id(epoch_ms: u64) -> String {
    let unique = fastrand::u128(..) >> 32;
    format!("Root=1-{:08x}-{unique:024x};Sampled=0", epoch_ms / 1000)
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"{}")));
    *response.status_mut() = status;
    response
}
