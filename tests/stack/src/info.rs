//! The description of a running stack that other programs read, and the file it is kept in.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

/// A running stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// The API's base URL, such as `http://127.0.0.1:3000/v1/cache`.
    pub url: String,
    /// A token with all scopes.
    pub token: String,
    /// The HS256 secret of its tokens.
    pub jwt_secret: String,
    /// The `iss` of its tokens.
    pub jwt_issuer: String,
    /// The `aud` of its tokens.
    pub jwt_audience: String,
    /// Redis itself, past the faults of the containers' ways to it.
    pub redis_url: String,
    /// None when Redis is down, or not the stack's own.
    pub redis_pid: Option<u32>,
    /// The DynamoDB engine itself, past L3's faults.
    pub dynamodb_endpoint: String,
    /// How functions that somebody else runs reach the engines; none when they are not to.
    pub outside: Option<Outside>,
    /// The table of L3.
    pub table: String,
    /// The table of config, jobs and notes.
    pub control_table: String,
    /// The containers of all functions.
    pub containers: Vec<ContainerInfo>,
}

/// A container of a running stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerInfo {
    /// For example `entries-1`; stays the same when its process is replaced.
    pub name: String,
    /// The function's name.
    pub function: String,
    /// None before its first invocation, and while a process that died is being replaced.
    pub pid: Option<u32>,
}

/// The ways to the engines that lead through an address of [`Options::engines_at`](crate::Options::engines_at), faults
/// included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// The way to Redis that faults name `outside`.
    pub redis_url: String,
    /// L3.
    pub dynamodb_endpoint: String,
}

impl Info {
    /// Reads what the stack on that port, which was told to keep its files below `folder`, says of itself.
    pub fn read(folder: &Path, port: u16) -> io::Result<Self> {
        serde_json::from_slice(&std::fs::read(file(&of_port(folder, port)))?).map_err(io::Error::other)
    }
}

/// Where the stack on that port keeps its files.
pub(crate) fn of_port(folder: &Path, port: u16) -> PathBuf {
    folder.join(port.to_string())
}

/// The description in a stack's own folder.
fn file(own: &Path) -> PathBuf {
    own.join("stack.json")
}

/// The file in which a stack's description is kept for as long as the stack runs.
pub(crate) struct InfoFile {
    /// `None` once it has been removed.
    path: Mutex<Option<PathBuf>>,
}

impl InfoFile {
    /// The one in a stack's own folder.
    pub(crate) fn new(own: &Path) -> Self {
        Self { path: Mutex::new(Some(file(own))) }
    }

    /// Writes the file in one step: a reader sees the old one or the new one. Does nothing once it has been removed.
    pub(crate) fn write(&self, info: &Info) -> io::Result<()> {
        let path = self.lock();
        let Some(path) = path.as_deref() else { return Ok(()) };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let draft = path.with_extension("json.new");
        std::fs::write(&draft, serde_json::to_string_pretty(info)? + "\n")?;
        std::fs::rename(draft, path)
    }

    /// Removes the file for good.
    pub(crate) fn remove(&self) {
        if let Some(path) = self.lock().take() {
            // It does not matter if it is gone already.
            let _ = std::fs::remove_file(path);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.path.lock().expect("nothing panics while it holds the path")
    }
}
