//! An issuer's web server: a key set behind a URL, which can change, count, lie and fail.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::signer::Signer;

/// A server on a free port of this machine; it ends with the test process.
pub struct Issuer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answer: Mutex<(u16, String)>,
    requests: AtomicUsize,
    paths: Mutex<Vec<String>>,
}

impl Issuer {
    /// Serves the public halves of `keys`.
    pub fn of(keys: &[&Signer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared =
            Arc::new(Shared { answer: Mutex::default(), requests: AtomicUsize::new(0), paths: Mutex::default() });
        let issuer = Self { address, shared: Arc::clone(&shared) };
        issuer.publish(keys);
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| shared.serve(stream)));
        issuer
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn url(&self) -> String {
        format!("{}/jwks.json", self.origin())
    }

    pub fn publish(&self, keys: &[&Signer]) {
        self.publish_jwks(keys.iter().map(|key| key.jwk()).collect());
    }

    pub fn publish_jwks(&self, keys: Vec<Value>) {
        self.answer(200, json!({ "keys": keys }).to_string());
    }

    pub fn answer(&self, status: u16, body: impl Into<String>) {
        *self.shared.answer.lock().unwrap() = (status, body.into());
    }

    /// What it was asked for.
    pub fn paths(&self) -> Vec<String> {
        self.shared.paths.lock().unwrap().clone()
    }

    /// How often it was asked.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let head = BufReader::new(stream.try_clone().unwrap()).lines();
        let head: Vec<String> = head.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        self.paths.lock().unwrap().push(path.to_owned());
        self.requests.fetch_add(1, Ordering::SeqCst);
        let (status, body) = self.answer.lock().unwrap().clone();
        let length = body.len();
        // A redirect leads back here, where it would be counted.
        let head =
            format!("HTTP/1.1 {status} x\r\nlocation: /\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    }
}
