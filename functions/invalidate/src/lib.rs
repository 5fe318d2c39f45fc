//! Invalidation by pattern, tags or keys, and what was recently changed.
//!
//! | module | |
//! |---|---|
//! | [`invalidate`] | POST `/cache/invalidate`: request, call of the cache, answer |
//! | `request` | what an invalidation's body may say |
//! | [`undo`] | POST `/cache/invalidate/{invalidation_id}/undo` |
//! | [`list`] | GET `/cache/invalidations` |
//! | [`journal`] | GET `/cache/journal` |

pub mod invalidate;
pub mod journal;
pub mod list;
mod request;
pub mod undo;

use strata_api::{Class, Route, Scope, http::Method};

/// The operations of this function.
pub static ROUTES: &[Route] = &[
    Route {
        method: Method::POST,
        resource: "/cache/invalidate",
        operation: "invalidate",
        scope: Some(Scope::Write),
        class: Some(Class::Bulk),
        handler: |call| Box::pin(invalidate::handle(call)),
    },
    Route {
        method: Method::POST,
        resource: "/cache/invalidate/{invalidation_id}/undo",
        operation: "undo_invalidation",
        scope: Some(Scope::Write),
        class: Some(Class::Bulk),
        handler: |call| Box::pin(undo::handle(call)),
    },
    Route {
        method: Method::GET,
        resource: "/cache/invalidations",
        operation: "list_invalidations",
        scope: Some(Scope::Journal),
        class: Some(Class::Read),
        handler: |call| Box::pin(list::handle(call)),
    },
    Route {
        method: Method::GET,
        resource: "/cache/journal",
        operation: "get_journal",
        scope: Some(Scope::Journal),
        class: Some(Class::Read),
        handler: |call| Box::pin(journal::handle(call)),
    },
];
