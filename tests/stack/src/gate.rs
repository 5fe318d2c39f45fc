//! A listening port that can be closed: new connections are refused, and existing ones dropped.
//!
//! While it is closed the port stays bound, so that no other process of a busy machine can take it before it opens
//! again.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// What the gate is asked to be. A new `epoch` ends every connection that was accepted before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Door {
    open: bool,
    epoch: u64,
}

/// A port of its own on one of the machine's addresses, and the connections accepted on it.
#[derive(Clone)]
pub(crate) struct Gate {
    address: SocketAddr,
    wanted: Arc<watch::Sender<Door>>,
    applied: watch::Receiver<Door>,
}

/// Tells one connection when it has to end.
#[derive(Clone)]
pub(crate) struct Lifetime {
    door: watch::Receiver<Door>,
    epoch: u64,
}

impl Lifetime {
    /// Whether the connection has to end now.
    pub(crate) fn is_over(&self) -> bool {
        self.door.borrow().epoch != self.epoch
    }

    /// Waits until the connection has to end.
    pub(crate) async fn over(&mut self) {
        // A gate that is gone ends its connections as well.
        let _ = self.door.wait_for(|door| door.epoch != self.epoch).await;
    }
}

impl Gate {
    /// Opens a port on `address` and gives every connection to `serve`.
    pub(crate) async fn open<F, S>(address: Ipv4Addr, serve: F) -> io::Result<Self>
    where
        F: Fn(TcpStream, Lifetime) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = bound((address, 0).into())?.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let door = Door { open: true, epoch: 0 };
        let (wanted, orders) = watch::channel(door);
        let (done, applied) = watch::channel(door);
        tokio::spawn(async move {
            // Fails only when the port cannot be had back; whoever changes the gate then finds it gone.
            let _ = keep(Port::Listening(listener), address, orders, done, serve).await;
        });
        Ok(Self { address, wanted: Arc::new(wanted), applied })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses connections and drops those that exist, or accepts them again. Done when it returns.
    pub(crate) async fn set_open(&self, open: bool) {
        self.apply(|door| door.open != open, |door| door.open = open).await;
    }

    /// Drops the connections that exist.
    pub(crate) async fn drop_connections(&self) {
        self.apply(|_| true, |_| ()).await;
    }

    async fn apply(&self, needed: impl Fn(&Door) -> bool, change: impl Fn(&mut Door)) {
        self.wanted.send_if_modified(|door| {
            let needed = needed(door);
            if needed {
                change(door);
                door.epoch += 1;
            }
            needed
        });
        let epoch = self.wanted.borrow().epoch;
        let mut applied = self.applied.clone();
        let done = applied.wait_for(|door| door.epoch >= epoch).await;
        done.expect("a gate has its port for as long as the stack runs");
    }
}

/// A bound port, listening or not.
enum Port {
    Listening(TcpListener),
    Held(TcpSocket),
}

impl Port {
    fn into_state(self, open: bool, address: SocketAddr) -> io::Result<Self> {
        match (self, open) {
            (Self::Held(socket), true) => Ok(Self::Listening(socket.listen(BACKLOG)?)),
            // Bound once more before it is let go: somebody else may want a port at any time.
            (Self::Listening(_listener), false) => Ok(Self::Held(bound(address)?)),
            (port, _) => Ok(port),
        }
    }
}

/// A socket on a port that this process may bind again while it has it.
fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn keep<F, S>(
    mut port: Port,
    address: SocketAddr,
    mut orders: watch::Receiver<Door>,
    done: watch::Sender<Door>,
    serve: F,
) -> io::Result<()>
where
    F: Fn(TcpStream, Lifetime) -> S,
    S: Future<Output = ()> + Send + 'static,
{
    loop {
        let door = *orders.borrow_and_update();
        port = port.into_state(door.open, address)?;
        done.send_replace(door);
        let lifetime = Lifetime { door: orders.clone(), epoch: door.epoch };
        tokio::select! {
            changed = orders.changed() => if changed.is_err() { return Ok(()) },
            () = accept(&port, &serve, &lifetime) => {}
        }
    }
}

/// Accepts connections for as long as it is polled.
async fn accept<F, S>(port: &Port, serve: &F, lifetime: &Lifetime)
where
    F: Fn(TcpStream, Lifetime) -> S,
    S: Future<Output = ()> + Send + 'static,
{
    let Port::Listening(listener) = port else { return std::future::pending().await };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: not worth spinning for.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        tokio::spawn(serve(stream, lifetime.clone()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn echo(mut stream: TcpStream, mut lifetime: Lifetime) {
        let mut byte = [0];
        loop {
            tokio::select! {
                () = lifetime.over() => return,
                read = stream.read_exact(&mut byte) => if read.is_err() { return },
            }
            stream.write_all(&byte).await.unwrap();
        }
    }

    #[tokio::test]
    async fn closes_and_opens_the_same_port() {
        let gate = Gate::open(Ipv4Addr::LOCALHOST, echo).await.unwrap();
        let mut old = TcpStream::connect(gate.address()).await.unwrap();
        old.write_all(b"x").await.unwrap();
        assert_eq!(old.read_u8().await.unwrap(), b'x');

        gate.set_open(false).await;
        let refused = TcpStream::connect(gate.address()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(old.read_u8().await.is_err());

        gate.set_open(true).await;
        let mut new = TcpStream::connect(gate.address()).await.unwrap();
        new.write_all(b"y").await.unwrap();
        assert_eq!(new.read_u8().await.unwrap(), b'y');

        gate.drop_connections().await;
        assert!(new.read_u8().await.is_err());
        TcpStream::connect(gate.address()).await.unwrap();
    }
}
