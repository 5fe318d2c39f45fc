//! The way of every request, in one place: request id → principal → route → scope → rate limit → handler → error map →
//! response.

use crate::{
    cors::Cors,
    error::{Answer, ApiError},
    event::Event,
    invocation::began_ms,
    metrics::{Answered, Metrics},
    position::{self, CACHE_POSITION},
    principal::Principal,
    rate_limit,
    response::Response,
    route::{Call, Route, Standings, Times, find},
    telemetry::Trace,
};
use futures_util::FutureExt;
use lambda_http::http::HeaderName;
use lambda_runtime::LambdaEvent;
use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};
use strata_cache::{CachePosition, TieredCache};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What every answer may say, besides what was asked.
#[derive(Default)]
struct AnswerMetadata {
    standings: Standings,
    position: Option<CachePosition>,
}

/// What a container keeps from request to request.
#[derive(Debug)]
pub struct App {
    /// The cache.
    pub cache: TieredCache,
    /// The operations of this function.
    pub routes: &'static [Route],
    /// The function's time limit, if it is known.
    pub function_timeout: Option<Duration>,
    /// Which pages of browsers may read its answers.
    pub cors: Cors,
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
        let origin = event.headers.origin.take();
        let deadline_ms = i64::try_from(context.deadline).ok().filter(|deadline_ms| *deadline_ms > 0);
        let times = Times { began_ms, deadline_ms: deadline_ms.unwrap_or(i64::MAX) };
        let (mut trace, mut metadata) = (Trace::default(), AnswerMetadata::default());
        let outcome = self.handle(event, &request_id, times, &mut trace, &mut metadata).await;
        let response = outcome.unwrap_or_else(|error| {
            trace.failed(&error);
            error.respond(&request_id, self.cache.clock().now_ms())
        });
        let response = rate_limit::with_headers(response, &metadata.standings);
        let response = match metadata.position {
            Some(position) => response.header(CACHE_POSITION, position::text(position)),
            None => response,
        };
        let (function, status, took) = (&context.env_config.function_name, response.status, started.elapsed());
        trace.write(&request_id, function, status, took);
        self.metrics.add(Answered { function, status, level: trace.level, took }, &self.cache);
        self.cors.tell(response.header(REQUEST_ID, request_id), origin.as_deref())
    }

    async fn handle(
        &self,
        event: Event,
        request_id: &str,
        times: Times,
        trace: &mut Trace,
        metadata: &mut AnswerMetadata,
    ) -> Answer {
        let AnswerMetadata { standings, position } = metadata;
        let principal = Principal::of(&event, self.cache.clock().now_ms())?;
        let route = find(self.routes, &event).ok_or(ApiError::RouteNotFound)?;
        trace.operation = Some(route.operation);
        if let Some(scope) = route.scope {
            principal.require(scope)?;
        }
        if let Some(class) = route.class {
            standings[0] = self.cache.admit(&principal.api_key, class).await.map_err(ApiError::RateLimited)?;
        }
        let call = Call { cache: &self.cache, principal, request_id, times, standings, position, event, trace };
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
    use strata_cache::{Class, Clock, Config, Deployment, Limits};

    const NOW: i64 = 1_700_000_000_000;

    static ROUTES: &[Route] = &[
        Route {
            method: Method::GET,
            resource: "/ok",
            operation: "ok",
            scope: Some(Scope::Read),
            class: Some(Class::Read),
            handler: |call| Box::pin(async move { Response::json(StatusCode::OK, &call.principal.subject) }),
        },
        Route {
            method: Method::GET,
            resource: "/panic",
            operation: "panic",
            scope: Some(Scope::Read),
            class: Some(Class::Read),
            handler: |call| Box::pin(async move { panic!("{}", call.principal.subject) }),
        },
        Route {
            method: Method::PUT,
            resource: "/ok",
            operation: "write",
            scope: Some(Scope::Write),
            class: Some(Class::Write),
            handler: |_| Box::pin(async { Response::json(StatusCode::OK, &()) }),
        },
    ];

    fn event(method: &str, resource: &str) -> Value {
        json!({"httpMethod": method, "resource": resource, "requestContext": {
            "requestId": "req-1", "requestTimeEpoch": NOW,
            "authorizer": {"sub": "s", "api_key": "k", "exp": NOW / 1000 + 60, "scopes": "[\"cache:read\"]"},
        }})
    }

    /// A function without Redis, which has nothing to say here, and a limit of one read and any number of writes.
    fn app() -> App {
        let limits = Limits::OFF.with(Class::Read, 1);
        let deployment = Deployment { limits, clock: Clock::manual(NOW), ..Deployment::new("control") };
        let mut config = Config::default();
        config.l2_config.enabled = false;
        let cache = TieredCache::open(deployment, config).unwrap();
        App { cache, routes: ROUTES, function_timeout: None, cors: Cors::default(), metrics: Metrics::default() }
    }

    async fn answer_of(app: &App, event: Value) -> Value {
        let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), Context::default());
        serde_json::to_value(app.answer(event).await).unwrap()
    }

    /// Status, body and `x-request-id` of the first answer of a function.
    async fn answer(event: Value) -> (u16, Value, String) {
        let answer = answer_of(&app(), event).await;
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

    #[tokio::test]
    async fn what_was_refused_before_does_not_count_and_everything_after_does() {
        let app = app();
        let mut anonymous = event("GET", "/ok");
        anonymous["requestContext"]["authorizer"].take();
        for (event, status) in [
            (anonymous, 401),
            (event("GET", "/nowhere"), 404),
            (event("PUT", "/ok"), 403),
            (event("GET", "/panic"), 500),
            (event("GET", "/ok"), 429),
        ] {
            let answer = answer_of(&app, event).await;
            let headers = &answer["headers"];
            assert_eq!(answer["statusCode"], status);
            let counted = [429, 500].contains(&status);
            assert_eq!(headers["ratelimit-policy"].as_str(), counted.then_some(r#""read";q=1;w=60"#), "{answer}");
            assert_eq!(headers["ratelimit"].as_str(), counted.then_some(r#""read";r=0;t=60"#), "{answer}");
            assert_eq!(headers["retry-after"].as_str(), (status == 429).then_some("60"), "{answer}");
        }
        let mut other = event("GET", "/ok");
        other["requestContext"]["authorizer"]["api_key"] = json!("another");
        assert_eq!(answer_of(&app, other).await["statusCode"], 200);
    }

    #[tokio::test]
    async fn without_a_limit_nothing_is_said_of_it() {
        let mut writer = event("PUT", "/ok");
        writer["requestContext"]["authorizer"]["scopes"] = json!("[\"cache:write\"]");
        let answer = answer_of(&app(), writer).await;
        assert_eq!((&answer["statusCode"], &answer["headers"]["ratelimit"]), (&json!(200), &Value::Null));
    }
}
