//! One cache entry: GET, HEAD, PUT, PATCH and DELETE of `/cache/entries/{key+}`, and of `/cache/entries?key=` for keys
//! that no path can carry; and many of those at once: POST of `/cache/batch`.
//!
//! | module | |
//! |---|---|
//! | [`address`] | the key, from the path or the query |
//! | [`conditions`] | `If-Match` and `If-None-Match` |
//! | [`get`], [`put`], [`patch`], [`delete`] | an operation each: request, call of the cache, answer |
//! | [`batch`] | many operations at once |
//! | [`explain`] | why a read is answered as it is: GET of `/cache/explain` |
//! | [`cache_status`] | what each level did for a read, as RFC 9211 says it |

pub mod address;
pub mod batch;
mod batch_answer;
mod batch_request;
pub mod cache_status;
pub mod conditions;
pub mod delete;
pub mod explain;
pub mod get;
pub mod patch;
mod patch_request;
pub mod put;
mod put_request;

use strata_api::{Class, Route, Scope, http::Method, route::Handler};

const BY_PATH: &str = "/cache/entries/{key+}";
const BY_QUERY: &str = "/cache/entries";

/// The operations of this function.
pub static ROUTES: &[Route] = &[
    get(BY_PATH),
    get(BY_QUERY),
    head(BY_PATH),
    head(BY_QUERY),
    put(BY_PATH),
    put(BY_QUERY),
    patch(BY_PATH),
    patch(BY_QUERY),
    delete(BY_PATH),
    delete(BY_QUERY),
    BATCH,
    EXPLAIN,
];

/// What it needs, and what it counts as, its operations say.
const BATCH: Route = Route {
    method: Method::POST,
    resource: "/cache/batch",
    operation: "batch",
    scope: None,
    class: None,
    handler: |call| Box::pin(batch::handle(call)),
};

const EXPLAIN: Route =
    route(Method::GET, "/cache/explain", "explain", Scope::Read, Class::Read, |call| Box::pin(explain::handle(call)));

const fn get(resource: &'static str) -> Route {
    route(Method::GET, resource, "get_entry", Scope::Read, Class::Read, |call| Box::pin(get::handle(call)))
}

/// Answered as GET is: the gateway leaves out the body, and only so knows how long it would be.
const fn head(resource: &'static str) -> Route {
    route(Method::HEAD, resource, "head_entry", Scope::Read, Class::Read, |call| Box::pin(get::handle(call)))
}

const fn patch(resource: &'static str) -> Route {
    route(Method::PATCH, resource, "patch_entry", Scope::Write, Class::Write, |call| Box::pin(patch::handle(call)))
}

const fn put(resource: &'static str) -> Route {
    route(Method::PUT, resource, "put_entry", Scope::Write, Class::Write, |call| Box::pin(put::handle(call)))
}

const fn delete(resource: &'static str) -> Route {
    route(Method::DELETE, resource, "delete_entry", Scope::Write, Class::Write, |call| Box::pin(delete::handle(call)))
}

const fn route(
    method: Method,
    resource: &'static str,
    operation: &'static str,
    scope: Scope,
    class: Class,
    handler: Handler,
) -> Route {
    Route { method, resource, operation, scope: Some(scope), class: Some(class), handler }
}
