//! The one connection of a container to Redis, and what happens when it breaks.
//!
//! A connection that fails is thrown away and made anew, with a fresh look-up of the address: a frozen container
//! wakes up to connections that were closed long ago, and after a failover the old address answers READONLY. The
//! clients that reconnect by themselves do so in background tasks with back-off, which a freeze would interrupt.
//! What can be repeated is repeated once, at once; after that Redis is skipped for [`SKIP_MS`], so that an outage
//! does not cost its timeout on every request.

use super::scripts;
use crate::{Clock, config::L2Config};
use futures_util::future::join_all;
use redis::{
    AsyncConnectionConfig, Client, Pipeline, RedisError, ServerErrorKind, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
};
use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

/// How long Redis is skipped after it could not be reached.
const SKIP_MS: i64 = 1000;

/// Whether the commands of a batch must take effect one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// In any order: different nodes work at once.
    Any,
    /// Each after the reply of the one before, or in one pipeline of one node, which is the same.
    InTurn,
}

/// A command for Redis.
pub(crate) type Command = redis::Cmd;
/// What Redis says to one command.
pub(crate) type Reply = Value;

/// Commands that are sent together.
#[derive(Default)]
pub(crate) struct Batch(Pipeline);

/// Redis cannot be asked.
#[derive(Debug)]
pub(crate) enum Down {
    /// It failed lately and is skipped for a moment.
    Skipped,
    /// It did not answer in time.
    TimedOut,
    /// It failed.
    Failed(RedisError),
    /// It answered what cannot be understood.
    Odd(&'static str),
}

/// The connection.
pub(crate) struct Link {
    target: Target,
    timeout: Duration,
    connect_timeout: Duration,
    connection: Mutex<Option<Connection>>,
    connecting: tokio::sync::Mutex<()>,
    skip_until_ms: AtomicI64,
    clock: Clock,
}

enum Target {
    Single(Client),
    Cluster(ClusterClient),
}

#[derive(Clone)]
enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    /// Prepares a link; connects nothing.
    pub(crate) fn new(config: &L2Config, clock: Clock) -> Result<Link, RedisError> {
        let timeout = Duration::from_millis(config.timeout_ms);
        let connect_timeout = Duration::from_secs(config.connection_timeout_seconds);
        Ok(Link {
            target: Target::new(&config.redis_url, connect_timeout, timeout)?,
            timeout,
            connect_timeout,
            connection: Mutex::new(None),
            connecting: tokio::sync::Mutex::new(()),
            skip_until_ms: AtomicI64::new(i64::MIN),
            clock,
        })
    }

    /// Whether keys of one script must lie in one slot, and different slots on different nodes.
    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.target, Target::Cluster(_))
    }

    /// Connects outside of requests, within the connection timeout. What fails here is tried again by the first
    /// request that needs it.
    pub(crate) async fn connect(&self) {
        if let Ok(Err(error)) = tokio::time::timeout(self.connect_timeout, self.connection()).await {
            tracing::warn!(%error, "redis is not reachable at start");
        }
    }

    /// Sends `commands` and returns one reply for each, all within the level's timeout.
    pub(crate) async fn run(&self, batch: &Batch, order: Order) -> Result<Vec<Reply>, Down> {
        if self.clock.now_ms() < self.skip_until_ms.load(Relaxed) {
            return Err(Down::Skipped);
        }
        let down = match tokio::time::timeout(self.timeout, self.run_with_retry(&batch.0, order)).await {
            Ok(Ok(replies)) => return Ok(replies),
            Ok(Err(error)) if !is_lost(&error) => return Err(Down::Failed(error)),
            Ok(Err(error)) => Down::Failed(error),
            Err(_) => Down::TimedOut,
        };
        self.forget();
        self.skip_until_ms.store(self.clock.now_ms() + SKIP_MS, Relaxed);
        Err(down)
    }

    async fn run_with_retry(&self, commands: &Pipeline, order: Order) -> Result<Vec<Value>, RedisError> {
        let mut connection = self.connection().await?;
        let error = match connection.send(commands, order).await {
            Ok(replies) => return Ok(replies),
            Err(error) => error,
        };
        if is_unknown_script(&error) {
            connection.send(&scripts::loading(), Order::InTurn).await?;
        } else if is_lost(&error) {
            self.forget();
            connection = self.connection().await?;
        } else {
            return Err(error);
        }
        match connection.send(commands, order).await {
            Err(error) if is_unknown_script(&error) => {
                connection.send(&scripts::loading(), Order::InTurn).await?;
                connection.send(commands, order).await
            }
            other => other,
        }
    }

    /// The connection there is, or a new one. Concurrent callers wait for the same attempt.
    async fn connection(&self) -> Result<Connection, RedisError> {
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let connection = self.target.connect(self.connect_timeout).await?;
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.clone());
        Ok(connection)
    }

    fn current(&self) -> Option<Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Batch {
    pub(crate) fn push(&mut self, command: Command) {
        self.0.add_command(command);
    }
}

impl FromIterator<Command> for Batch {
    fn from_iter<I: IntoIterator<Item = Command>>(commands: I) -> Batch {
        let mut batch = Batch::default();
        commands.into_iter().for_each(|command| batch.push(command));
        batch
    }
}

impl Target {
    fn new(url: &str, connect_timeout: Duration, timeout: Duration) -> Result<Target, RedisError> {
        let Some((scheme, rest)) = url.split_once("+cluster://") else {
            return Client::open(url).map(Target::Single);
        };
        ClusterClient::builder(vec![format!("{scheme}://{rest}")])
            .connection_timeout(connect_timeout)
            .response_timeout(timeout)
            .retries(1)
            .build()
            .map(Target::Cluster)
    }

    async fn connect(&self, timeout: Duration) -> Result<Connection, RedisError> {
        match self {
            Target::Single(client) => {
                // The whole batch is bounded by the link, so a reply has no timeout of its own.
                let config =
                    AsyncConnectionConfig::new().set_connection_timeout(Some(timeout)).set_response_timeout(None);
                client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::Single)
            }
            Target::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }
}

impl Connection {
    async fn send(&mut self, commands: &Pipeline, order: Order) -> Result<Vec<Value>, RedisError> {
        let replies = match self {
            Connection::Single(connection) => match (commands.len(), commands.cmd_iter().next()) {
                (1, Some(command)) => vec![connection.req_packed_command(command).await?],
                (count, _) => connection.req_packed_commands(commands, 0, count).await?,
            },
            Connection::Cluster(connection) if order == Order::InTurn => {
                let mut replies = Vec::with_capacity(commands.len());
                for command in commands.cmd_iter() {
                    replies.push(connection.req_packed_command(command).await?.extract_error()?);
                }
                replies
            }
            Connection::Cluster(connection) => {
                let sent = commands.cmd_iter().map(|command| {
                    let mut connection = connection.clone();
                    async move { connection.req_packed_command(command).await }
                });
                join_all(sent).await.into_iter().collect::<Result<_, _>>()?
            }
        };
        replies.into_iter().map(Value::extract_error).collect()
    }
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ServerErrorKind::NoScript.into()
}

/// Whether the server behind the connection is gone, or not the one that may be asked.
fn is_lost(error: &RedisError) -> bool {
    let lost_servers = [
        ServerErrorKind::ReadOnly,
        ServerErrorKind::BusyLoading,
        ServerErrorKind::MasterDown,
        ServerErrorKind::ClusterDown,
    ];
    error.is_io_error()
        || error.is_unrecoverable_error()
        || lost_servers.into_iter().any(|kind| error.kind() == kind.into())
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Down::Skipped => f.write_str("redis is skipped after a failure"),
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
