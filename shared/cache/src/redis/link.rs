//! The one connection of a container to Redis, and what happens when it breaks.
//!
//! A connection that fails is thrown away and made anew, with a fresh look-up of the address: a frozen container
//! wakes up to connections that were closed long ago, and after a failover the old address answers READONLY. The
//! clients that reconnect by themselves do so in background tasks with back-off, which a freeze would interrupt.
//! What can be repeated is repeated once, at once; after that Redis is left alone for a moment.

use super::attempts::Attempts;
use super::connection::{Connection, Order};
use super::down::Down;
use super::meaning::Meaning;
use super::scripts;
use super::target::{RedisAccess, Target};
use crate::{
    Clock,
    config::L2Config,
    lock::{Lock, emptied},
    pause::Pause,
};
use redis::{FromRedisValue, Pipeline, RedisError, Value};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::{Instant, timeout, timeout_at};

/// How much longer than another batch one with work on many keys may take.
const BULK_FACTOR: u32 = 20;
/// When the cluster client gives up a reply by itself. The link has given it up long before.
const ABANDONED: Duration = Duration::from_secs(300);
/// What the network of a small container carries at least: 20 MB/s.
const BYTES_PER_MICROSECOND: u64 = 20;

/// A command for Redis.
pub(crate) type Command = redis::Cmd;
/// What Redis says to one command.
pub(crate) type Reply = Value;

/// Commands that are sent together.
#[derive(Default)]
pub(crate) struct Batch {
    commands: Pipeline,
    extra: Duration,
}

/// The connection.
pub(crate) struct Link {
    target: Arc<Target>,
    /// In milliseconds; may change while it runs.
    timeout_ms: AtomicU64,
    /// In seconds; may change as well.
    connect_timeout_seconds: AtomicU64,
    connection: Lock<Option<Made>>,
    connecting: tokio::sync::Mutex<Attempts>,
    /// Connecting has been tried to its end, however that came.
    met: AtomicBool,
    clock: Clock,
    pause: Pause,
    /// It is read from, and nothing is written.
    refusing: Pause,
}

/// A connection, and when it was made.
struct Made {
    connection: Connection,
    at: Instant,
}

impl Link {
    /// Prepares a link; connects nothing.
    pub(crate) fn new(config: &L2Config, access: &RedisAccess, clock: Clock) -> Result<Link, RedisError> {
        Ok(Link {
            target: Arc::new(Target::new(config, access, ABANDONED, &clock)?),
            timeout_ms: config.timeout_ms.into(),
            connect_timeout_seconds: config.connection_timeout_seconds.into(),
            connection: Lock::new(None),
            connecting: tokio::sync::Mutex::default(),
            met: AtomicBool::new(false),
            clock: clock.clone(),
            pause: Pause::new(clock.clone()),
            refusing: Pause::new(clock),
        })
    }

    /// The same link to a server of one's own.
    #[cfg(feature = "in-memory")]
    pub(crate) fn to(mut self, server: Arc<dyn super::RedisServer>) -> Link {
        self.target = Arc::new(Target::Own(server));
        self
    }

    /// Waits so long for an answer, and for a connection, from now on.
    pub(crate) fn set_timeouts(&self, config: &L2Config) {
        self.timeout_ms.store(config.timeout_ms, Relaxed);
        self.connect_timeout_seconds.store(config.connection_timeout_seconds, Relaxed);
    }

    fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout_seconds.load(Relaxed))
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.load(Relaxed))
    }

    /// Whether keys of one script must lie in one slot, and different slots on different nodes.
    pub(crate) fn is_cluster(&self) -> bool {
        matches!(*self.target, Target::Cluster(..))
    }

    /// Connects outside of requests, within the connection timeout. What fails here is tried again by the first
    /// request that needs it.
    pub(crate) async fn connect(&self) {
        match timeout(self.connect_timeout(), self.connection()).await {
            // Whoever did not wait for that has begun a pause.
            Ok(Ok(_)) => self.pause.end(),
            Ok(Err(error)) => tracing::warn!(%error, "redis is not reachable at start"),
            Err(_) => {}
        }
        self.met.store(true, Relaxed);
    }

    /// Waits, once in a container's life and within the connection timeout, until connecting has come to an end: before
    /// that nobody knows whether Redis is out of reach.
    pub(crate) async fn meet(&self) {
        if !self.met.load(Relaxed) {
            self.connect().await;
        }
    }

    /// Whether Redis has refused a write lately, and is spared more of them for a moment.
    pub(crate) fn is_refusing(&self) -> bool {
        self.refusing.is_on()
    }

    /// Spares Redis more writes for a moment, where it takes none.
    pub(crate) fn note_refusal(&self, down: &Down) {
        if down.is_refusal() {
            self.spare();
        }
    }

    /// Spares Redis more writes for a moment.
    pub(crate) fn spare(&self) {
        self.refusing.begin();
    }

    /// Leaves Redis alone for a moment: it answers, and what it says is of no use.
    pub(crate) fn leave_alone(&self) {
        self.pause.begin();
    }

    /// Sends a batch and returns one reply for each command, all within the level's timeout.
    pub(crate) async fn run(&self, batch: &Batch, order: Order) -> Result<Vec<Reply>, Down> {
        self.run_within(self.timeout() + batch.extra, batch, order).await
    }

    /// The same for work on many keys, which no read waits for.
    pub(crate) async fn run_bulk(&self, batch: &Batch, order: Order) -> Result<Vec<Reply>, Down> {
        self.run_within(self.timeout() * BULK_FACTOR, batch, order).await
    }

    /// The same for what nobody waits for, until a given time. It is not repeated, makes no connection, and says nothing of
    /// the one there is when it fails.
    pub(crate) async fn run_spare(&self, batch: &Batch, until: Instant) -> Result<Vec<Reply>, Down> {
        let connection = self.current().filter(|_| !self.pause.is_on());
        let mut connection = connection.ok_or(Down::Skipped)?;
        let replies = timeout_at(until, connection.send(&batch.commands, Order::Any)).await;
        replies.map_err(|_| Down::TimedOut)?.map_err(Down::Failed)
    }

    async fn run_within(&self, time: Duration, batch: &Batch, order: Order) -> Result<Vec<Reply>, Down> {
        if self.pause.is_on() {
            return Err(Down::Skipped);
        }
        let begun = Instant::now();
        let down = match timeout(time, self.run_with_retry(&batch.commands, order)).await {
            Ok(Ok(replies)) => return Ok(replies),
            Ok(Err((meaning, error))) => {
                match meaning {
                    Meaning::Lost => self.forget(),
                    Meaning::Away => {}
                    _ => return Err(Down::Failed(error)),
                }
                Down::Failed(error)
            }
            Err(_) => {
                self.forget_older(begun);
                Down::TimedOut
            }
        };
        self.pause.begin();
        Err(down)
    }

    async fn run_with_retry(&self, commands: &Pipeline, order: Order) -> Result<Vec<Value>, (Meaning, RedisError)> {
        let known = |error: RedisError| (Meaning::of(&error), error);
        let mut connection = self.connection().await.map_err(unreachable)?;
        let (meaning, error) = match connection.send(commands, order).await.map_err(known) {
            Ok(replies) => return Ok(replies),
            Err(failed) => failed,
        };
        match meaning {
            Meaning::UnknownScript => {
                connection.send(&scripts::loading(), Order::InTurn(usize::MAX)).await.map_err(known)?;
            }
            Meaning::Lost => {
                self.forget();
                connection = self.connection().await.map_err(unreachable)?;
            }
            _ => return Err((meaning, error)),
        }
        match connection.send(commands, order).await.map_err(known) {
            Err((Meaning::UnknownScript, _)) => {
                connection.send(&scripts::loading(), Order::InTurn(usize::MAX)).await.map_err(known)?;
                connection.send(commands, order).await.map_err(known)
            }
            other => other,
        }
    }

    /// The connection there is, or a new one. Concurrent callers wait for the same attempts.
    async fn connection(&self) -> Result<Connection, RedisError> {
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let mut attempts = self.connecting.lock().await;
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let connection = attempts.go_on(&self.target, self.connect_timeout(), self.clock.steady_ms()).await?;
        *self.connection.enter(emptied) = Some(Made { connection: connection.clone(), at: Instant::now() });
        Ok(connection)
    }

    fn current(&self) -> Option<Connection> {
        self.connection.enter(emptied).as_ref().map(|made| made.connection.clone())
    }

    fn forget(&self) {
        *self.connection.enter(emptied) = None;
    }

    /// Forgets a connection that was there at that time: one made since has had less time to answer than it may take.
    fn forget_older(&self, than: Instant) {
        self.connection.enter(emptied).take_if(|made| made.at <= than);
    }
}

impl Batch {
    pub(crate) fn push(&mut self, command: Command) {
        self.commands.add_command(command);
    }

    /// Allows more time for a batch that carries a value of so many bytes.
    pub(crate) fn carrying(mut self, bytes: usize) -> Batch {
        self.extra = Duration::from_micros(bytes as u64 / BYTES_PER_MICROSECOND);
        self
    }
}

impl FromIterator<Command> for Batch {
    fn from_iter<I: IntoIterator<Item = Command>>(commands: I) -> Batch {
        let mut batch = Batch::default();
        commands.into_iter().for_each(|command| batch.push(command));
        batch
    }
}

/// Whether Redis refused a command because it takes no writes at present: it did nothing.
pub(crate) fn is_refused(reply: &Reply) -> bool {
    Meaning::of_reply(reply) == Some(Meaning::Refused)
}

/// Whoever cannot connect has no server, whatever it said to that.
fn unreachable(error: RedisError) -> (Meaning, RedisError) {
    (Meaning::Lost, error)
}

/// Reads the reply to one command.
pub(super) fn read<T: FromRedisValue>(reply: Reply, what: &'static str) -> Result<T, Down> {
    let reply = reply.extract_error().map_err(Down::Failed)?;
    T::from_redis_value(reply).map_err(|_| Down::Odd(what))
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("cluster", &self.is_cluster()).finish_non_exhaustive()
    }
}
