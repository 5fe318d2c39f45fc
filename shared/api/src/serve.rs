//! Start-up. Nothing is done before the first poll for work that the first event does not need: the environment is read,
//! the cache is set up without connecting, and the connection to Redis is opened while the poll waits.

use crate::{
    cors::Cors, invocation::began_ms, keyed, metrics::Metrics, pipeline::App, route::Route, settings::Settings,
    telemetry,
};
use futures_util::FutureExt;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, Runtime, service_fn};
use serde_json::Value;
use std::{convert::Infallible, fmt, panic::AssertUnwindSafe, time::Duration};
use strata_cache::TieredCache;
use tracing::error;

/// How much of its time limit an invocation keeps for saying what it did.
const MARGIN: Duration = Duration::from_secs(10);
/// Turns of the event loop from the runtime's start until its poll is sent, by the system calls of a start: it connects,
/// hands the request to the connection, and that writes it.
const TURNS_OF_A_POLL: usize = 3;

/// Serves `routes` as a Lambda function until Lambda ends the container.
pub async fn serve(routes: &'static [Route]) -> Result<(), Error> {
    // On the heap, as what `main` drives: its frame holds that several times over, and start-up pays for every page.
    Box::pin(serve_requests(routes)).await
}

async fn serve_requests(routes: &'static [Route]) -> Result<(), Error> {
    let (cache, function_timeout, cors) = start()?;
    let app = App { cache, routes, function_timeout, cors, metrics: Metrics::default() };
    let runtime =
        Runtime::new(service_fn(|event: LambdaEvent<_>| async { Ok::<_, Infallible>(app.answer(event).await) }));
    beside_connecting(runtime.run(), &app.cache).await
}

/// An event that is not a request, such as one of a stream or a schedule.
#[derive(Debug)]
pub struct Invocation {
    /// The event.
    pub event: Value,
    /// Lambda's name for it, which stays the same when Lambda tries an asynchronous event again.
    pub request_id: String,
    /// How long it may take.
    pub time: Duration,
}

/// Hands every [`Invocation`] to `work`. What `work` fails with is what Lambda, and its rules of repetition, are told,
/// under the name that it has as a [`Diagnostic`].
pub async fn serve_events<W, E>(work: W) -> Result<(), Error>
where
    W: AsyncFn(&TieredCache, Invocation) -> Result<Value, E>,
    E: fmt::Display + Into<Diagnostic>,
{
    Box::pin(serve_invocations(work)).await
}

async fn serve_invocations<W, E>(work: W) -> Result<(), Error>
where
    W: AsyncFn(&TieredCache, Invocation) -> Result<Value, E>,
    E: fmt::Display + Into<Diagnostic>,
{
    let (cache, function_timeout, _) = start()?;
    let (cache, work) = (&cache, &work);
    let runtime = Runtime::new(service_fn(|event: LambdaEvent<Value>| async move {
        let (event, context) = event.into_parts();
        cache.clock().observe(began_ms(&context, function_timeout));
        let left_ms = context.deadline.saturating_sub(u64::try_from(cache.clock().now_ms()).unwrap_or_default());
        let time = Duration::from_millis(left_ms).saturating_sub(MARGIN);
        let invocation = Invocation { event, request_id: context.request_id.clone(), time };
        // Boxed, as the handlers of requests are: the compiler gives up on the depth of the future as a whole.
        told(Box::pin(work(cache, invocation)), &context.request_id).await
    }));
    beside_connecting(runtime.run(), cache).await
}

/// What Lambda is told of an event, once that is done. A panic has a name as well: the runtime would tell the type of what
/// holds it, which says nothing.
async fn told<E>(work: impl Future<Output = Result<Value, E>>, request_id: &str) -> Result<Value, Diagnostic>
where
    E: fmt::Display + Into<Diagnostic>,
{
    let Ok(done) = AssertUnwindSafe(work).catch_unwind().await else {
        error!(request_id, "event panicked");
        return Err(Diagnostic { error_type: "Panic".to_owned(), error_message: "The function panicked".to_owned() });
    };
    done.inspect_err(|cause| error!(request_id, %cause, "event failed")).map_err(Into::into)
}

/// Runs `polling`, and connects to Redis when its first poll is on its way: what Lambda does with the poll and what Redis
/// does with the connection take place at the same time. A request that comes sooner connects by itself.
///
/// Joined and not spawned: a task of its own would outlive responses.
async fn beside_connecting(polling: impl Future<Output = Result<(), Error>>, cache: &TieredCache) -> Result<(), Error> {
    let connecting = async {
        for _ in 0..TURNS_OF_A_POLL {
            tokio::task::yield_now().await;
        }
        cache.connect().await;
    };
    tokio::join!(polling, connecting).0
}

/// The cache of this container, the function's time limit, if it is known, and which pages may read its answers.
fn start() -> Result<(TieredCache, Option<Duration>, Cors), Error> {
    telemetry::init();
    let opened = || {
        let Settings { cache, function_timeout, deployment_key, cors } = Settings::from_env()?;
        keyed::init(&deployment_key);
        Ok((cache.open()?, function_timeout, cors))
    };
    opened().inspect_err(|cause: &Error| error!(%cause, "start-up failed"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    struct Named;

    impl fmt::Display for Named {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("why")
        }
    }

    impl From<Named> for Diagnostic {
        fn from(named: Named) -> Diagnostic {
            Diagnostic { error_type: "Named".to_owned(), error_message: named.to_string() }
        }
    }

    #[tokio::test]
    async fn what_went_wrong_has_a_name() {
        let done = told(async { Ok::<_, Named>(json!(1)) }, "id").await.unwrap();
        assert_eq!(done, 1);
        let failed = told(async { Err(Named) }, "id").await.unwrap_err();
        assert_eq!((failed.error_type.as_str(), failed.error_message.as_str()), ("Named", "why"));
        let panicked = told::<Named>(async { panic!("a key") }, "id").await;
        let panicked = panicked.unwrap_err();
        assert_eq!((panicked.error_type.as_str(), panicked.error_message.as_str()), ("Panic", "The function panicked"));
    }
}
