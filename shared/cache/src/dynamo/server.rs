//! A DynamoDB of one's own: the SDK as ever, whose requests go there.

use crate::Clock;
use aws_sdk_dynamodb::config::{
    BehaviorVersion, Builder, HttpClient, Region, RuntimeComponents,
    http::{HttpRequest, HttpResponse},
};
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        result::ConnectorError,
    },
    http::StatusCode,
};
use futures_util::future::BoxFuture;
use std::{
    fmt::Debug,
    io,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A server that requests go to.
pub trait DynamoServer: Debug + Send + Sync {
    /// Answers a request, with its `X-Amz-Target` and its JSON, by a status and JSON. It takes effect whether or not anybody
    /// waits for the answer.
    fn call(&self, target: String, body: Vec<u8>) -> BoxFuture<'static, io::Result<(u16, Vec<u8>)>>;
}

/// What a client for that server begins with. Nothing is signed, for nobody would look at it.
pub(super) fn config(server: &Arc<dyn DynamoServer>, clock: &Clock) -> Builder {
    Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("local"))
        .allow_no_auth()
        .time_source(OwnTime(clock.clone()))
        .http_client(Wire(Arc::clone(server)))
}

#[derive(Debug)]
struct OwnTime(Clock);

impl TimeSource for OwnTime {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0.now_ms().unsigned_abs())
    }
}

#[derive(Debug, Clone)]
struct Wire(Arc<dyn DynamoServer>);

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let answer = self.0.call(target, body);
        HttpConnectorFuture::new(async move {
            let (status, body) = answer.await.map_err(|error| ConnectorError::io(error.into()))?;
            let status = StatusCode::try_from(status).map_err(|error| ConnectorError::other(error.into(), None))?;
            Ok(HttpResponse::new(status, body.into()))
        })
    }
}
