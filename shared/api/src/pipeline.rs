//! The way of every request, in one place: request id → principal → route → scope → handler → error map → response.

use crate::{
    error::{Answer, ApiError},
    event::Event,
    metrics::{Answered, Metrics},
    principal::Principal,
    response::Response,
    route::{Call, Route, find},
    serve::began_ms,
    telemetry::Trace,
};
use futures_util::FutureExt;
use lambda_http::http::HeaderName;
use lambda_runtime::LambdaEvent;
use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};
use strata_cache::TieredCache;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a container keeps from request to request.
#[derive(Debug)]
pub struct App {
    /// The cache.
    pub cache: TieredCache,
    /// The operations of this function.
    pub routes: &'static [Route],
    /// The function's time limit, if it is known.
    pub function_timeout: Option<Duration>,
    /// What it tells CloudWatch.
    pub metrics: Metrics,
}

impl App {
    /// Answers one request. Always in the contract's shape, whatever happens.
    pub async fn answer(&self, invocation: LambdaEvent<Event>) -> Response {
        let started = Instant::now();
        let (mut event, context) = invocation.into_parts();
        let began_ms = began_ms(&context, self.function_timeout).max(event.request_context.request_time_epoch);
        self.cache.clock().observe(began_ms);
        let request_id = event.request_context.request_id.take().unwrap_or(context.request_id);
        let mut trace = Trace::default();
        let outcome = self.handle(event, &mut trace).await;
        let response = outcome.unwrap_or_else(|error| {
            trace.failed(&error);
            error.respond(&request_id, self.cache.clock().now_ms())
        });
        let (function, status, took) = (&context.env_config.function_name, response.status, started.elapsed());
        trace.write(&request_id, function, status, took);
        self.metrics.add(Answered { function, status, level: trace.level, took }, &self.cache);
        response.header(REQUEST_ID, request_id)
    }

    async fn handle(&self, event: Event, trace: &mut Trace) -> Answer {
        let principal = Principal::of(&event, self.cache.clock().now_ms())?;
        let route = find(self.routes, &event).ok_or(ApiError::RouteNotFound)?;
        trace.operation = Some(route.operation);
        principal.require(route.scope)?;
        let call = Call { cache: &self.cache, principal, event, trace };
        let handled = AssertUnwindSafe(async { (route.handler)(call).await }).catch_unwind().await;
        handled.unwrap_or_else(|_| Err(ApiError::Internal("the handler panicked".into())))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::principal::Scope;
    use lambda_http::http::{Method, StatusCode};
    use lambda_runtime::Context;
    use serde_json::{Value, json};
    use strata_cache::{Clock, Config, Deployment};

    const NOW: i64 = 1_700_000_000_000;

    static ROUTES: &[Route] = &[
        Route {
            method: Method::GET,
            resource: "/ok",
            operation: "ok",
            scope: Scope::Read,
            handler: |call| Box::pin(async move { Response::json(StatusCode::OK, &call.principal.subject) }),
        },
        Route {
            method: Method::GET,
            resource: "/panic",
            operation: "panic",
            scope: Scope::Read,
            handler: |call| Box::pin(async move { panic!("{}", call.principal.subject) }),
        },
        Route {
            method: Method::PUT,
            resource: "/ok",
            operation: "write",
            scope: Scope::Write,
            handler: |_| Box::pin(async { Response::json(StatusCode::OK, &()) }),
        },
    ];

    fn event(method: &str, resource: &str) -> Value {
        json!({"httpMethod": method, "resource": resource, "requestContext": {
            "requestId": "req-1", "requestTimeEpoch": NOW,
            "authorizer": {"sub": "s", "api_key": "k", "exp": NOW / 1000 + 60, "scopes": "[\"cache:read\"]"},
        }})
    }

    /// Status, body and `x-request-id` of the answer.
    async fn answer(event: Value) -> (u16, Value, String) {
        let deployment = Deployment { clock: Clock::manual(NOW), ..Deployment::new("control") };
        let cache = TieredCache::open(deployment, Config::default()).unwrap();
        let app = App { cache, routes: ROUTES, function_timeout: None, metrics: Metrics::default() };
        let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), Context::default());
        let answer = serde_json::to_value(app.answer(event).await).unwrap();
        let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        let status = answer["statusCode"].as_u64().unwrap();
        (status.try_into().unwrap(), body, answer["headers"]["x-request-id"].as_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn an_allowed_request_reaches_its_handler() {
        assert_eq!(answer(event("GET", "/ok")).await, (200, json!("s"), "req-1".to_owned()));
    }

    #[tokio::test]
    async fn each_step_refuses_in_shape() {
        let mut anonymous = event("GET", "/nowhere");
        anonymous["requestContext"]["authorizer"].take();
        for (event, status, code) in [
            (anonymous, 401, "UNAUTHORIZED"),
            (event("GET", "/nowhere"), 404, "ROUTE_NOT_FOUND"),
            (event("POST", "/ok"), 404, "ROUTE_NOT_FOUND"),
            (event("PUT", "/ok"), 403, "FORBIDDEN"),
            (event("GET", "/panic"), 500, "INTERNAL_ERROR"),
        ] {
            let (answered, body, _) = answer(event).await;
            assert_eq!((answered, body["error"]["code"].as_str().unwrap()), (status, code));
            assert_eq!(body["error"]["request_id"], "req-1");
            assert_eq!(body["error"]["timestamp"], "2023-11-14T22:13:20Z");
        }
    }
}
