//! The least Runtime API a function can be measured against: it hands out an event, notes when, and notes when the
//! answer has arrived in full. Blocking threads on plain sockets, so that no scheduler of ours is in the times.

use crate::http;
use std::{
    io::{self, BufReader, Error, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Longest wait for a function to poll or to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The function's time limit, as its deadline header tells it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A Runtime API for one process.
pub struct RuntimeApi {
    address: SocketAddr,
    desk: Arc<Desk>,
}

#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    first_poll: Option<Instant>,
    event: Vec<u8>,
    /// How many times `event` is still to be handed out.
    left: usize,
    handed_out: Option<Instant>,
    times: Vec<Duration>,
    answer: Vec<u8>,
    failed: bool,
    closed: bool,
}

impl RuntimeApi {
    /// Listens on a free port.
    pub fn start() -> io::Result<RuntimeApi> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let api = RuntimeApi { address: listener.local_addr()?, desk: Arc::default() };
        let desk = Arc::clone(&api.desk);
        thread::spawn(move || accept(&listener, &desk));
        Ok(api)
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Waits for the first poll for work and returns when it came.
    pub fn first_poll(&self) -> io::Result<Instant> {
        let state = self.desk.wait(|state| state.first_poll.is_some())?;
        Ok(state.first_poll.expect("waited for"))
    }

    /// Has the function answer `event` so many times, one after the other. Returns the time each took, and the last
    /// answer.
    pub fn invoke(&self, event: &str, times: usize) -> io::Result<(Vec<Duration>, String)> {
        {
            let mut state = self.desk.state();
            state.event = event.as_bytes().to_vec();
            state.times = Vec::with_capacity(times);
            state.left = times;
        }
        self.desk.changed.notify_all();
        let mut state = self.desk.wait(|state| state.failed || state.times.len() == times)?;
        let answer = String::from_utf8_lossy(&state.answer).into_owned();
        if state.failed {
            return Err(Error::other(format!("the function failed: {answer}")));
        }
        Ok((std::mem::take(&mut state.times), answer))
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.desk.state().closed = true;
        self.desk.changed.notify_all();
        // Wakes the thread that accepts, so that it sees the end.
        let _ = TcpStream::connect(self.address);
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the state")
    }

    fn wait(&self, ready: impl Fn(&State) -> bool) -> io::Result<MutexGuard<'_, State>> {
        let (state, waited) = self
            .changed
            .wait_timeout_while(self.state(), PATIENCE, |state| !ready(state))
            .expect("nothing panics while it holds the state");
        if waited.timed_out() { Err(Error::other("the function does not answer")) } else { Ok(state) }
    }

    /// Waits for work and hands it to the function behind `stream`. False when there will be none any more.
    fn hand_out(&self, stream: &mut TcpStream) -> io::Result<bool> {
        let mut state = self.state();
        state.first_poll.get_or_insert_with(Instant::now);
        self.changed.notify_all();
        let idle = |state: &mut State| state.left == 0 && !state.closed;
        let mut state = self.changed.wait_while(state, idle).expect("nothing panics while it holds the state");
        if state.closed {
            return Ok(false);
        }
        state.left -= 1;
        let response = next_response(&state.event);
        state.handed_out = Some(Instant::now());
        drop(state);
        stream.write_all(&response)?;
        Ok(true)
    }

    fn take(&self, answer: Vec<u8>, failed: bool) {
        let arrived = Instant::now();
        let mut state = self.state();
        if let Some(handed_out) = state.handed_out.take() {
            state.times.push(arrived - handed_out);
        }
        state.answer = answer;
        state.failed |= failed;
        self.changed.notify_all();
    }
}

fn accept(listener: &TcpListener, desk: &Arc<Desk>) {
    for stream in listener.incoming().flatten() {
        if desk.state().closed {
            return;
        }
        let desk = Arc::clone(desk);
        // A connection ends with its function, which is killed when it has been measured.
        thread::spawn(move || serve(stream, &desk));
    }
}

fn serve(mut stream: TcpStream, desk: &Desk) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::new(stream.try_clone()?);
    while let Some(request) = http::read(&mut requests)? {
        let path = request.start().split(' ').nth(1).unwrap_or_default();
        if path.ends_with("/invocation/next") {
            if !desk.hand_out(&mut stream)? {
                return Ok(());
            }
        } else {
            let failed = path.ends_with("/error");
            desk.take(request.body, failed);
            stream
                .write_all(b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")?;
        }
    }
    Ok(())
}

fn next_response(event: &[u8]) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 200 OK\r\n\
         content-type: application/json\r\n\
         lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
         lambda-runtime-deadline-ms: {}\r\n\
         lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-central-1:123456789012:function:bench\r\n\
         content-length: {}\r\n\r\n",
        (now + TIMEOUT).as_millis(),
        event.len()
    );
    [head.as_bytes(), event].concat()
}
