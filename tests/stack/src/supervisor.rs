//! What Lambda does with one execution environment: starts its process, hands it one event at a time over the Runtime
//! API, freezes it in between, kills it when its time is up, replaces it when it dies.

use std::time::Duration;

use bytes::Bytes;
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::calendar;
use crate::error::{Doing, Error};
use crate::invoke_error::{InvokeError, RESPONSE_LIMIT};
use crate::pool::Lease;
use crate::process::{Spec, State, signal};
use crate::runtime_api::{Call, Delivery, RuntimeApi, Verdict};

/// Lambda's limit for a function to get ready.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a container that died before it polled waits for its next start; doubled each time, up to the limit.
const RESTART_DELAY: Duration = Duration::from_millis(100);
const RESTART_DELAY_LIMIT: Duration = Duration::from_secs(5);

pub(crate) type Reply = oneshot::Sender<Result<Bytes, InvokeError>>;

/// What the stack wants of a container.
pub(crate) enum Order {
    Invoke(Waiting),
    Kill(oneshot::Sender<()>),
    Stop,
}

/// An invocation that no process has got yet.
pub(crate) struct Waiting {
    /// The request id.
    pub(crate) id: String,
    pub(crate) event: Bytes,
    pub(crate) reply: Reply,
    pub(crate) lease: Lease,
}

/// An invocation in progress.
struct Running {
    id: String,
    reply: Reply,
    lease: Lease,
    deadline: Instant,
}

/// Owns a container's process.
pub(crate) struct Supervisor {
    spec: Spec,
    api: RuntimeApi,
    report: watch::Sender<State>,
    child: Option<Child>,
    /// The process' poll for work, while it is unanswered.
    poll: Option<oneshot::Sender<Delivery>>,
    waiting: Option<Waiting>,
    running: Option<Running>,
    /// When the process that is starting must have polled.
    ready_by: Option<Instant>,
    /// When to start the next process, while there is none.
    start_at: Option<Instant>,
    /// Processes in a row that died before they polled.
    failures: u32,
    stopped: bool,
    mourners: Vec<oneshot::Sender<()>>,
}

impl Supervisor {
    pub(crate) async fn open(spec: Spec, report: watch::Sender<State>) -> Result<Self, Error> {
        let api = RuntimeApi::open().await.doing("opening a port for the Runtime API")?;
        let start_at = spec.eager.then(Instant::now);
        Ok(Self {
            spec,
            api,
            report,
            child: None,
            poll: None,
            waiting: None,
            running: None,
            ready_by: None,
            start_at,
            failures: 0,
            stopped: false,
            mourners: Vec::new(),
        })
    }

