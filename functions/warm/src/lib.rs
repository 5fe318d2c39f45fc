//! Warm jobs: accepted here, run by the `warmer`, which the control table's stream calls.
//!
//! | module | |
//! |---|---|
//! | [`post`] | POST `/cache/warm` |
//! | [`list`] | GET `/cache/warm` |
//! | [`get`], [`delete`] | GET and DELETE `/cache/warm/{job_id}` |
//! | `request` | what is to be warmed, for whom, and whether it is a repetition |
//! | `job` | the job that a path names, and who may see one |
//! | `query` | what a query may say |
//! | `report` | how a job is reported |

pub mod delete;
pub mod get;
mod job;
pub mod list;
pub mod post;
mod query;
mod report;
mod request;

use strata_api::{Class, Route, Scope, http::Method};

/// The operations of this function.
pub static ROUTES: &[Route] = &[
    Route {
        method: Method::POST,
        resource: "/cache/warm",
        operation: "warm",
        scope: Some(Scope::Write),
        class: Some(Class::Bulk),
        handler: |call| Box::pin(post::handle(call)),
    },
    Route {
        method: Method::GET,
        resource: "/cache/warm",
        operation: "list_jobs",
        scope: Some(Scope::Read),
        class: Some(Class::Read),
        handler: |call| Box::pin(list::handle(call)),
    },
    Route {
        method: Method::GET,
        resource: "/cache/warm/{job_id}",
        operation: "get_job",
        scope: Some(Scope::Read),
        class: Some(Class::Read),
        handler: |call| Box::pin(get::handle(call)),
    },
    Route {
        method: Method::DELETE,
        resource: "/cache/warm/{job_id}",
        operation: "cancel_job",
        scope: Some(Scope::Write),
        class: Some(Class::Write),
        handler: |call| Box::pin(delete::handle(call)),
    },
];
