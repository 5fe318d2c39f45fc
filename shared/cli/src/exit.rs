//! How it ends: an exit code that programs can rely on, and a message for people on standard error.

use std::{fmt, io, process::ExitCode};
use strata_client::{Code, Error};

/// The exit codes. `docs/cli.md` promises them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    NotAllowed = 4,
    ConditionFailed = 5,
    Refused = 6,
    RateLimited = 7,
    NoAnswer = 8,
    Partly = 9,
    Interrupted = 130,
    ReaderGone = 141,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command did not do all that it was asked to.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    /// Empty when all has been said.
    message: String,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }

    /// A wrong usage that the words alone do not show.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    /// With what was said about it already.
    pub fn silent(exit: Exit) -> Failure {
        Failure::new(exit, String::new())
    }

    /// Something that the machine did not let us do.
    pub fn at(what: impl fmt::Display, why: impl fmt::Display) -> Failure {
        Failure::new(Exit::Failed, format!("{what}: {why}"))
    }

    /// Says why, and returns the exit code.
    pub fn tell(self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("strata: {}", self.message);
        }
        self.exit.into()
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::silent(Exit::ReaderGone),
            _ => Failure::new(Exit::Failed, error.to_string()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure { exit: exit_of(&error), message: error.to_string() }
    }
}

pub fn exit_of(error: &Error) -> Exit {
    match (error, error.code()) {
        (_, Some(Code::CacheKeyNotFound | Code::InvalidationNotFound | Code::JobNotFound)) => Exit::NotFound,
        (_, Some(Code::Unauthorized | Code::Forbidden)) => Exit::NotAllowed,
        (Error::Api(said), _) if [409, 412].contains(&said.status) => Exit::ConditionFailed,
        (_, Some(Code::RateLimited | Code::QuotaExceeded)) => Exit::RateLimited,
        (Error::Api(said), _) if said.status >= 500 => Exit::NoAnswer,
        (Error::Api(_), _) => Exit::Refused,
        (Error::Invalid(_), _) => Exit::Usage,
        (Error::Unreachable(_) | Error::Broken(_) | Error::Timeout(_), _) => Exit::NoAnswer,
        _ => Exit::Failed,
    }
}
