//! What the children write: one file per container, and one for Redis.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::error::{Doing, Error};

/// The folder of the log files.
pub(crate) struct Logs {
    folder: PathBuf,
}

impl Logs {
    /// Logs go to `folder`, which is created when missing.
    pub(crate) fn open(folder: PathBuf) -> Result<Self, Error> {
        std::fs::create_dir_all(&folder).doing(format!("creating {}", folder.display()))?;
        Ok(Self { folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
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

    /// Adds a line to a log.
    pub(crate) fn append(&self, name: &str, line: &str) {
        let file = OpenOptions::new().create(true).append(true).open(self.path(name));
        // A full disk must not end the stack; the line is only missing.
        let _ = file.and_then(|mut file| writeln!(file, "{line}"));
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
