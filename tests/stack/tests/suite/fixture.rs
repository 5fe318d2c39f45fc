//! A stack of probes, and how to look at it.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use strata_stack::{Error, Options, Stack};
use tempfile::TempDir;

/// A stack of probes, its folder of binaries, and a client.
pub struct Fixture {
    pub stack: Stack,
    client: Client<HttpConnector, Full<Bytes>>,
    _binaries: TempDir,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: hyper::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn container(&self) -> &str {
        self.headers["x-strata-container"].to_str().unwrap()
    }

    /// What the probe saw.
    pub fn seen(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Fixture {
    pub async fn start(options: Options) -> Self {
        Self::try_start(options).await.expect("there is a Redis")
    }

    /// None when there is no such Redis on this machine.
    pub async fn try_start(options: Options) -> Option<Self> {
        let exe = std::env::current_exe().unwrap();
        let probe = exe.ancestors().nth(2).unwrap().join("examples/probe");
        let binaries = TempDir::new().unwrap();
        for name in ["probe", "guard"] {
            std::os::unix::fs::symlink(&probe, binaries.path().join(name)).unwrap();
        }
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/template.yaml");
        let started = Stack::start(options.template(template).binaries(binaries.path())).await;
        if matches!(started, Err(Error::NoRedis)) {
            return None;
        }
        let stack = started.unwrap();
        Some(Self { stack, client: Client::builder(TokioExecutor::new()).build_http(), _binaries: binaries })
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let base = self.stack.url().trim_end_matches("/v1/cache");
        let mut request = Request::builder().method(method).uri(format!("{base}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.client.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: head.status, headers: head.headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[("authorization", "Bearer good")], "").await
    }

    /// Gives the probe an order.
    pub async fn order(&self, order: Value) -> Answer {
        self.send("PUT", "/v1/cache/a", &[("authorization", "Bearer good")], order.to_string()).await
    }

    pub async fn pinned(&self, container: &str) -> Answer {
        let headers = [("authorization", "Bearer good"), ("x-strata-pin", container)];
        self.send("GET", "/v1/cache/a", &headers, "").await
    }

    pub fn pid(&self, container: &str) -> Option<u32> {
        self.stack.containers().into_iter().find(|candidate| candidate.name == container).unwrap().pid
    }
}

/// The state letter of /proc: T is stopped.
pub fn process_state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within 5 s");
}
