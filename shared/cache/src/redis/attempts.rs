//! Attempts to connect to Redis. A connection may take longer to make than a request may wait for Redis (TLS, signing in,
//! a cluster's map): they outlive the request that began them, and the next one goes on with them.

use super::connection::Connection;
use super::target::Target;
use futures_util::{FutureExt, future::BoxFuture};
use redis::RedisError;
use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::timeout;

/// How long an attempt to connect goes on alone, in ms. One that was begun before a freeze, or whose first packet was
/// lost, would hold up the others.
const ALONE_MS: i64 = 1000;
/// How many attempts to connect there are at most; beyond, the oldest is given up.
const MOST: usize = 5;

/// Attempts to connect that have not ended, the newest last.
#[derive(Default)]
pub(super) struct Attempts(Vec<Attempt>);

struct Attempt {
    /// In steady time.
    begun_ms: i64,
    made: BoxFuture<'static, Result<Connection, RedisError>>,
}

impl Attempts {
    /// Goes on with the attempts under way, and with one more where there is none or none that is new. Who waits no
    /// longer leaves them to the next who does.
    ///
    /// # Errors
    /// When the newest one failed, and none of the others has come to its end.
    pub(super) async fn go_on(
        &mut self,
        target: &Arc<Target>,
        time: Duration,
        now_ms: i64,
    ) -> Result<Connection, RedisError> {
        // What has come while nobody waited is there, however long ago it was begun.
        if let Poll::Ready(Ok(connection)) = poll_fn(|context| Poll::Ready(self.poll(context))).await {
            return Ok(connection);
        }
        if self.0.last().is_none_or(|newest| now_ms.saturating_sub(newest.begun_ms) >= ALONE_MS) {
            if self.0.len() >= MOST {
                self.0.remove(0);
            }
            self.0.push(Attempt { begun_ms: now_ms, made: attempt(Arc::clone(target), time).boxed() });
        }
        poll_fn(|context| self.poll(context)).await
    }

    /// Takes each a step further. The first that connects makes an end of the others.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Connection, RedisError>> {
        let (mut ended, count) = (Poll::Pending, self.0.len());
        for at in (0..count).rev() {
            match self.0[at].made.poll_unpin(context) {
                Poll::Pending => {}
                Poll::Ready(Ok(connection)) => {
                    self.0.clear();
                    return Poll::Ready(Ok(connection));
                }
                Poll::Ready(Err(error)) => {
                    self.0.remove(at);
                    if at + 1 == count {
                        ended = Poll::Ready(Err(error));
                    }
                }
            }
        }
        ended
    }
}

/// One attempt, which ends in time.
async fn attempt(target: Arc<Target>, time: Duration) -> Result<Connection, RedisError> {
    let made = timeout(time, target.connect(time)).await;
    made.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}
