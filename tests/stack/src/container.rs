//! A container: one slot of a function, with a name that stays and a process that comes and goes.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::Error;
use crate::logs::Logs;
use crate::pool::Lease;
use crate::supervisor::{Order, Supervisor, Waiting};
use crate::watchdog::Watchdog;

/// Lambda's limit of a synchronous request, 6 MB.
pub const REQUEST_LIMIT: usize = 6 * 1024 * 1024;
/// Lambda's limit of a synchronous response, by the text of its own error message.
pub const RESPONSE_LIMIT: usize = 6_291_556;

/// Why an invocation brought no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvokeError {
    /// template.yaml has no such function.
    UnknownFunction(String),
    /// The function has no such container.
    UnknownContainer(String),
    /// The function reported an error.
    Function {
        /// The error's type.
        kind: String,
        /// The error's text.
        message: String,
    },
    /// The container's process ended, while it started or while it worked.
    Crashed {
        /// The container's name.
        container: String,
        /// How it ended.
        status: String,
    },
    /// The function's time was up; its container was killed.
    TimedOut(Duration),
    /// The event is larger than Lambda takes.
    RequestTooLarge,
    /// The answer is larger than Lambda gives back.
    ResponseTooLarge,
    /// The answer is no JSON.
    Malformed(String),
    /// The stack has been shut down.
    ShutDown,
}

impl fmt::Display for InvokeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFunction(name) => write!(f, "there is no function {name}"),
            Self::UnknownContainer(name) => write!(f, "there is no container {name}"),
            Self::Function { kind, message } => write!(f, "{kind}: {message}"),
            Self::Crashed { container, status } => write!(f, "{container} crashed: {status}"),
            Self::TimedOut(after) => write!(f, "timed out after {} s", after.as_secs()),
            Self::RequestTooLarge => write!(f, "the event is over {REQUEST_LIMIT} bytes"),
            Self::ResponseTooLarge => write!(f, "the answer is over {RESPONSE_LIMIT} bytes"),
            Self::Malformed(why) => write!(f, "the answer is no JSON: {why}"),
            Self::ShutDown => f.write_str("the stack has been shut down"),
        }
    }
}

impl std::error::Error for InvokeError {}

/// What a container runs, and how.
pub(crate) struct Spec {
    /// For example `entries-1`.
    pub(crate) name: String,
    pub(crate) function: String,
    pub(crate) binary: PathBuf,
    /// The whole environment but for the address of the Runtime API.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) timeout: Duration,
    /// Whether it is frozen between invocations.
    pub(crate) freeze: bool,
    /// Whether it is started before there is an invocation for it, and again when it has died.
    pub(crate) eager: bool,
    pub(crate) logs: Arc<Logs>,
    pub(crate) watchdog: Arc<Watchdog>,
}

impl Spec {
    /// Starts the process.
    pub(crate) fn spawn(&self, runtime_api: &str) -> io::Result<Child> {
        let (stdout, stderr) = self.logs.streams(&self.name).map_err(io::Error::other)?;
        let mut child = Command::new(&self.binary)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            // Ctrl-C is for the stack, which then ends its children itself.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let watched = child.id().map_or(Ok(()), |pid| self.watchdog.watch(pid));
        watched.inspect_err(|_| drop(child.start_kill()))?;
        Ok(child)
    }

    pub(crate) fn arn(&self) -> String {
        let (region, account) = (crate::dynamo::REGION, crate::ACCOUNT);
        format!("arn:aws:lambda:{region}:{account}:function:{}", self.function)
    }
}

/// The handle of a container; its [`Supervisor`] does the work.
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) function: String,
    /// Whether it is started before there is an invocation for it.
    pub(crate) eager: bool,
    orders: mpsc::UnboundedSender<Order>,
    state: watch::Receiver<State>,
}

/// What is known of a container from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// None while it has no process.
    pub(crate) pid: Option<u32>,
    /// Its process has polled for work.
    pub(crate) ready: bool,
    /// A start failed: its process ended before it polled.
    pub(crate) failed: bool,
}

impl Container {
    pub(crate) async fn open(spec: Spec) -> Result<Self, Error> {
        spec.logs.clear(&spec.name)?;
        let (name, function, eager) = (spec.name.clone(), spec.function.clone(), spec.eager);
        let (orders, received) = mpsc::unbounded_channel();
        let (report, state) = watch::channel(State::default());
        let supervisor = Supervisor::open(spec, report).await?;
        tokio::spawn(supervisor.run(received));
        Ok(Self { name, function, eager, orders, state })
    }

    /// Hands an event to the container that the lease is for, under this request id. The invocation goes on when the
    /// caller loses interest.
    pub(crate) async fn invoke(&self, lease: Lease, id: String, event: Bytes) -> Result<Bytes, InvokeError> {
        let (reply, answer) = oneshot::channel();
        self.order(Order::Invoke(Waiting { id, event, reply, lease }));
        answer.await.unwrap_or(Err(InvokeError::ShutDown))
    }

    /// Kills the process; it is gone when this returns.
    pub(crate) async fn kill(&self) {
        let (done, gone) = oneshot::channel();
        self.order(Order::Kill(done));
        // Without a supervisor there is no process either.
        let _ = gone.await;
    }

    /// Kills the process and starts no other.
    pub(crate) async fn stop(&self) {
        self.order(Order::Stop);
        self.kill().await;
    }

    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    fn order(&self, order: Order) {
        // The supervisor ends with the stack only.
        let _ = self.orders.send(order);
    }
}

/// A function's answer as JSON.
pub(crate) fn parsed(answer: Result<Bytes, InvokeError>) -> Result<Value, InvokeError> {
    serde_json::from_slice(&answer?).map_err(|why| InvokeError::Malformed(why.to_string()))
}

/// Sends a signal to a child.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let Ok(pid) = i32::try_from(pid) else { return };
    // A process that is gone needs no signal.
    let _ = kill(Pid::from_raw(pid), signal);
}
