//! One Redis server without a network: the commands that the cache uses, and scripts in the Lua that Redis runs.
//!
//! It says what a real server says, to the byte of an error's code; a differential test sends both the same commands. It
//! does what a server may do wrong as well, when it is told to: it is [restarted](Redis::restart) with what it held some time
//! ago, or [refuses](Redis::refuse).

mod commands;
mod data;
mod hashes;
mod keys;
mod packed;
mod reply;
mod script;
mod sets;
mod sorted;
mod streams;
mod strings;

use self::{data::Names, reply::error, script::Scripts};
use redis::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a command is answered, or the text of an error.
type Answer = Result<Value, String>;

/// Why a server takes no commands, or no writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its memory is full: what needs more of it is refused.
    Full,
    /// It is a replica: writes are refused.
    ReadOnly,
    /// It has too few replicas: writes are refused.
    NoReplicas,
    /// It reads what it held from disk: every command is refused.
    Loading,
}

/// A server.
#[derive(Debug)]
pub struct Redis {
    data: Shared,
    scripts: Scripts,
}

/// What a server held at a time.
#[derive(Debug, Clone)]
pub struct Snapshot(Names);

/// What commands work on, also those of a script.
#[derive(Debug)]
pub(crate) struct Database {
    names: Names,
    now_us: i64,
    now_ms: i64,
    chance: fastrand::Rng,
    refusal: Option<Refusal>,
    /// The script that runs has written something: it may finish.
    has_written: bool,
    /// How many records of a stream lie in one node; trimming about a length removes whole nodes.
    node: usize,
    identity: String,
}

type Shared = Arc<Mutex<Database>>;

impl Redis {
    /// An empty server. What it draws by lot, its name included, comes from the seed.
    pub fn new(seed: u64) -> Redis {
        let mut chance = fastrand::Rng::with_seed(seed);
        let identity = identity(&mut chance);
        let data = Database {
            names: Names::default(),
            now_us: 0,
            now_ms: 0,
            chance,
            refusal: None,
            has_written: false,
            node: 100,
            identity,
        };
        let data = Arc::new(Mutex::new(data));
        Redis { scripts: Scripts::new(&data), data }
    }

    /// The same server with another `stream-node-max-entries`.
    #[must_use]
    pub fn with_nodes_of(self, records: usize) -> Redis {
        self.data().node = records;
        self
    }

    /// Does what a command says, a name and arguments, at a time in microseconds since the Unix epoch.
    pub fn execute(&mut self, now_us: i64, command: &[&[u8]]) -> Value {
        let Some((name, arguments)) = command.split_first() else { return error("ERR unknown command ''") };
        let name = String::from_utf8_lossy(name).to_ascii_uppercase();
        {
            let mut data = self.data();
            data.now_us = now_us;
            data.now_ms = now_us / 1000;
            data.has_written = false;
            if data.refusal == Some(Refusal::Loading) {
                return error("LOADING Redis is loading the dataset in memory");
            }
        }
        match (name.as_str(), arguments) {
            ("EVALSHA", [sha, rest @ ..]) => self.scripts.run(&String::from_utf8_lossy(sha), rest),
            ("EVAL", [text, rest @ ..]) => {
                let sha = self.scripts.load(&String::from_utf8_lossy(text));
                sha.map_or_else(|text| error(&text), |sha| self.scripts.run(&sha, rest))
            }
            ("SCRIPT", [what, text]) if what.eq_ignore_ascii_case(b"LOAD") => {
                let sha = self.scripts.load(&String::from_utf8_lossy(text));
                sha.map_or_else(|text| error(&text), |sha| Value::BulkString(sha.into_bytes()))
            }
            _ => self.data().command(&name, arguments).unwrap_or_else(|text| error(&text)),
        }
    }

    /// What it holds now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.data().names.clone())
    }

    /// Makes it another server, with another name and no scripts, that holds what this one did at a time, or nothing.
    pub fn restart(&mut self, with: Option<Snapshot>) {
        let mut data = self.data();
        data.names = with.map(|Snapshot(names)| names).unwrap_or_default();
        data.identity = identity(&mut data.chance);
        data.refusal = None;
        drop(data);
        self.scripts.forget();
    }

    /// Refuses, or takes everything again.
    pub fn refuse(&mut self, refusal: Option<Refusal>) {
        self.data().refusal = refusal;
    }

    /// The names it holds at a time in ms, and how many things each stands for.
    pub fn names(&self, now_ms: i64) -> Vec<(String, usize)> {
        let data = self.data();
        let count = |kind: &data::Kind| match kind {
            data::Kind::Text(_) => 1,
            data::Kind::Hash(fields) => fields.len(),
            data::Kind::Set(members) => members.len(),
            data::Kind::Sorted(members) => members.len(),
            data::Kind::Stream(stream) => stream.len(),
        };
        let named = data.names.list(now_ms);
        named.map(|(name, held)| (String::from_utf8_lossy(name).into_owned(), count(&held.kind))).collect()
    }

    fn data(&self) -> MutexGuard<'_, Database> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a data set, which every start and every promotion changes.
fn identity(chance: &mut fastrand::Rng) -> String {
    (0..40).map(|_| char::from_digit(chance.u32(..16), 16).unwrap_or('0')).collect()
}
