//! A running stack, as its owner sees it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;

use bytes::Bytes;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::clock::Clocks;
use crate::container::Container;
use crate::error::{Doing, Error};
use crate::faults::Faults;
use crate::info::{ContainerInfo, Info, InfoFile, Outside};
use crate::invoke_error::{InvokeError, parsed};
use crate::l3::L3;
use crate::launch::{TABLES, launch};
use crate::logs::Logs;
use crate::options::Options;
use crate::pool::Pool;
use crate::redis::Redis;
use crate::redis_path::RedisPaths;
use crate::schedule::Schedules;
use crate::token::{Claims, Issuer};
use crate::watchdog::Watchdog;

/// How long the token of [`Info::token`] is good for, in seconds.
const INFO_TOKEN_TTL: i64 = 7 * 24 * 3600;

/// A running stack. Dropping it kills every child; [`shutdown`](Self::shutdown) does so and waits.
///
/// It runs on threads of its own, so it can be shared by tests that each have their own runtime, and started and
/// dropped in any of them.
pub struct Stack {
    core: Arc<Core>,
    gateway: JoinHandle<()>,
    info_file: Option<Arc<InfoFile>>,
    /// Dropped last, with the tasks in it.
    _runtime: Background,
}

/// A runtime that may be dropped inside another one.
struct Background(Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What the gateway, the info writer and the stack's owner share.
pub(crate) struct Core {
    pub(crate) url: String,
    /// Of its port, where it describes itself.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) issuer: Issuer,
    pub(crate) redis: Redis,
    pub(crate) outside: Option<Outside>,
    pub(crate) faults: Faults,
    pub(crate) clocks: Option<Clocks>,
    pub(crate) schedules: Schedules,
    pub(crate) pools: BTreeMap<String, Arc<Pool>>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) watchdog: Arc<Watchdog>,
    pub(crate) changed: Arc<Notify>,
}

