//! Which operation a request asks for: a table per function, matched by the gateway's own resource.

use crate::{
    error::Answer,
    event::Event,
    principal::{Principal, Scope},
    telemetry::Trace,
};
use lambda_http::http::Method;
use lambda_runtime::BoxFuture;
use strata_cache::{Class, TieredCache};

/// One operation of a function.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The resource, as the gateway names it.
    pub resource: &'static str,
    /// The operation's name in logs.
    pub operation: &'static str,
    /// What a caller needs.
    pub scope: Scope,
    /// Which of a caller's rate limits it counts against.
    pub class: Class,
    /// What does it.
    pub handler: Handler,
}

/// Does one operation.
pub type Handler = for<'a> fn(Call<'a>) -> BoxFuture<'a, Answer>;

/// All that a handler works with.
pub struct Call<'a> {
    /// The container's cache.
    pub cache: &'a TieredCache,
    /// Who is calling; has the route's scope.
    pub principal: Principal,
    /// The request.
    pub event: Event,
    /// What the log will say of it.
    pub trace: &'a mut Trace,
}

/// The route that `event` asks for.
pub(crate) fn find<'r>(routes: &'r [Route], event: &Event) -> Option<&'r Route> {
    routes.iter().find(|route| route.method == *event.http_method && route.resource == event.resource)
}
