//! Clients that wait for one answer before they ask again. A thread and a plain socket each, so that what a client takes
//! is little beside what it measures.

use crate::http;
use std::{
    io::{self, BufReader, Error, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

/// Clients with a connection each.
pub struct Clients(Vec<BufReader<TcpStream>>);

/// What the clients got.
#[derive(Debug, Default)]
pub struct Answers {
    /// How long each took, from the request to the end of the answer.
    pub times: Vec<Duration>,
    /// From the first request to the last answer.
    pub took: Duration,
    /// The last body that each client got.
    pub last: Vec<String>,
}

impl Clients {
    /// So many clients of the server at `address`, a host and a port.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn connect(address: &str, clients: usize) -> io::Result<Clients> {
        let connect = |_| {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            Ok(BufReader::new(stream))
        };
        (0..clients).map(connect).collect::<io::Result<_>>().map(Clients)
    }

    /// Has each client ask so many times.
    ///
    /// # Errors
    /// When an answer is not 200 or 201.
    pub fn ask(&mut self, request: &str, times: usize) -> io::Result<Answers> {
        self.each(request, |asked, _| asked < times)
    }

    /// Has the clients ask for so long.
    ///
    /// # Errors
    /// When an answer is not 200 or 201.
    pub fn ask_for(&mut self, request: &str, time: Duration) -> io::Result<Answers> {
        self.each(request, |_, passed| passed < time)
    }

    fn each(&mut self, request: &str, go_on: impl Fn(usize, Duration) -> bool + Sync) -> io::Result<Answers> {
        let start = Instant::now();
        let (go_on, mut all) = (&go_on, Answers::default());
        thread::scope(|scope| {
            let run = |stream| scope.spawn(move || ask(stream, request, |asked| go_on(asked, start.elapsed())));
            let clients: Vec<_> = self.0.iter_mut().map(run).collect();
            for client in clients {
                let (times, last) = client.join().expect("a client does not panic")?;
                all.times.extend(times);
                all.last.push(last);
            }
            io::Result::Ok(())
        })?;
        Ok(Answers { took: start.elapsed(), ..all })
    }
}

fn ask(
    stream: &mut BufReader<TcpStream>,
    request: &str,
    go_on: impl Fn(usize) -> bool,
) -> io::Result<(Vec<Duration>, String)> {
    let (mut times, mut last) = (Vec::new(), Vec::new());
    while go_on(times.len()) {
        let asked = Instant::now();
        stream.get_mut().write_all(request.as_bytes())?;
        let answer = http::read(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        times.push(asked.elapsed());
        let start = answer.start();
        if !start.contains(" 200 ") && !start.contains(" 201 ") {
            return Err(Error::other(format!("{start}: {}", String::from_utf8_lossy(&answer.body))));
        }
        last = answer.body;
    }
    Ok((times, String::from_utf8_lossy(&last).into_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;

    /// A server that answers every connection with this status, again and again.
    fn server(status: &'static str) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut requests = BufReader::new(stream);
                    while http::read(&mut requests).unwrap().is_some() {
                        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 4\r\n\r\ndone");
                        requests.get_mut().write_all(answer.as_bytes()).unwrap();
                    }
                });
            }
        });
        address
    }

    const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    #[test]
    fn every_client_asks_and_every_answer_counts() {
        let mut clients = Clients::connect(&server("200 OK"), 3).unwrap();
        let answers = clients.ask(GET, 5).unwrap();
        assert_eq!((answers.times.len(), answers.last), (15, vec!["done".to_owned(); 3]));
        let answers = clients.ask_for(GET, Duration::from_millis(20)).unwrap();
        assert!(answers.times.len() >= 3 && answers.took >= Duration::from_millis(20));
    }

    #[test]
    fn an_error_is_no_answer() {
        let error = Clients::connect(&server("503 Service Unavailable"), 2).unwrap().ask(GET, 1).unwrap_err();
        assert!(error.to_string().contains("503 Service Unavailable: done"));
    }
}
