//! Attempts to connect to Redis. A connection may take longer to make than a request may wait for Redis (TLS, signing in,
//! a cluster's map): they outlive the request that began them, and the next one goes on with them.

use super::link::Connection;
use super::target::Target;
use futures_util::{
    future::BoxFuture,
    stream::{FuturesUnordered, StreamExt},
};
use redis::RedisError;
use std::{io, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long an attempt to connect goes on alone, in ms. One that was begun before a freeze, or whose first packet was
/// lost, would hold up the others.
const ALONE_MS: i64 = 1000;
/// How many attempts to connect there are at most; beyond, all are given up for a new one.
const ATTEMPTS: usize = 5;

/// Attempts to connect that have not ended.
#[derive(Default)]
pub(super) struct Attempts {
    under_way: FuturesUnordered<BoxFuture<'static, Result<Connection, RedisError>>>,
    /// When the newest was begun, in steady time.
    begun_ms: i64,
}

impl Attempts {
    /// Goes on with the attempts under way, and with one more where there is none or none that is new. Who waits no
    /// longer leaves them to the next who does.
    pub(super) async fn go_on(
        &mut self,
        target: &Arc<Target>,
        time: Duration,
        now_ms: i64,
    ) -> Result<Connection, RedisError> {
        if self.under_way.is_empty() || now_ms.saturating_sub(self.begun_ms) >= ALONE_MS {
            if self.under_way.len() >= ATTEMPTS {
                self.under_way.clear();
            }
            self.under_way.push(attempt(Arc::clone(target), time));
            self.begun_ms = now_ms;
        }
        let mut ended = Err(io::Error::from(io::ErrorKind::NotConnected).into());
        while let Some(result) = self.under_way.next().await {
            ended = result;
            if ended.is_ok() {
                self.under_way.clear();
            }
        }
        ended
    }
}

/// One attempt, which ends in time.
fn attempt(target: Arc<Target>, time: Duration) -> BoxFuture<'static, Result<Connection, RedisError>> {
    Box::pin(async move {
        let made = timeout(time, target.connect(time)).await;
        made.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    })
}
