//! The process of a container: how it is started and signalled.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::logs::Logs;
use crate::watchdog::Watchdog;

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

/// Sends a signal to a child.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let Ok(pid) = i32::try_from(pid) else { return };
    // A process that is gone needs no signal.
    let _ = kill(Pid::from_raw(pid), signal);
}
