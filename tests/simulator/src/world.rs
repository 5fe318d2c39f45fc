//! The world: its time, the servers, and what happens to messages on their way.

use crate::{mix::Mix, weather::Weather};
use fastrand::Rng;
use redis::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};
use strata_engines::{
    dynamo::Tables,
    redis::{Redis, Snapshot},
};
use tokio::time::Instant;

/// When every run begins, in milliseconds since the Unix epoch.
pub(crate) const ZERO_MS: i64 = 1_800_000_000_000;
pub(crate) const ENTRIES: &str = "cache_entries";
pub(crate) const CONTROL: &str = "cache_control";
/// How many pictures of what Redis holds are kept, to lose what came after one of them.
const PICTURES: usize = 8;

/// Everything that is not in a container.
#[derive(Debug)]
pub(crate) struct World {
    state: Mutex<State>,
    began: Instant,
}

/// What messages meet.
#[derive(Debug)]
pub(crate) struct State {
    redis: Redis,
    tables: Tables,
    pub(crate) rng: Rng,
    pub(crate) weather: Weather,
    /// Which server it is: connections to another one are broken.
    pub(crate) server: u64,
    /// How far the clock of that server is ahead, in ms.
    pub(crate) ahead_ms: i64,
    pictures: Vec<Snapshot>,
    /// The microsecond of the last command: no two have the same.
    last_us: i64,
    /// Commands and requests that were done.
    pub(crate) done: u64,
}

impl World {
    pub(crate) fn new(mix: &Mix, rng: &mut Rng) -> World {
        let mut tables = Tables::new([ENTRIES, CONTROL]);
        (tables.page_bytes, tables.batch_items) = (mix.page_bytes, mix.batch_items);
        let state = State {
            redis: Redis::new(rng.u64(..)),
            tables,
            weather: Weather::fine(mix.delay_ms),
            rng: rng.fork(),
            server: 0,
            ahead_ms: 0,
            pictures: Vec::new(),
            last_us: 0,
            done: 0,
        };
        World { state: Mutex::new(state), began: Instant::now() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long it has been going on, in ms.
    pub(crate) fn now_ms(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Has Redis do what commands say, one after another.
    pub(crate) fn redis(&self, commands: &[Vec<Vec<u8>>]) -> Vec<Value> {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let do_one = |command: &Vec<Vec<u8>>| {
            let at_us = ((ZERO_MS + now_ms + state.ahead_ms) * 1000).max(state.last_us + 1);
            state.last_us = at_us;
            state.done += 1;
            let parts: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
            state.redis.execute(at_us, &parts)
        };
        commands.iter().map(do_one).collect()
    }

    /// Removes all but so many records of the journal, as whoever has the keys of the server may.
    pub(crate) fn trim_journal(&self, kept: usize) {
        let names = self.state().redis.names(0);
        let journal = names.into_iter().find(|(name, _)| name.ends_with("{j}journal"));
        if let Some((journal, _)) = journal {
            let command = ["XTRIM", &journal, "MAXLEN", &kept.to_string()].map(|part| part.as_bytes().to_vec());
            self.redis(&[command.into()]);
        }
    }

    /// Removes what has expired from DynamoDB.
    pub(crate) fn sweep(&self) {
        let now_s = (ZERO_MS + self.now_ms()) / 1000;
        self.state().tables.sweep(now_s);
    }

    /// What the servers hold that is not there for good, in words.
    pub(crate) fn held(&self) -> Vec<String> {
        let now_ms = self.now_ms();
        let state = self.state();
        let now_ms = ZERO_MS + now_ms + state.ahead_ms;
        let rows = state.tables.keys().map(|(table, pk, sk)| format!("{table} {pk} {sk:?}"));
        let names = state.redis.names(now_ms).into_iter().map(|(name, count)| format!("redis {name} {count}"));
        rows.chain(names).collect()
    }

    /// Has DynamoDB do what a request says.
    pub(crate) fn dynamo(&self, target: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        state.done += 1;
        state.tables.handle(ZERO_MS + now_ms, target, body)
    }
}

impl State {
    /// Keeps a picture of what Redis holds.
    pub(crate) fn picture(&mut self) {
        if self.pictures.len() == PICTURES {
            self.pictures.remove(0);
        }
        self.pictures.push(self.redis.snapshot());
    }

    /// Another server takes the place of this one: with what this one held at some time, or with nothing.
    pub(crate) fn restart_redis(&mut self, is_empty: bool, ahead_ms: i64) {
        let kept = match self.pictures.len() {
            0 => None,
            count => Some(self.pictures.swap_remove(self.rng.usize(..count))),
        };
        self.redis.restart(kept.filter(|_| !is_empty));
        self.pictures.clear();
        self.server += 1;
        self.ahead_ms = ahead_ms;
        self.last_us = 0;
    }

    /// Everything is well again.
    pub(crate) fn clears(&mut self) {
        self.weather.clears();
        self.redis.refuse(None);
    }

    pub(crate) fn redis_mut(&mut self) -> &mut Redis {
        &mut self.redis
    }
}
