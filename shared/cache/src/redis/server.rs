//! A Redis server of one's own, and a connection to it.

use futures_util::future::BoxFuture;
use redis::{Pipeline, Value};
use std::{fmt::Debug, io, sync::Arc};

/// A server that connections lead to.
pub trait RedisServer: Debug + Send + Sync {
    /// Makes a connection.
    fn connect(&self) -> BoxFuture<'static, io::Result<Arc<dyn RedisLine>>>;
}

/// A connection to a server.
pub trait RedisLine: Send + Sync {
    /// Sends commands, each a name and arguments, and returns their replies. They take effect in the order in which they were
    /// sent, whether or not anybody waits for the replies.
    fn send(&self, commands: Vec<Vec<Vec<u8>>>) -> BoxFuture<'static, io::Result<Vec<Value>>>;
}

/// The commands of a pipeline in their parts.
pub(super) fn parts(commands: &Pipeline) -> Vec<Vec<Vec<u8>>> {
    let part = |part| match part {
        redis::Arg::Simple(bytes) => Vec::from(bytes),
        // The cursor of a scan, of which there is none.
        _ => b"0".to_vec(),
    };
    commands.cmd_iter().map(|command| command.args_iter().map(part).collect()).collect()
}
