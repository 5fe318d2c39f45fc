//! The delays of AWS. On loopback a request takes what the processors have to do for it, so a round trip more costs as
//! much as some microseconds of work; within a region almost all of a request's time is its way. Who measures with this
//! between sees what requests and round trips cost there.

use crate::{costs::prices, port};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};

/// Bytes that are passed on together.
const BUFFER: usize = 1 << 16;

/// Bytes, and when they arrive.
type Late = (Instant, Vec<u8>);

/// A way to the Redis at `upstream`, a host and a port, on which requests take as long as [`prices`] assumes. It lasts
/// as long as the process.
///
/// # Errors
/// When no port can be had.
pub fn to_redis(upstream: &str) -> io::Result<SocketAddr> {
    open(upstream, milliseconds(prices::REDIS_MS))
}

/// The same to DynamoDB.
///
/// # Errors
/// When no port can be had.
pub fn to_dynamodb(upstream: &str) -> io::Result<SocketAddr> {
    open(upstream, milliseconds(prices::DYNAMODB_MS))
}

fn milliseconds(number: f64) -> Duration {
    Duration::from_secs_f64(number / 1e3)
}

fn open(upstream: &str, delay: Duration) -> io::Result<SocketAddr> {
    let upstream = upstream.to_owned();
    port::open(move |client| {
        // A client whose server is gone finds its connection closed.
        let _ = connect(client, &upstream, delay);
    })
}

/// Requests are late, each byte by as much; answers are not.
fn connect(client: TcpStream, upstream: &str, delay: Duration) -> io::Result<()> {
    let server = TcpStream::connect(upstream)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (requests, arriving) = mpsc::channel();
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || receive(from_client, delay, &requests));
    thread::spawn(move || deliver(&arriving, to_server));
    thread::spawn(move || io::copy(&mut &server, &mut &client));
    Ok(())
}

/// Reads on while earlier bytes are on their way, so that what is sent at once arrives at once.
fn receive(mut client: TcpStream, delay: Duration, requests: &Sender<Late>) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = client.read(&mut buffer)?;
        let late = (Instant::now() + delay, buffer[..length].to_vec());
        if length == 0 || requests.send(late).is_err() {
            return Ok(());
        }
    }
}

fn deliver(arriving: &Receiver<Late>, mut server: TcpStream) -> io::Result<()> {
    for (due, bytes) in arriving {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        server.write_all(&bytes)?;
    }
    server.shutdown(Shutdown::Write)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;

    const DELAY: Duration = Duration::from_millis(60);

    /// A server that tells of each byte when it came, and sends it back.
    fn server() -> (SocketAddr, Receiver<Instant>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (came, arrivals) = mpsc::channel();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            while stream.read_exact(&mut byte).is_ok() {
                came.send(Instant::now()).unwrap();
                stream.write_all(&byte).unwrap();
            }
        });
        (address, arrivals)
    }

    #[test]
    fn every_byte_arrives_and_none_before_its_time() {
        let (server, arrivals) = server();
        let mut client = TcpStream::connect(open(&server.to_string(), DELAY).unwrap()).unwrap();
        client.set_nodelay(true).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let sent = [b'a', b'b', b'c'].map(|byte| {
            let now = Instant::now();
            client.write_all(&[byte]).unwrap();
            thread::sleep(DELAY / 6);
            now
        });
        let mut answer = [0; 3];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"abc");
        for sent in sent {
            assert!(arrivals.recv().unwrap() - sent >= DELAY);
        }
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut answer).unwrap(), 0, "the server has noticed the end");
    }
}
