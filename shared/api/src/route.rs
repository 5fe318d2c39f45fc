//! Which operation a request asks for: a table per function, matched by the gateway's own resource.

use crate::{
    error::ApiError, event::Event, position, principal::Principal, problem::Problem, response::Answer, scope::Scope,
    telemetry::Trace,
};
use lambda_http::http::Method;
use lambda_runtime::BoxFuture;
use strata_cache::{CachePosition, Class, Standing, TieredCache};

/// One operation of a function.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The resource, as the gateway names it.
    pub resource: &'static str,
    /// The operation's name in logs.
    pub operation: &'static str,
    /// What a caller needs; `None` where that depends on what the body asks for: its handler sees to it.
    pub scope: Option<Scope>,
    /// Which of a caller's rate limits it counts against; `None` as with the scope.
    pub class: Option<Class>,
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
    /// The gateway's name for the request.
    pub request_id: &'a str,
    /// How long it may take.
    pub times: Times,
    /// Where the caller stands with their rate limits, as far as the request counts against them.
    pub standings: &'a mut Standings,
    /// What the answer says that its reader has seen; `None` where it says nothing of that.
    pub position: &'a mut Option<CachePosition>,
    /// The request.
    pub event: Event,
    /// What the log will say of it.
    pub trace: &'a mut Trace,
}

/// At most of two classes.
pub type Standings = [Option<Standing>; 2];

/// When a request began, and when it must have ended, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// When the gateway received it.
    pub began_ms: i64,
    /// When Lambda ends the invocation.
    pub deadline_ms: i64,
}

impl Call<'_> {
    /// What the caller has seen, which the answer says again, whatever it is.
    ///
    /// # Errors
    /// When the request says something else than a position.
    pub fn seen(&mut self) -> Result<CachePosition, Problem> {
        let sent = position::sent(&self.event.headers)?;
        self.saw(sent);
        Ok(sent)
    }

    /// The answer lets its reader see that as well.
    pub fn saw(&mut self, more: CachePosition) {
        *self.position = Some(self.position.unwrap_or_default().and(more));
    }

    /// Counts so many operations of the caller's, all of them or none.
    ///
    /// # Errors
    /// When they do not all fit.
    pub async fn admit(&mut self, needs: [(Class, u32); 2]) -> Result<(), ApiError> {
        let admitted = self.cache.admit_all(&self.principal.api_key, needs).await;
        *self.standings = admitted.map_err(ApiError::RateLimited)?;
        Ok(())
    }
}

/// The route that `event` asks for.
pub(crate) fn find<'r>(routes: &'r [Route], event: &Event) -> Option<&'r Route> {
    routes.iter().find(|route| route.method == *event.http_method && route.resource == event.resource)
}
