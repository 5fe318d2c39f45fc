//! AWS Secrets Manager with one secret: its HTTP interface as far as GetSecretValue, with versions and failures.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::calendar;
use crate::dynamo::REGION;
use crate::error::{Doing, Error};

/// A Secrets Manager that knows one secret. It ends when it is dropped.
pub struct SecretsManager {
    endpoint: String,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecretsFault {
    /// Nothing.
    #[default]
    None,
    /// It takes requests and answers nothing.
    Silent,
    /// Nobody is allowed anything.
    Denied,
}

#[derive(Default)]
struct State {
    /// The newest is AWSCURRENT, the one before AWSPREVIOUS.
    versions: Vec<Version>,
    fault: SecretsFault,
    requests: usize,
}

struct Version {
    secret: String,
    created_ms: u64,
}

impl SecretsManager {
    /// Serves `secret` on a free port of this machine.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(secret: &str) -> Result<Self, Error> {
        let doing = "opening a port for Secrets Manager";
        let listener = TcpListener::bind("127.0.0.1:0").await.doing(doing)?;
        let endpoint = format!("http://{}", listener.local_addr().doing(doing)?);
        let state = Arc::<Mutex<State>>::default();
        let server = tokio::spawn(accept(listener, state.clone()));
        let own = Self { endpoint, state, server };
        own.rotate(secret);
        Ok(own)
    }

    /// The variables of a function that shall find it, by name.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        [("JWT_SECRET_ARN", arn()), ("AWS_ENDPOINT_URL_SECRETS_MANAGER", self.endpoint.clone())]
    }

    /// Makes `secret` the current version, and the current one the previous.
    pub fn rotate(&self, secret: &str) {
        self.state().versions.push(Version { secret: secret.to_owned(), created_ms: calendar::now_ms() });
    }

    /// Takes the previous version's label away.
    pub fn forget_previous(&self) {
        let mut state = self.state();
        let current = state.versions.pop();
        state.versions = current.into_iter().collect();
    }

    /// Sets a fault, or ends it.
    pub fn set(&self, fault: SecretsFault) {
        self.state().fault = fault;
    }

    /// How often it was asked for a version.
    pub fn requests(&self) -> usize {
        self.state().requests
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for SecretsManager {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The secret's ARN; the last six letters are Secrets Manager's own.
fn arn() -> String {
    format!("arn:aws:secretsmanager:{REGION}:{}:secret:strata/jwt-AbCdEf", crate::ACCOUNT)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("nothing panics while it holds the versions")
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        let service = service_fn(move |request| answer(request, state.clone()));
        // A connection ends when its client does.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(request: Request<Incoming>, state: Arc<Mutex<State>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scope = format!("/{REGION}/secretsmanager/aws4_request");
    let signed = header(header::AUTHORIZATION.as_str()).contains(&scope);
    let known = header("x-amz-target") == "secretsmanager.GetSecretValue";
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let fault = {
        let mut state = lock(&state);
        state.requests += 1;
        state.fault
    };
    Ok(match fault {
        SecretsFault::Silent => std::future::pending().await,
        SecretsFault::None if signed && known => version(&lock(&state), &body),
        SecretsFault::None | SecretsFault::Denied => error("AccessDeniedException", "not allowed"),
    })
}

/// The version that the request names by its stage.
fn version(state: &State, body: &[u8]) -> Response<Full<Bytes>> {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let (stage, age) = match request["VersionStage"].as_str() {
        Some(stage @ "AWSPREVIOUS") => (stage, 1),
        _ => ("AWSCURRENT", 0),
    };
    let found = state.versions.iter().rev().nth(age).filter(|_| request["SecretId"] == arn());
    let Some(version) = found else {
        return error("ResourceNotFoundException", "Secrets Manager can't find the specified secret value.");
    };
    let body = json!({
        "ARN": arn(), "Name": "strata/jwt", "SecretString": version.secret, "VersionStages": [stage],
        "CreatedDate": version.created_ms as f64 / 1000.0,
    });
    json_response(200, &body)
}

fn error(kind: &str, message: &str) -> Response<Full<Bytes>> {
    json_response(400, &json!({ "__type": kind, "Message": message }))
}

fn json_response(status: u16, body: &Value) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/x-amz-json-1.1");
    response.body(Full::new(Bytes::from(body.to_string()))).expect("status and header are valid")
}