impl Stack {
    /// Starts everything and returns when the functions behind the API have polled for work.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let mut builder = Builder::new_multi_thread();
        // Two at least: the embedded engine may keep one busy.
        let threads = available_parallelism().map_or(2, |cores| cores.get().max(2));
        let runtime = builder.worker_threads(threads).thread_name("strata-stack").enable_all().build();
        let runtime = runtime.doing("starting threads")?;
        let handle = runtime.handle().clone();
        let runtime = Background(Some(runtime));
        let started = handle.spawn(launch(options)).await;
        let (core, gateway) = started.expect("starting a stack does not panic")?;
        let info_file = core.folder.as_deref().map(|own| Arc::new(InfoFile::new(own)));
        if let Some(file) = &info_file {
            file.write(&core.info()).doing("describing the stack in a file")?;
            handle.spawn(keep_info(core.clone(), file.clone()));
        }
        Ok(Self { core, gateway, info_file, _runtime: runtime })
    }

    /// The API's base URL, such as `http://127.0.0.1:3000/v1/cache`.
    pub fn url(&self) -> &str {
        &self.core.url
    }

    /// What is running now.
    pub fn info(&self) -> Info {
        self.core.info()
    }

    /// A token that the authorizer accepts.
    pub fn token(&self, claims: Claims) -> String {
        self.core.issuer.sign(&claims)
    }

    /// L2's server.
    pub fn redis(&self) -> &Redis {
        &self.core.redis
    }

    /// The way to Redis of one container, or of [`ALL`](crate::ALL).
    ///
    /// # Panics
    /// When there is no such container, or it has no proxy: its function does not use Redis, or the URL given to the
    /// stack is one of a cluster or of TLS.
    #[track_caller]
    pub fn redis_path(&self, container: &str) -> RedisPaths {
        let paths = self.core.faults.paths(container);
        paths.unwrap_or_else(|| panic!("{container} has no way to Redis that could fail"))
    }

    /// L3 and its faults.
    pub fn l3(&self) -> &L3 {
        &self.core.faults.l3
    }

    /// Puts a container's wall clock ahead of this machine's by so much, or behind; 0 sets it right.
    ///
    /// # Panics
    /// When the stack was not started with [`clocks`](Options::clocks).
    #[track_caller]
    pub fn put_clock(&self, container: &str, ahead_ms: i64) -> Result<(), Error> {
        self.core.clocks.as_ref().expect("a stack with clocks").put(container, ahead_ms)
    }

    /// The containers of all functions.
    pub fn containers(&self) -> Vec<ContainerInfo> {
        self.core.containers().map(describe).collect()
    }

    /// Kills a container's process; it is gone when this returns, and its replacement is on the way.
    ///
    /// # Panics
    /// When there is no such container.
    pub async fn kill(&self, container: &str) {
        let found = self.core.containers().find(|candidate| candidate.name == container);
        found.unwrap_or_else(|| panic!("there is no container {container}")).kill().await;
    }

    /// Invokes a function with a raw event, in any container or in the one that `pin` names.
    pub async fn invoke(&self, function: &str, event: Value, pin: Option<&str>) -> Result<Value, InvokeError> {
        let (_, answer) = self.pool(function)?.invoke(Bytes::from(event.to_string()), pin).await;
        parsed(answer)
    }

    /// Invokes a function with a raw event under this request id, which Lambda keeps when it sends an event again.
    pub async fn invoke_as(&self, function: &str, event: Value, request_id: &str) -> Result<Value, InvokeError> {
        let event = Bytes::from(event.to_string());
        let (_, answer) = self.pool(function)?.invoke_as(request_id.to_owned(), event, None).await;
        parsed(answer)
    }

    fn pool(&self, function: &str) -> Result<&Arc<Pool>, InvokeError> {
        self.core.pools.get(function).ok_or_else(|| InvokeError::UnknownFunction(function.to_owned()))
    }

    /// Fires every schedule once, as EventBridge does when it is time; the functions' answers in order, those of a
    /// function's own events before those of rules.
    pub async fn tick(&self) -> Result<Vec<Value>, InvokeError> {
        self.core.schedules.fire().await
    }

    /// Everything a container has written to standard output and error; `redis` is the name of Redis' log, and a
    /// failure destination of the template names the log of what was sent there.
    pub fn logs(&self, name: &str) -> String {
        self.core.logs.read(name)
    }

    /// The folder of all logs.
    pub fn logs_folder(&self) -> &Path {
        self.core.logs.folder()
    }

    /// Ends every child and returns when they are gone.
    pub async fn shutdown(self) {
        self.gateway.abort();
        futures_util::future::join_all(self.core.containers().map(Container::stop)).await;
        // Dropping does the rest: Redis, the info file, the threads.
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.gateway.abort();
        if let Some(file) = &self.info_file {
            file.remove();
        }
        self.core.watchdog.kill_all();
    }
}

impl Core {
    fn containers(&self) -> impl Iterator<Item = &Container> {
        self.pools.values().flat_map(|pool| &pool.containers)
    }

    fn info(&self) -> Info {
        let claims = Claims::default().ttl_seconds(INFO_TOKEN_TTL);
        let [table, control_table] = TABLES.map(|(_, name)| name.to_owned());
        Info {
            url: self.url.clone(),
            token: self.issuer.sign(&claims),
            jwt_secret: self.issuer.secret.clone(),
            jwt_issuer: self.issuer.issuer.clone(),
            jwt_audience: self.issuer.audience.clone(),
            redis_url: self.redis.url().to_owned(),
            redis_pid: self.redis.pid(),
            dynamodb_endpoint: self.faults.l3.engine_endpoint().to_owned(),
            outside: self.outside.clone(),
            table,
            control_table,
            containers: self.containers().map(describe).collect(),
        }
    }
}

fn describe(container: &Container) -> ContainerInfo {
    let (name, function) = (container.name.clone(), container.function.clone());
    ContainerInfo { name, function, pid: container.state().borrow().pid }
}

/// Keeps the info file current.
async fn keep_info(core: Arc<Core>, file: Arc<InfoFile>) {
    loop {
        core.changed.notified().await;
        // A full disk must not end the stack; the file is only behind.
        let _ = file.write(&core.info());
    }
}
