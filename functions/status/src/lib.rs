//! The state and the statistics of the whole fleet: GET `/cache/status`.
//!
//! This container serves no entries and counts nothing worth telling: what it answers is what the others have told
//! Redis, and how the shared levels answer it.

pub mod status;

use strata_api::{Class, Route, Scope, http::Method};

/// The operations of this function.
pub static ROUTES: &[Route] = &[Route {
    method: Method::GET,
    resource: "/cache/status",
    operation: "get_status",
    scope: Some(Scope::Read),
    class: Some(Class::Read),
    handler: |call| Box::pin(status::handle(call)),
}];
