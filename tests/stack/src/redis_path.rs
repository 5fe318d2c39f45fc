//! The way from one container to Redis: a TCP proxy of its own, so that one container can lose Redis while the others
//! and Redis itself notice nothing.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::gate::{Gate, Lifetime};

/// What is wrong with a container's way to Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fault", deny_unknown_fields)]
pub enum PathFault {
    /// Nothing.
    #[default]
    None,
    /// Connections are dropped and new ones refused; bytes held back are lost.
    Cut,
    /// A black hole: connections stay open, no byte arrives on either side until the fault ends. Then all held back do,
    /// also those of a client that has given up meanwhile.
    Stall,
    /// Commands reach Redis, but no reply comes back until the fault ends.
    StallReplies,
    /// Commands arrive late.
    Delay {
        /// How late, in milliseconds.
        ms: u64,
    },
    /// A new connection carries nothing at first; commands and replies are not delayed after that.
    SlowToConnect {
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// Each direction of a connection carries so much and no more; commands arrive late besides.
    Narrow {
        /// How much, in thousands of bytes a second; at least one.
        kb_per_second: u64,
        /// How late, in milliseconds.
        ms: u64,
    },
}

impl PathFault {
    fn holds(self, direction: Direction) -> bool {
        match self {
            Self::Stall => true,
            Self::StallReplies => direction == Direction::Replies,
            Self::None | Self::Cut | Self::Delay { .. } | Self::SlowToConnect { .. } | Self::Narrow { .. } => false,
        }
    }

    /// How long so many bytes are on their way.
    fn delay(self, direction: Direction, bytes: usize) -> Duration {
        let (late, kb_per_second) = match self {
            Self::Delay { ms } => (ms, None),
            Self::Narrow { kb_per_second, ms } => (ms, Some(kb_per_second.max(1))),
            _ => return Duration::ZERO,
        };
        let late = if direction == Direction::Commands { Duration::from_millis(late) } else { Duration::ZERO };
        // A thousand bytes a second are a byte a millisecond.
        let carried = |rate: u64| Duration::from_micros(bytes as u64 * 1000 / rate);
        late + kb_per_second.map(carried).unwrap_or_default()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Commands,
    Replies,
}

/// One container's way to Redis.
#[derive(Clone)]
pub(crate) struct RedisPath {
    gate: Gate,
    fault: Arc<watch::Sender<PathFault>>,
}

impl RedisPath {
    /// Opens a port on `address` that leads to the Redis at `upstream`, `host:port`.
    pub(crate) async fn open(address: Ipv4Addr, upstream: String) -> io::Result<Self> {
        let (fault, seen) = watch::channel(PathFault::None);
        let serve = move |client, lifetime| connect(client, upstream.clone(), lifetime, seen.clone());
        let gate = Gate::open(address, serve).await?;
        Ok(Self { gate, fault: Arc::new(fault) })
    }

    /// Where the container finds its Redis, `host:port`.
    pub(crate) fn address(&self) -> String {
        self.gate.address().to_string()
    }

    pub(crate) fn fault(&self) -> PathFault {
        *self.fault.borrow()
    }

    pub(crate) async fn set(&self, fault: PathFault) {
        if fault == PathFault::Cut {
            // First the connections, so that bytes held back by an earlier stall are lost, not let go.
            self.gate.set_open(false).await;
            self.fault.send_replace(fault);
        } else {
            self.fault.send_replace(fault);
            self.gate.set_open(true).await;
        }
    }
}

/// The ways to Redis of one container or of all, and what can go wrong with them. Every change is in force when the
/// call returns.
#[derive(Clone)]
pub struct RedisPaths {
    pub(crate) paths: Arc<BTreeMap<String, RedisPath>>,
    /// `None` means all.
    pub(crate) container: Option<String>,
}

impl RedisPaths {
    /// Sets a fault, or ends it.
    pub async fn set(&self, fault: PathFault) {
        for path in self.selected() {
            path.set(fault).await;
        }
    }

    /// Drops the connections and refuses new ones.
    pub async fn cut(&self) {
        self.set(PathFault::Cut).await;
    }

    /// Holds every byte back in both directions.
    pub async fn stall(&self) {
        self.set(PathFault::Stall).await;
    }

    /// Holds the replies back; commands arrive.
    pub async fn stall_replies(&self) {
        self.set(PathFault::StallReplies).await;
    }

    /// Delays commands.
    pub async fn delay(&self, by: Duration) {
        self.set(PathFault::Delay { ms: u64::try_from(by.as_millis()).unwrap_or(u64::MAX) }).await;
    }

    /// Carries so many thousand bytes a second in each direction, and delays commands.
    pub async fn narrow(&self, kb_per_second: u64, delay: Duration) {
        let ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.set(PathFault::Narrow { kb_per_second, ms }).await;
    }

    /// Lets new connections wait so long.
    pub async fn connect_slowly(&self, ms: u64) {
        self.set(PathFault::SlowToConnect { ms }).await;
    }

