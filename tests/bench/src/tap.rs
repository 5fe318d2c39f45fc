//! A wire to Redis that counts what a client sends over it. The server's own statistics do not tell the commands of
//! clients from those that scripts call, nor how many commands went out together.

use crate::port;
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    ops::Sub,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
};

/// More than any pipeline that is measured, so that one is passed on as one.
const BUFFER: usize = 1 << 20;

/// What went over a wire so far, or between two looks at it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Commands.
    pub commands: u64,
    /// Times that the client sent something after the server had answered what was sent before.
    pub round_trips: u64,
    /// Bytes that the server answered.
    pub received: u64,
}

/// The wire. It lasts as long as the process.
pub struct Tap {
    address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    commands: AtomicU64,
    round_trips: AtomicU64,
    received: AtomicU64,
}

impl Tap {
    /// A wire to the server at `upstream`, a host and a port.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(upstream: &str) -> io::Result<Tap> {
        let counts = Arc::default();
        let (counted, upstream) = (Arc::clone(&counts), upstream.to_owned());
        let address = port::open(move |client| {
            // A client whose server is gone finds its connection closed.
            let _ = connect(client, &upstream, &counted);
        })?;
        Ok(Tap { address, counts })
    }

    /// Its address in a URL of Redis.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// What went over it so far.
    pub fn traffic(&self) -> Traffic {
        let Counts { commands, round_trips, received } = &*self.counts;
        Traffic {
            commands: commands.load(SeqCst),
            round_trips: round_trips.load(SeqCst),
            received: received.load(SeqCst),
        }
    }
}

impl Sub for Traffic {
    type Output = Traffic;

    fn sub(self, before: Traffic) -> Traffic {
        Traffic {
            commands: self.commands - before.commands,
            round_trips: self.round_trips - before.round_trips,
            received: self.received - before.received,
        }
    }
}

fn connect(client: TcpStream, upstream: &str, counts: &Arc<Counts>) -> io::Result<()> {
    let server = TcpStream::connect(upstream)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    // The first command waits for no answer before it.
    let answered = Arc::new(AtomicBool::new(true));
    let replies = (server.try_clone()?, client.try_clone()?, Arc::clone(&answered), Arc::clone(counts));
    thread::spawn(move || pass_replies(replies.0, replies.1, &replies.2, &replies.3));
    let counts = Arc::clone(counts);
    thread::spawn(move || pass_commands(client, server, &answered, &counts));
    Ok(())
}

fn pass_commands(client: TcpStream, mut server: TcpStream, answered: &AtomicBool, counts: &Counts) -> io::Result<()> {
    let mut client = BufReader::with_capacity(BUFFER, client);
    let mut sent = Vec::new();
    while read_command(&mut client, &mut sent)? {
        let last = client.buffer().is_empty();
        counts.round_trips.fetch_add(u64::from(last && answered.swap(false, SeqCst)), SeqCst);
        counts.commands.fetch_add(1, SeqCst);
        if last {
            server.write_all(&sent)?;
            sent.clear();
        }
    }
    Ok(())
}

fn pass_replies(
    mut server: TcpStream,
    mut client: TcpStream,
    answered: &AtomicBool,
    counts: &Counts,
) -> io::Result<()> {
    let mut replies = vec![0; BUFFER];
    loop {
        let length = server.read(&mut replies)?;
        if length == 0 {
            return Ok(());
        }
        answered.store(true, SeqCst);
        counts.received.fetch_add(length as u64, SeqCst);
        client.write_all(&replies[..length])?;
    }
}

/// Appends the next command to `sent`, as it came; false at the end of the connection.
fn read_command(client: &mut impl BufRead, sent: &mut Vec<u8>) -> io::Result<bool> {
    let Some(arguments) = read_number(client, sent, b'*')? else { return Ok(false) };
    for _ in 0..arguments {
        let length = read_number(client, sent, b'$')?.ok_or(io::ErrorKind::UnexpectedEof)?;
        // With the end of its line.
        client.take(length + 2).read_to_end(sent)?;
    }
    Ok(true)
}

/// Appends the next line, which is `kind` and a number; nothing at the end of the connection.
fn read_number(client: &mut impl BufRead, sent: &mut Vec<u8>, kind: u8) -> io::Result<Option<u64>> {
    let begin = sent.len();
    client.read_until(b'\n', sent)?;
    match sent[begin..].split_first() {
        None => Ok(None),
        Some((found, number)) if *found == kind => {
            let number = str::from_utf8(number).ok().and_then(|number| number.trim_end().parse().ok());
            number.map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
        }
        Some(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;

    const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n*1\r\n\r\n";
    const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";

    /// A server that answers all commands with OK when it has read a GET.
    fn server() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut commands = BufReader::new(stream.try_clone().unwrap());
            let (mut command, mut replies) = (Vec::new(), Vec::new());
            while read_command(&mut commands, &mut command).unwrap() {
                replies.extend(b"+OK\r\n");
                if std::mem::take(&mut command) == GET {
                    stream.write_all(&std::mem::take(&mut replies)).unwrap();
                }
            }
        });
        address
    }

    #[test]
    fn counts_commands_and_the_waits_for_their_answers() {
        let tap = Tap::start(&server().to_string()).unwrap();
        let mut client = TcpStream::connect(tap.address).unwrap();
        let mut send = |commands: &[&[u8]], replies: usize| {
            let before = tap.traffic();
            client.write_all(&commands.concat()).unwrap();
            client.read_exact(&mut vec![0; 5 * replies]).unwrap();
            while tap.traffic().commands < before.commands + commands.len() as u64 {
                thread::yield_now();
            }
            tap.traffic() - before
        };
        assert_eq!(send(&[GET], 1), Traffic { commands: 1, round_trips: 1, received: 5 });
        assert_eq!(send(&[SET, SET, GET], 3), Traffic { commands: 3, round_trips: 1, received: 15 });
        assert_eq!(send(&[SET], 0), Traffic { commands: 1, round_trips: 1, received: 0 });
        let sent_before_the_last_answer = Traffic { commands: 1, round_trips: 0, received: 10 };
        assert_eq!(send(&[GET], 2), sent_before_the_last_answer);
    }
}
