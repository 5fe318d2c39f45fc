//! What the children write: one file per container, and one for Redis.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;

use crate::error::{Doing, Error};

/// The folder of the log files.
pub(crate) struct Logs {
    folder: PathBuf,
    /// Holds on to a folder that goes with the stack.
    _temporary: Option<TempDir>,
}

impl Logs {
    /// Logs go to `folder`, whose earlier logs are overwritten; without one, to a temporary folder.
    pub(crate) fn open(folder: Option<PathBuf>) -> Result<Self, Error> {
        match folder {
            Some(folder) => {
                std::fs::create_dir_all(&folder).doing(format!("creating {}", folder.display()))?;
                Ok(Self { folder, _temporary: None })
            }
            None => {
                let temporary = TempDir::with_prefix("strata-logs-").doing("creating a folder for the logs")?;
                Ok(Self { folder: temporary.path().to_path_buf(), _temporary: Some(temporary) })
            }
        }
    }

    /// Begins a log anew.
    pub(crate) fn clear(&self, name: &str) -> Result<(), Error> {
        File::create(self.path(name)).map(drop).doing(format!("creating the log of {name}"))
    }

    /// Standard output and error of a process that writes to this log.
    pub(crate) fn streams(&self, name: &str) -> Result<(Stdio, Stdio), Error> {
        let file = OpenOptions::new().create(true).append(true).open(self.path(name));
        let file = file.doing(format!("opening the log of {name}"))?;
        let copy = file.try_clone().doing(format!("opening the log of {name}"))?;
        Ok((file.into(), copy.into()))
    }

    /// Everything written so far; empty for a name without a log.
    pub(crate) fn read(&self, name: &str) -> String {
        let bytes = std::fs::read(self.path(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines, joined into one, for an error message.
    pub(crate) fn tail(&self, name: &str) -> String {
        let log = self.read(name);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join(" | ")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }
}