    /// Runs until the container's handle is gone.
    pub(crate) async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        loop {
            let (deadline, start_at) = (self.next_deadline(), self.start_at);
            tokio::select! {
                // What the process said before it died counts, so its calls come before its end.
                biased;
                Some(call) = self.api.calls.recv() => self.on_call(call),
                order = orders.recv() => match order {
                    Some(order) => self.on_order(order),
                    None => return,
                },
                status = ended(&mut self.child) => self.on_end(status),
                () = at(deadline) => self.on_deadline(),
                () = at(start_at) => self.start(),
            }
        }
    }

    fn on_call(&mut self, call: Call) {
        match call {
            Call::Next(poll) => self.on_poll(poll),
            Call::Response { id, body, verdict } => {
                let size = body.len();
                let outcome = if size > RESPONSE_LIMIT { Err(InvokeError::ResponseTooLarge) } else { Ok(body) };
                let accepted = if outcome.is_ok() { Verdict::Accepted } else { Verdict::TooLarge };
                let known = self.finish(&id, outcome);
                let _ = verdict.send(if known { accepted } else { Verdict::UnknownRequest });
            }
            Call::Failure { id, body, verdict } => {
                let known = self.finish(&id, Err(reported(&body)));
                let _ = verdict.send(if known { Verdict::Accepted } else { Verdict::UnknownRequest });
            }
        }
    }

    fn on_poll(&mut self, poll: oneshot::Sender<Delivery>) {
        if poll.is_closed() {
            return; // the poll of a process that has died since
        }
        self.poll = Some(poll);
        self.ready_by = None;
        self.failures = 0;
        self.publish(|state| *state = State { ready: true, failed: false, ..*state });
        match self.waiting.take() {
            Some(waiting) => self.deliver(waiting),
            None if self.spec.freeze => self.signal(Signal::SIGSTOP),
            None => {}
        }
    }

    fn on_order(&mut self, order: Order) {
        match order {
            Order::Invoke(Waiting { reply, lease, .. }) if self.stopped => {
                end(lease, reply, Err(InvokeError::ShutDown));
            }
            Order::Invoke(waiting) => {
                if self.child.is_none() && self.start_at.is_none() {
                    self.start_at = Some(Instant::now());
                }
                self.deliver(waiting);
            }
            Order::Kill(done) => self.kill(done),
            Order::Stop => self.stopped = true,
        }
    }

    /// Gives the event to the process, or keeps it until the process polls.
    fn deliver(&mut self, waiting: Waiting) {
        let Some(poll) = self.poll.take() else {
            self.waiting = Some(waiting);
            return;
        };
        let delivery = Delivery {
            id: waiting.id.clone(),
            event: waiting.event.clone(),
            deadline_ms: calendar::now_ms() + self.spec.timeout.as_millis() as u64,
            arn: self.spec.arn(),
        };
        if self.spec.freeze {
            self.signal(Signal::SIGCONT);
        }
        match poll.send(delivery) {
            Ok(()) => {
                let Waiting { id, reply, lease, .. } = waiting;
                self.running = Some(Running { id, reply, lease, deadline: Instant::now() + self.spec.timeout });
            }
            // The process has died and its end is about to be noticed; the next one gets the event.
            Err(_) => self.waiting = Some(waiting),
        }
    }

    /// Ends the invocation in progress; false when it is another than `id`.
    fn finish(&mut self, id: &str, outcome: Result<Bytes, InvokeError>) -> bool {
        let Some(running) = self.running.take_if(|running| running.id == id) else { return false };
        end(running.lease, running.reply, outcome);
        true
    }

    fn kill(&mut self, done: oneshot::Sender<()>) {
        match &mut self.child {
            Some(child) => {
                // An error means that it is dead already.
                let _ = child.start_kill();
                self.mourners.push(done);
            }
            None => {
                let _ = done.send(());
            }
        }
    }

    fn on_deadline(&mut self) {
        if let Some(running) = self.running.take() {
            end(running.lease, running.reply, Err(InvokeError::TimedOut(self.spec.timeout)));
        }
        self.ready_by = None;
        if let Some(child) = &mut self.child {
            // An error means that it is dead already.
            let _ = child.start_kill();
        }
    }

    fn on_end(&mut self, status: String) {
        let was_ready = self.report.borrow().ready;
        if let Some(pid) = self.report.borrow().pid {
            self.spec.watchdog.forget(pid);
        }
        self.child = None;
        self.poll = None;
        self.ready_by = None;
        self.failures = if was_ready { 0 } else { self.failures + 1 };
        let failed = self.failures > 0;
        self.publish(|state| *state = State { failed, ..State::default() });
        let crashed = || InvokeError::Crashed { container: self.spec.name.clone(), status: status.clone() };
        if let Some(running) = self.running.take() {
            end(running.lease, running.reply, Err(crashed()));
        }
        // An event that was never delivered waits for the next process, unless there is little hope for that one.
        if let Some(waiting) = self.waiting.take_if(|_| failed || self.stopped) {
            end(waiting.lease, waiting.reply, Err(crashed()));
        }
        let wanted = self.spec.eager || self.waiting.is_some();
        self.start_at = (wanted && !self.stopped).then(|| Instant::now() + self.restart_delay());
        for mourner in self.mourners.drain(..) {
            let _ = mourner.send(());
        }
    }

    fn restart_delay(&self) -> Duration {
        match self.failures.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => RESTART_DELAY.saturating_mul(1 << doublings.min(10)).min(RESTART_DELAY_LIMIT),
        }
    }

    fn start(&mut self) {
        self.start_at = None;
        if self.stopped {
            return;
        }
        match self.spec.spawn(&self.api.address) {
            Ok(child) => {
                let pid = child.id();
                self.child = Some(child);
                self.ready_by = Some(Instant::now() + INIT_TIMEOUT);
                self.publish(|state| *state = State { pid, ..State::default() });
            }
            Err(error) => self.on_end(format!("{}: {error}", self.spec.binary.display())),
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.running.as_ref().map(|running| running.deadline).or(self.ready_by)
    }

    fn signal(&self, what: Signal) {
        if let Some(pid) = self.child.as_ref().and_then(Child::id) {
            signal(pid, what);
        }
    }

    fn publish(&self, change: impl FnOnce(&mut State)) {
        self.report.send_modify(change);
    }
}

/// Frees the container, then answers: who has the answer may count on a free container.
fn end(lease: Lease, reply: Reply, outcome: Result<Bytes, InvokeError>) {
    drop(lease);
    // A caller may have lost interest.
    let _ = reply.send(outcome);
}

/// The error that a function posted.
fn reported(body: &[u8]) -> InvokeError {
    let report: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |field: &str| report[field].as_str().unwrap_or_default().to_owned();
    InvokeError::Function { kind: text("errorType"), message: text("errorMessage") }
}

/// Waits for the process to end.
async fn ended(child: &mut Option<Child>) -> String {
    match child {
        Some(child) => child.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string()),
        None => std::future::pending().await,
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
