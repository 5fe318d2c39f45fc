//! The configuration of the fleet: shown, and changed while it runs.
//!
//! | module | |
//! |---|---|
//! | [`get`] | GET `/cache/config`: the whole document |
//! | [`put`] | PUT `/cache/config`: changes some of its fields |
//! | `request` | what an update's body may say |
//! | `version` | the document's version as entity tag |
//! | `warnings` | what switching a level does to the cache |

pub mod get;
pub mod put;
mod request;
mod version;
mod warnings;

use strata_api::{Class, Route, Scope, http::Method};

/// The operations of this function.
pub static ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        resource: "/cache/config",
        operation: "get_config",
        scope: Some(Scope::Read),
        class: Some(Class::Config),
        handler: |call| Box::pin(get::handle(call)),
    },
    Route {
        method: Method::PUT,
        resource: "/cache/config",
        operation: "put_config",
        scope: Some(Scope::Admin),
        class: Some(Class::Config),
        handler: |call| Box::pin(put::handle(call)),
    },
];
