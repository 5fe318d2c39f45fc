//! What there is in the cache: the state and the statistics of the whole fleet, and lists of entries and tags.
//!
//! | module | |
//! |---|---|
//! | [`status`] | GET `/cache/status` |
//! | [`keys`], [`tags`] | GET `/cache/keys`, GET `/cache/tags`: lists, page by page |
//! | [`stats`] | GET `/cache/stats`: what the last census counted, by prefix |
//! | `history` | what of the status is reported minute by minute |
//! | `request` | what the parameters of lists may say |
//!
//! Lists are here because they only look: this function may not write entries, and a list that takes its time keeps no
//! container that serves entries. It counts nothing worth telling.

mod history;
pub mod keys;
mod request;
pub mod stats;
pub mod status;
pub mod tags;

use strata_api::{Class, Route, Scope, http::Method, route::Handler};

/// The operations of this function.
pub static ROUTES: &[Route] = &[
    get("/cache/status", "get_status", Class::Read, |call| Box::pin(status::handle(call))),
    get("/cache/keys", "list_keys", Class::Bulk, |call| Box::pin(keys::handle(call))),
    get("/cache/tags", "list_tags", Class::Bulk, |call| Box::pin(tags::handle(call))),
    get("/cache/stats", "get_stats", Class::Bulk, |call| Box::pin(stats::handle(call))),
];

const fn get(resource: &'static str, operation: &'static str, class: Class, handler: Handler) -> Route {
    Route { method: Method::GET, resource, operation, scope: Some(Scope::Read), class: Some(class), handler }
}