    /// Drops the connections that exist, once; new ones are served.
    pub async fn reset(&self) {
        for path in self.selected() {
            path.gate.drop_connections().await;
        }
    }

    /// Ends every fault.
    pub async fn restore(&self) {
        self.set(PathFault::None).await;
    }

    fn selected(&self) -> impl Iterator<Item = &RedisPath> {
        let wanted = |name: &String| self.container.as_ref().is_none_or(|container| container == name);
        self.paths.iter().filter(move |(name, _)| wanted(name)).map(|(_, path)| path)
    }
}

/// Serves one connection of a container until either side, or the gate, ends it.
async fn connect(client: TcpStream, upstream: String, mut lifetime: Lifetime, fault: watch::Receiver<PathFault>) {
    // A cut looks like a reset to the client, not like a server that said goodbye.
    let _ = client.set_zero_linger();
    let fault_at_first = *fault.borrow();
    if let PathFault::SlowToConnect { ms } = fault_at_first {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    let Ok(server) = TcpStream::connect(&upstream).await else { return };
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let commands = Relay { direction: Direction::Commands, fault: fault.clone(), lifetime: lifetime.clone() };
    let replies = Relay { direction: Direction::Replies, fault, lifetime: lifetime.clone() };
    tokio::select! {
        () = lifetime.over() => {}
        // A client that hangs up is noticed by reading from it, and so not before the bytes held back have been passed
        // on.
        _ = commands.run(from_client, to_server) => {}
        _ = replies.run(from_server, to_client) => {}
    }
}

/// One direction of one connection.
struct Relay {
    direction: Direction,
    fault: watch::Receiver<PathFault>,
    lifetime: Lifetime,
}

impl Relay {
    async fn run(mut self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = from.read(&mut buffer).await?;
            if length == 0 {
                return Ok(());
            }
            self.hold(length).await;
            if self.lifetime.is_over() {
                return Ok(());
            }
            to.write_all(&buffer[..length]).await?;
        }
    }

    /// Waits until the bytes that were read may be passed on.
    async fn hold(&mut self, bytes: usize) {
        let direction = self.direction;
        let delay = self.fault.borrow().delay(direction, bytes);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        // The sender lives as long as the gate.
        let _ = self.fault.wait_for(|fault| !fault.holds(direction)).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_millis(50);

    /// An echo server, a path to it, and a connection through the path.
    async fn connected() -> (RedisPath, TcpStream) {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let path = RedisPath::open(Ipv4Addr::LOCALHOST, server.local_addr().unwrap().to_string()).await.unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = server.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        let client = TcpStream::connect(path.address()).await.unwrap();
        (path, client)
    }

    async fn ping(stream: &mut TcpStream) -> io::Result<u8> {
        stream.write_all(b"p").await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn a_cut_resets_connections_and_refuses_new_ones_until_it_ends() {
        let (path, mut client) = connected().await;
        assert_eq!(ping(&mut client).await.unwrap(), b'p');
        path.set(PathFault::Cut).await;
        let reset = ping(&mut client).await.unwrap_err().kind();
        assert!(matches!(reset, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe), "{reset}");
        assert!(TcpStream::connect(path.address()).await.is_err());
        path.set(PathFault::None).await;
        let mut again = TcpStream::connect(path.address()).await.unwrap();
        assert_eq!(ping(&mut again).await.unwrap(), b'p');
    }

    #[tokio::test]
    async fn a_stall_holds_bytes_back_and_delivers_them_at_its_end() {
        for fault in [PathFault::Stall, PathFault::StallReplies] {
            let (path, mut client) = connected().await;
            path.set(fault).await;
            assert!(timeout(SOON, ping(&mut client)).await.is_err());
            path.set(PathFault::None).await;
            assert_eq!(client.read_u8().await.unwrap(), b'p');
        }
    }

    #[tokio::test]
    async fn a_delay_is_added_once_per_round_trip() {
        let (path, mut client) = connected().await;
        path.set(PathFault::Delay { ms: 500 }).await;
        assert!(timeout(SOON, ping(&mut client)).await.is_err());
        assert_eq!(client.read_u8().await.unwrap(), b'p');
    }

    #[tokio::test]
    async fn a_narrow_path_takes_its_time_for_every_byte() {
        let (path, mut client) = connected().await;
        path.set(PathFault::Narrow { kb_per_second: 100, ms: 0 }).await;
        assert_eq!(timeout(SOON, ping(&mut client)).await.unwrap().unwrap(), b'p');
        // 20 KB there and 20 KB back: 0.4 s at least.
        let began = std::time::Instant::now();
        let mut text = vec![b'p'; 20_000];
        client.write_all(&text).await.unwrap();
        client.read_exact(&mut text).await.unwrap();
        assert!(began.elapsed() >= Duration::from_millis(380), "{:?}", began.elapsed());
        path.set(PathFault::Narrow { kb_per_second: 100, ms: 500 }).await;
        assert!(timeout(SOON, ping(&mut client)).await.is_err());
        assert_eq!(client.read_u8().await.unwrap(), b'p');
    }
}
