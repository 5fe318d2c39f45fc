//! Clients that wait for one answer before they ask again. A thread and a plain socket each, so that what a client takes
//! is little beside what it measures.

use crate::http::{self, Message};
use std::{
    io::{self, BufReader, Error, Write},
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

/// Clients with a connection each.
pub struct Clients(Vec<BufReader<TcpStream>>);

/// What is asked for, again and again.
pub struct Question {
    /// The request as it goes out.
    pub request: String,
    /// What stands in the body of each answer.
    pub expected: &'static str,
    /// How often it stands there at least.
    pub times: usize,
}

/// What the clients got.
#[derive(Debug, Default)]
pub struct Answers {
    /// How long each took, from the request to the end of the answer.
    pub times: Vec<Duration>,
    /// From the first request to the last answer.
    pub took: Duration,
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
    /// When an answer is not 200 or 201, or not what is expected.
    pub fn ask(&mut self, question: &Question, times: usize) -> io::Result<Answers> {
        self.each(|asked, _| (asked < times).then_some(question))
    }

    /// Has the clients ask for so long.
    ///
    /// # Errors
    /// When an answer is not 200 or 201, or not what is expected.
    pub fn ask_for(&mut self, question: &Question, time: Duration) -> io::Result<Answers> {
        self.each(|_, passed| (passed < time).then_some(question))
    }

    /// Has the clients ask each of these once: whoever has been answered takes the next.
    ///
    /// # Errors
    /// When an answer is not 200 or 201, or not what is expected.
    pub fn share(&mut self, questions: &[Question]) -> io::Result<Answers> {
        let next = AtomicUsize::new(0);
        self.each(|_, _| questions.get(next.fetch_add(1, Relaxed)))
    }

    /// Has each client ask what `next` says, by how much it has asked and how much time has passed, until that is nothing.
    fn each<'q>(&mut self, next: impl Fn(usize, Duration) -> Option<&'q Question> + Sync) -> io::Result<Answers> {
        let start = Instant::now();
        let (next, mut all) = (&next, Answers::default());
        thread::scope(|scope| {
            let run = |stream| scope.spawn(move || ask(stream, |asked| next(asked, start.elapsed())));
            let clients: Vec<_> = self.0.iter_mut().map(run).collect();
            for client in clients {
                all.times.extend(client.join().expect("a client does not panic")?);
            }
            io::Result::Ok(())
        })?;
        Ok(Answers { took: start.elapsed(), ..all })
    }
}

fn ask<'q>(
    stream: &mut BufReader<TcpStream>,
    next: impl Fn(usize) -> Option<&'q Question>,
) -> io::Result<Vec<Duration>> {
    let mut times = Vec::new();
    while let Some(question) = next(times.len()) {
        let asked = Instant::now();
        stream.get_mut().write_all(question.request.as_bytes())?;
        let answer = http::read(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        times.push(asked.elapsed());
        question.check(&answer)?;
    }
    Ok(times)
}

impl Question {
    fn check(&self, answer: &Message) -> io::Result<()> {
        let (start, body) = (answer.start(), String::from_utf8_lossy(&answer.body));
        if !start.contains(" 200 ") && !start.contains(" 201 ") {
            return Err(Error::other(format!("{start}: {body}")));
        }
        if body.matches(self.expected).take(self.times).count() == self.times {
            Ok(())
        } else {
            let Question { expected, times, .. } = self;
            Err(Error::other(format!("an answer without {times} times {expected}: {body}")))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;

    /// A server that answers every connection with these, a status and a body each, again and again.
    fn server(answers: &'static [(&'static str, &'static str)]) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut requests = BufReader::new(stream);
                    for (status, body) in answers.iter().cycle() {
                        if http::read(&mut requests).unwrap().is_none() {
                            break;
                        }
                        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                        requests.get_mut().write_all(answer.as_bytes()).unwrap();
                    }
                });
            }
        });
        address
    }

    fn get(expected: &'static str) -> Question {
        Question { request: "GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), expected, times: 1 }
    }

    #[test]
    fn every_client_asks_and_every_answer_counts() {
        let mut clients = Clients::connect(&server(&[("200 OK", "all done")]), 3).unwrap();
        assert_eq!(clients.ask(&get("done"), 5).unwrap().times.len(), 15);
        let answers = clients.ask_for(&get("done"), Duration::from_millis(20)).unwrap();
        assert!(answers.times.len() >= 3 && answers.took >= Duration::from_millis(20));
    }

    #[test]
    fn an_error_is_no_answer() {
        let mut clients = Clients::connect(&server(&[("503 Service Unavailable", "done")]), 2).unwrap();
        let error = clients.ask(&get("done"), 1).unwrap_err();
        assert!(error.to_string().contains("503 Service Unavailable: done"));
    }

    #[test]
    fn one_wrong_answer_among_right_ones_is_found() {
        let address = server(&[("200 OK", "done"), ("200 OK", "nothing"), ("200 OK", "done")]);
        let error = Clients::connect(&address, 1).unwrap().ask(&get("done"), 3).unwrap_err();
        assert_eq!(error.to_string(), "an answer without 1 times done: nothing");
    }

    #[test]
    fn what_is_shared_is_asked_once_each() {
        let mut clients = Clients::connect(&server(&[("200 OK", "done, done")]), 3).unwrap();
        let questions: Vec<Question> = (0..20).map(|_| Question { times: 2, ..get("done") }).collect();
        assert_eq!(clients.share(&questions).unwrap().times.len(), 20);
        let error = clients.share(&[Question { times: 3, ..get("done") }]).unwrap_err();
        assert_eq!(error.to_string(), "an answer without 3 times done: done, done");
    }
}
