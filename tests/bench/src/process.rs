//! A function's process: started as Lambda starts it, and looked at from outside.

use crate::{runtime_api::RuntimeApi, stats::micros};
use std::{
    fs,
    io::{self, Error, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// A binary and the environment it runs in.
#[derive(Debug, Clone)]
pub struct Function {
    /// The binary.
    pub binary: PathBuf,
    /// Variables besides those of Lambda.
    pub env: Vec<(String, String)>,
}

/// A running function and its Runtime API. Killed when dropped.
pub struct Running {
    child: Child,
    /// Where it polls for work.
    pub api: RuntimeApi,
    /// From the start of the process to its first poll.
    pub start: Duration,
    logged: Arc<AtomicU64>,
}

/// Requests that were answered one after the other.
pub struct Turn {
    /// The time each took, from event to answer.
    pub wall: Vec<Duration>,
    /// Processor time of one, in microseconds.
    pub cpu_us: f64,
    /// The last answer.
    pub answer: String,
}

impl Function {
    /// The same with one more variable, which goes over an earlier one of its name.
    #[must_use]
    pub fn with(&self, name: &str, value: impl Into<String>) -> Function {
        let mut function = self.clone();
        function.env.push((name.to_owned(), value.into()));
        function
    }

    /// Starts it and waits for its first poll.
    pub fn start(&self) -> io::Result<Running> {
        // Written and thrown away: a function logs on Lambda as well.
        self.start_with(Stdio::null())
    }

    /// The same, and counts what it logs.
    pub fn start_logging(&self) -> io::Result<Running> {
        let mut running = self.start_with(Stdio::piped())?;
        let (log, logged) = (running.child.stdout.take(), Arc::clone(&running.logged));
        let mut log = log.expect("the log was piped");
        thread::spawn(move || {
            let mut read = vec![0; 1 << 16];
            while let Ok(bytes @ 1..) = log.read(&mut read) {
                logged.fetch_add(bytes as u64, Relaxed);
            }
        });
        Ok(running)
    }

    fn start_with(&self, log: Stdio) -> io::Result<Running> {
        let api = RuntimeApi::start()?;
        let mut command = self.command(&api);
        command.stdout(log);
        let spawned = Instant::now();
        let child = command.spawn()?;
        let mut running = Running { child, api, start: Duration::ZERO, logged: Arc::default() };
        running.start = running.api.first_poll()? - spawned;
        Ok(running)
    }

    fn command(&self, api: &RuntimeApi) -> Command {
        let name = self.binary.file_name().unwrap_or_default();
        let mut command = Command::new(&self.binary);
        command
            .env_clear()
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stderr(Stdio::null());
        command
    }
}

impl Running {
    /// Has it answer `event` so many times.
    #[allow(clippy::cast_precision_loss, reason = "numbers of requests are far below 2^52")]
    pub fn take_turn(&self, event: &str, requests: usize) -> io::Result<Turn> {
        let before = self.cpu()?;
        let (wall, answer) = self.api.invoke(event, requests)?;
        let cpu_us = micros(self.cpu()? - before) / requests as f64;
        Ok(Turn { wall, cpu_us, answer })
    }

    /// Bytes that it has logged, if they are [counted](Function::start_logging).
    pub fn logged(&self) -> u64 {
        self.logged.load(Relaxed)
    }

    /// Processor time of it so far.
    pub fn cpu(&self) -> io::Result<Duration> {
        processor_time(self.child.id())
    }

    /// The most memory it ever had resident, in bytes.
    pub fn peak_memory(&self) -> io::Result<u64> {
        memory(self.child.id(), "VmHWM:")
    }
}

/// Processor time of all threads of a process so far.
///
/// # Errors
/// When there is no such process.
pub fn processor_time(pid: u32) -> io::Result<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(proc(pid, "task"))? {
        nanos += first_number(&fs::read_to_string(task?.path().join("schedstat"))?)?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// What a process has resident now, in bytes.
///
/// # Errors
/// When there is no such process.
pub fn resident_memory(pid: u32) -> io::Result<u64> {
    memory(pid, "VmRSS:")
}

fn memory(pid: u32, field: &str) -> io::Result<u64> {
    let status = fs::read_to_string(proc(pid, "status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    Ok(first_number(line.unwrap_or_default())? * 1024)
}

fn proc(pid: u32, file: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join(file)
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn first_number(text: &str) -> io::Result<u64> {
    text.split_whitespace().next().and_then(|number| number.parse().ok()).ok_or_else(|| {
        Error::other("/proc does not say how much processor time and memory a process takes; this needs Linux")
    })
}
