//! The `entries` function, or the one it is compared with, under an allocator that counts. One more route tells what it
//! has counted; nothing else is different.

use lambda_http::{Body, Request, RequestExt, Response, run, service_fn};
use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use strata_api::{Class, Error, Route, Scope, http::Method};
use strata_bench::allocations::{BASELINE, Counts, RESOURCE};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var_os(BASELINE).is_some() { run(service_fn(hello)).await } else { entries().await }
}

async fn entries() -> Result<(), Error> {
    let mut routes = vec![Route {
        method: Method::GET,
        resource: RESOURCE,
        operation: "allocations",
        scope: Some(Scope::Read),
        class: Some(Class::Read),
        handler: |_| Box::pin(async { strata_api::Response::json(strata_api::http::StatusCode::OK, &counts()) }),
    }];
    routes.extend(entries::ROUTES.iter().map(|route| Route { method: route.method.clone(), ..*route }));
    strata_api::serve(routes.leak()).await
}

async fn hello(request: Request) -> Result<Response<Body>, Error> {
    let counting = request.raw_http_path().ends_with(RESOURCE);
    let answer = if counting { json!(counts()) } else { json!({"message": "hello"}) };
    let response = Response::builder().header("content-type", "application/json");
    Ok(response.body(Body::from(answer.to_string()))?)
}

fn counts() -> Counts {
    let stats = ALLOCATOR.stats();
    Counts { allocations: stats.allocations + stats.reallocations, bytes: stats.bytes_allocated }
}
