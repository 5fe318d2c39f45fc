//! Start-up. Nothing is done before the first poll for work that the first request does not need: the environment is
//! read, the cache is set up without connecting, and the connection to Redis is opened while the poll waits.

use crate::{pipeline::App, route::Route, settings::Settings, telemetry};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use strata_cache::TieredCache;
use tracing::error;

/// Serves `routes` as a Lambda function until Lambda ends the container.
pub async fn serve(routes: &'static [Route]) -> Result<(), Error> {
    telemetry::init();
    let app = open(routes).inspect_err(|cause| error!(cause = %cause, "start-up failed"))?;
    let runtime = Runtime::new(service_fn(|event: LambdaEvent<_>| async { Ok::<_, Error>(app.answer(event).await) }));
    // Joined and not spawned: a task of its own would outlive responses.
    tokio::join!(runtime.run(), app.cache.connect()).0
}

fn open(routes: &'static [Route]) -> Result<App, Error> {
    let Settings { config, deployment, function_timeout } = Settings::from_env()?;
    let cache = TieredCache::open(deployment, config)?;
    Ok(App { cache, routes, function_timeout })
}
