//! A way to DynamoDB that has every request say what it is billed for. Strata does not ask for that, so what goes
//! through here is asked in its name; the embedded engine counts as DynamoDB does.

use crate::{
    http::{self, Message},
    port,
};
use std::{
    io::{self, BufReader, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};
use strata_stack::{Consumed, asking};

/// The way. It lasts as long as the process.
pub struct Capacity {
    address: SocketAddr,
    consumed: Arc<Mutex<Consumed>>,
}

impl Capacity {
    /// A way to the engine at `endpoint`, `http://host:port`.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(endpoint: &str) -> io::Result<Capacity> {
        let consumed = Arc::default();
        let (counted, engine) = (Arc::clone(&consumed), endpoint.trim_start_matches("http://").to_owned());
        let address = port::open(move |client| {
            let (counted, engine) = (Arc::clone(&counted), engine.clone());
            // A client whose engine is gone finds its connection closed.
            thread::spawn(move || pass(client, &engine, &counted));
        })?;
        Ok(Capacity { address, consumed })
    }

    /// Where clients find it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was consumed so far.
    pub fn so_far(&self) -> Consumed {
        *self.consumed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pass(client: TcpStream, engine: &str, consumed: &Mutex<Consumed>) -> io::Result<()> {
    let engine = TcpStream::connect(engine)?;
    client.set_nodelay(true)?;
    engine.set_nodelay(true)?;
    let (mut client, mut engine) = (BufReader::new(client), BufReader::new(engine));
    while let Some(mut request) = http::read(&mut client)? {
        let target = request.header("x-amz-target").and_then(|target| target.split('.').nth(1));
        let operation = target.unwrap_or_default().to_owned();
        request.body = asking(&request.body);
        write(engine.get_mut(), &request)?;
        let Some(answer) = http::read(&mut engine)? else { break };
        consumed.lock().unwrap_or_else(PoisonError::into_inner).count(&operation, &answer.body);
        write(client.get_mut(), &answer)?;
    }
    Ok(())
}

/// Passes a message on, whose body may have another length than it came with.
fn write(stream: &mut TcpStream, message: &Message) -> io::Result<()> {
    let of_length = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
    };
    let kept = message.head.lines().filter(|line| !of_length(line));
    let head: String = kept.flat_map(|line| [line, "\r\n"]).collect();
    let head = format!("{head}content-length: {}\r\n\r\n", message.body.len());
    stream.write_all(&[head.as_bytes(), &message.body].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_request_arrives_asking_and_its_answer_as_it_was() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let engine = thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let request = http::read(&mut stream).unwrap().unwrap();
            let body = r#"{"ConsumedCapacity":{"CapacityUnits":2.5}}"#;
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nx-id: 7\r\n\r\n{body}", body.len());
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            request
        });
        let capacity = Capacity::start(&format!("http://{address}")).unwrap();
        let mut client = BufReader::new(TcpStream::connect(capacity.address).unwrap());
        let request =
            "POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\ncontent-length: 9\r\n\r\n{\"a\":\"b\"}";
        client.get_mut().write_all(request.as_bytes()).unwrap();
        let answer = http::read(&mut client).unwrap().unwrap();
        assert_eq!((answer.start(), answer.header("x-id")), ("HTTP/1.1 200 OK", Some("7")));
        assert_eq!(engine.join().unwrap().body, br#"{"ReturnConsumedCapacity":"TOTAL","a":"b"}"#);
        assert_eq!(capacity.so_far(), Consumed { requests: 1.0, read: 0.0, written: 2.5 });
    }
}
