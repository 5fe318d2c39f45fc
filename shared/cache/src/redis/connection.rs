//! A connection to Redis, and how commands are sent over it.

use super::meaning::Meaning;
use futures_util::future::join_all;
use redis::{
    Pipeline, RedisError, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster_async::ClusterConnection,
};

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

/// What `Target::connect` makes.
#[derive(Clone)]
pub(super) enum Connection {
    Single(Box<MultiplexedConnection>),
    Cluster(ClusterConnection),
    #[cfg(feature = "in-memory")]
    Own(std::sync::Arc<dyn super::RedisLine>),
}

impl Connection {
    /// Sends commands, and returns their replies; an error where the others are worth nothing.
    pub(super) async fn send(&mut self, commands: &Pipeline, order: Order) -> Result<Vec<Value>, RedisError> {
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

/// The error of a reply after which the others are worth nothing. Any other belongs to its own command.
fn unusable(reply: &Value) -> Option<RedisError> {
    let meaning = Meaning::of_reply(reply)?;
    let whole = matches!(meaning, Meaning::Lost | Meaning::Away | Meaning::UnknownScript);
    if whole { reply.clone().extract_error().err() } else { None }
}
