//! The one connection of a container to Redis, and what happens when it breaks.
//!
//! A connection that fails is thrown away and made anew, with a fresh look-up of the address: a frozen container
//! wakes up to connections that were closed long ago, and after a failover the old address answers READONLY. The
//! clients that reconnect by themselves do so in background tasks with back-off, which a freeze would interrupt.
//! What can be repeated is repeated once, at once; after that Redis is left alone for a moment.

use super::attempts::Attempts;
use super::meaning::Meaning;
use super::scripts;
use super::target::{RedisAccess, Target};
use crate::{
    Clock,
    config::L2Config,
    lock::{Lock, emptied},
    pause::Pause,
};
use futures_util::future::join_all;
use redis::{
    FromRedisValue, Pipeline, RedisError, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster_async::ClusterConnection,
};
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

/// Whether the commands of a batch must take effect one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// In any order: different nodes work at once.
    Any,
    /// So many of them each after the reply of the one before, and the others at once after those; or all in one pipeline
    /// of one node, which is the same.
    InTurn(usize),
    /// So many at once, so many more at once after their replies, and the others after those.
    InStages([usize; 2]),
}

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

/// Redis cannot be asked.
#[derive(Debug, Clone)]
pub(crate) enum Down {
    /// It failed lately and is skipped for a moment.
    Skipped,
    /// It takes no writes: it has refused one lately.
    Refusing,
    /// It did not answer in time.
    TimedOut,
    /// It failed.
    Failed(RedisError),
    /// It answered what cannot be understood.
    Odd(&'static str),
}

/// The connection.
pub(crate) struct Link {
    pub(super) target: Arc<Target>,
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

/// What [`Target::connect`] makes.
#[derive(Clone)]
pub(super) enum Connection {
    Single(Box<MultiplexedConnection>),
    Cluster(ClusterConnection),
    #[cfg(feature = "in-memory")]
    Own(Arc<dyn super::RedisLine>),
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

impl Connection {
    async fn send(&mut self, commands: &Pipeline, order: Order) -> Result<Vec<Value>, RedisError> {
        let replies = match self {
            #[cfg(feature = "in-memory")]
            Connection::Own(line) => line.send(super::server::parts(commands)).await?,
            Connection::Single(connection) => match (commands.len(), commands.cmd_iter().next()) {
                (1, Some(command)) => vec![connection.req_packed_command(command).await?],
                (count, _) => connection.req_packed_commands(commands, 0, count).await?,
            },
            Connection::Cluster(connection) => {
                let (in_turn, [first, second]) = match order {
                    Order::Any => (0, [0, 0]),
                    Order::InTurn(count) => (count, [0, 0]),
                    Order::InStages(stages) => (0, stages),
                };
                let mut replies = Vec::with_capacity(commands.len());
                for command in commands.cmd_iter().take(in_turn) {
                    replies.push(connection.req_packed_command(command).await?.extract_error()?);
                }
                let mut rest = commands.cmd_iter().skip(in_turn);
                for count in [first, second, commands.len()] {
                    let sent = rest.by_ref().take(count).map(|command| {
                        let mut connection = connection.clone();
                        async move { connection.req_packed_command(command).await }
                    });
                    for reply in join_all(sent).await {
                        replies.push(reply?);
                    }
                }
                replies
            }
        };
        match replies.iter().find_map(unusable) {
            Some(error) => Err(error),
            None => Ok(replies),
        }
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

/// The error of a reply after which the others are worth nothing. Any other belongs to its own command.
fn unusable(reply: &Value) -> Option<RedisError> {
    let meaning = Meaning::of_reply(reply)?;
    let whole = matches!(meaning, Meaning::Lost | Meaning::Away | Meaning::UnknownScript);
    if whole { reply.clone().extract_error().err() } else { None }
}

/// Reads the reply to one command.
pub(super) fn read<T: FromRedisValue>(reply: Reply, what: &'static str) -> Result<T, Down> {
    let reply = reply.extract_error().map_err(Down::Failed)?;
    T::from_redis_value(reply).map_err(|_| Down::Odd(what))
}

impl Down {
    /// Whether Redis answers and takes no writes at present: what was asked did nothing.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Down::Refusing => true,
            Down::Failed(error) => Meaning::of(error) == Meaning::Refused,
            Down::Skipped | Down::TimedOut | Down::Odd(_) => false,
        }
    }
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Down::Skipped => f.write_str("redis is skipped after a failure"),
            Down::Refusing => f.write_str("redis takes no writes"),
            Down::TimedOut => f.write_str("redis did not answer in time"),
            Down::Failed(error) => write!(f, "redis failed: {error}"),
            Down::Odd(what) => write!(f, "redis answered what cannot be understood: {what}"),
        }
    }
}

impl std::error::Error for Down {}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("cluster", &self.is_cluster()).finish_non_exhaustive()
    }
}
