//! The examples of the client's documentation, each run once.

#![allow(clippy::print_stdout, reason = "examples tell what they found")]

use super::client;
use strata_it::{Api, stack::Claims};

macro_rules! examples {
    ($($name:ident = $path:literal,)*) => {
        $(#[path = $path] mod $name;)*

        /// Runs all of them, and returns their names.
        pub async fn run(api: &Api) -> Vec<&'static str> {
            let client = client(api);
            first::run(api.stack.url(), &api.stack.token(Claims::default())).await.unwrap();
            $(examples!(@run $name, client);)*
            vec![$(stringify!($name)),*]
        }
    };
    (@run first, $client:ident) => {};
    (@run $name:ident, $client:ident) => {
        if let Err(error) = $name::run(&$client).await {
            panic!("{}: {error}", stringify!($name));
        }
    };
}

examples! {
    first = "../../../../shared/client/examples/first.rs",
    get = "../../../../shared/client/examples/get.rs",
    get_if_changed = "../../../../shared/client/examples/get_if_changed.rs",
    get_or_lease = "../../../../shared/client/examples/get_or_lease.rs",
    get_or_load = "../../../../shared/client/examples/get_or_load.rs",
    put = "../../../../shared/client/examples/put.rs",
    delete = "../../../../shared/client/examples/delete.rs",
    head = "../../../../shared/client/examples/head.rs",
    patch = "../../../../shared/client/examples/patch.rs",
    invalidate = "../../../../shared/client/examples/invalidate.rs",
    warm = "../../../../shared/client/examples/warm.rs",
    job = "../../../../shared/client/examples/job.rs",
    cancel_job = "../../../../shared/client/examples/cancel_job.rs",
    explain = "../../../../shared/client/examples/explain.rs",
    journal = "../../../../shared/client/examples/journal.rs",
    status = "../../../../shared/client/examples/status.rs",
    config = "../../../../shared/client/examples/config.rs",
    batch = "../../../../shared/client/examples/batch.rs",
    keys = "../../../../shared/client/examples/keys.rs",
    tags = "../../../../shared/client/examples/tags.rs",
    stats = "../../../../shared/client/examples/stats.rs",
    jobs = "../../../../shared/client/examples/jobs.rs",
    job_after = "../../../../shared/client/examples/job_after.rs",
    update_config = "../../../../shared/client/examples/update_config.rs",
}
