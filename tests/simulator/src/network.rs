//! The ways of a container to Redis and to DynamoDB. A message may be delayed, lost, or arrive when nobody waits for the
//! answer any more; what Redis is sent over one connection arrives in order.

use crate::world::World;
use futures_util::{FutureExt, future::BoxFuture};
use redis::Value;
use std::{
    collections::VecDeque,
    future::pending,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use strata_cache::engines::{DynamoServer, RedisLine, RedisServer};
use tokio::{sync::oneshot, time::sleep};

type Commands = Vec<Vec<Vec<u8>>>;
type Waiting = (Commands, oneshot::Sender<Vec<Value>>);

/// The ways of one container.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    pub(crate) world: Arc<World>,
    pub(crate) container: usize,
}

/// What happens to a message and its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fate {
    /// How long it is on its way, in ms; `None` when it never arrives.
    pub(crate) out_ms: Option<u64>,
    /// The same of the answer.
    pub(crate) back_ms: Option<u64>,
    /// The connection breaks when the answer should come.
    pub(crate) breaks: bool,
}

/// A connection to Redis.
#[derive(Debug)]
struct Line {
    network: Network,
    /// The server it leads to.
    server: u64,
    way: Arc<Mutex<Way>>,
}

/// What is on its way, in order.
#[derive(Debug, Default)]
struct Way {
    waiting: VecDeque<Waiting>,
    /// When the last of it arrives, in ms.
    last_ms: i64,
}

impl RedisServer for Network {
    fn connect(&self) -> BoxFuture<'static, io::Result<Arc<dyn RedisLine>>> {
        let network = self.clone();
        async move {
            let (fate, server) = {
                let mut state = network.world.state();
                (state.redis_fate(network.container), state.server)
            };
            match (fate.out_ms, fate.back_ms) {
                (Some(out_ms), Some(back_ms)) => wait(out_ms + back_ms).await,
                _ if fate.breaks => {}
                _ => return pending().await,
            }
            if fate.breaks {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let way = Arc::default();
            Ok(Arc::new(Line { network, server, way }) as Arc<dyn RedisLine>)
        }
        .boxed()
    }
}

impl RedisLine for Line {
    fn send(&self, commands: Commands) -> BoxFuture<'static, io::Result<Vec<Value>>> {
        let (fate, is_current) = {
            let mut state = self.network.world.state();
            (state.redis_fate(self.network.container), state.server == self.server)
        };
        if !is_current {
            return async { Err(io::ErrorKind::BrokenPipe.into()) }.boxed();
        }
        let answer = fate.out_ms.map(|out_ms| self.dispatch(commands, out_ms));
        async move {
            let Some(answer) = answer else { return nothing(fate).await };
            let replies = answer.await.map_err(|_| io::Error::from(io::ErrorKind::ConnectionReset))?;
            let Some(back_ms) = fate.back_ms else { return nothing(fate).await };
            wait(back_ms).await;
            if fate.breaks { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(replies) }
        }
        .boxed()
    }
}

impl Line {
    /// Sends commands on their way, behind those that are; they arrive whether or not anybody waits for the answer.
    fn dispatch(&self, commands: Commands, out_ms: u64) -> oneshot::Receiver<Vec<Value>> {
        let (sender, answer) = oneshot::channel();
        let world = &self.network.world;
        let now_ms = world.now_ms();
        let arrives_ms = {
            let mut way = self.way.lock().unwrap_or_else(PoisonError::into_inner);
            way.last_ms = way.last_ms.max(now_ms + i64::try_from(out_ms).unwrap_or(i64::MAX));
            way.waiting.push_back((commands, sender));
            way.last_ms
        };
        let (world, way, server) = (Arc::clone(world), Arc::clone(&self.way), self.server);
        let arrive = move || {
            let next = way.lock().unwrap_or_else(PoisonError::into_inner).waiting.pop_front();
            let Some((commands, sender)) = next else { return };
            // What was on its way to another server is gone with it.
            if world.state().server == server {
                let _ = sender.send(world.redis(&commands));
            }
        };
        match u64::try_from(arrives_ms - now_ms) {
            Ok(0) | Err(_) => arrive(),
            Ok(ms) => drop(tokio::spawn(async move {
                wait(ms).await;
                arrive();
            })),
        }
        answer
    }
}

impl DynamoServer for Network {
    fn call(&self, target: String, body: Vec<u8>) -> BoxFuture<'static, io::Result<(u16, Vec<u8>)>> {
        let (fate, refused) = {
            let mut state = self.world.state();
            (state.dynamo_fate(self.container), state.dynamo_refusal(&target))
        };
        let (sender, answer) = oneshot::channel();
        let world = Arc::clone(&self.world);
        let arrive = move || {
            let answer = refused.unwrap_or_else(|| world.dynamo(&target, &body));
            let _ = sender.send(answer);
        };
        match fate.out_ms {
            None => {}
            Some(0) => arrive(),
            Some(ms) => drop(tokio::spawn(async move {
                wait(ms).await;
                arrive();
            })),
        }
        async move {
            let Ok(answer) = answer.await else { return nothing(fate).await };
            let Some(back_ms) = fate.back_ms else { return nothing(fate).await };
            wait(back_ms).await;
            if fate.breaks { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(answer) }
        }
        .boxed()
    }
}

/// What comes of a message without an answer.
async fn nothing<T>(fate: Fate) -> io::Result<T> {
    if fate.breaks { Err(io::ErrorKind::ConnectionReset.into()) } else { pending().await }
}

async fn wait(ms: u64) {
    if ms > 0 {
        sleep(Duration::from_millis(ms)).await;
    }
}
