//! One operation's view of the cache: the configuration it began with.
//!
//! The configuration may change while operations are under way. Each takes it once and goes by it to its end, so that a
//! mutation never begins with one source of truth and ends with another. Where an operation learns of another
//! configuration before it did anything (every mutation begins with a sync, every read that is due as well), it begins
//! anew.

use super::TieredCache;
use crate::{
    cache_position::CachePosition,
    config::{Config, document::Document},
    entry::Entry,
    key::Key,
    level::Level,
    lock::whole,
    outcome::{CacheError, Path, Read, Step},
    redis::{Command, Copies, Down, Keyspace, Reply},
    source_of_truth::SourceOfTruth,
    version::Position,
};
use std::{
    ops::Deref,
    sync::{Arc, atomic::Ordering::Release},
    thread,
};

/// A configuration, and what follows from it.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) config: Arc<Config>,
    /// What of it was changed by the API.
    pub(super) document: Document,
    pub(super) source_of_truth: SourceOfTruth,
    /// Where a level was switched last.
    pub(super) switched: Position,
    pub(super) copies: Copies,
}

impl Setup {
    pub(super) fn new(config: Config, document: Document, switched: Position) -> Setup {
        let source_of_truth = if config.l3_config.enabled { SourceOfTruth::L3 } else { SourceOfTruth::L2 };
        let since = (source_of_truth == SourceOfTruth::L2).then_some(switched);
        let copies = Copies::new(Keyspace::new(&config), since);
        Setup { config: Arc::new(config), document, source_of_truth, switched, copies }
    }
}

/// The cache as one operation sees it.
pub(super) struct View<'a> {
    cache: &'a TieredCache,
    pub(super) setup: Arc<Setup>,
}

/// Why an operation does not come to an end.
#[derive(Debug)]
pub(super) enum Stop {
    /// Another configuration is in force: begin anew with that.
    Superseded,
    Failed(CacheError),
}

/// What an operation knows before it does anything.
#[derive(Debug)]
pub(super) struct CaughtUp {
    /// Whether the journal was read; for a mutation, whether it may be told as well.
    pub(super) synced: Result<(), Down>,
    /// Whether the configuration is known to be in force.
    pub(super) followed: bool,
    /// The replies to what was asked with the sync; none where that failed.
    pub(super) answers: Vec<Reply>,
}

impl From<CacheError> for Stop {
    fn from(error: CacheError) -> Stop {
        Stop::Failed(error)
    }
}

impl Deref for View<'_> {
    type Target = TieredCache;

    fn deref(&self) -> &TieredCache {
        self.cache
    }
}

impl Drop for View<'_> {
    /// Every operation has a view, and ends with it, if by a panic.
    fn drop(&mut self) {
        if thread::panicking() {
            self.cache.panicked.store(true, Release);
        }
    }
}

impl TieredCache {
    /// The cache under the configuration in force now.
    pub(super) fn view(&self) -> View<'_> {
        View { cache: self, setup: self.setup() }
    }

    /// The same, once it is known which one that is.
    pub(super) async fn caught_up(&self) -> Result<View<'_>, CacheError> {
        loop {
            let view = self.view();
            match view.catch_up().await {
                Ok(_) => return Ok(view),
                Err(Stop::Superseded) => {}
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
    }

    pub(super) fn setup(&self) -> Arc<Setup> {
        // One takes the place of another in one step.
        Arc::clone(&self.setup.enter(whole))
    }
}

impl View<'_> {
    pub(super) fn source_of_truth(&self) -> SourceOfTruth {
        self.setup.source_of_truth
    }

    pub(super) fn uses(&self, level: Level) -> bool {
        self.setup.config.enabled().has(level)
    }

    /// Fails when another configuration has come into force since this view was taken.
    pub(super) fn in_force(&self) -> Result<(), Stop> {
        if Arc::ptr_eq(&self.setup, &self.cache.setup()) { Ok(()) } else { Err(Stop::Superseded) }
    }

    /// Learns of every change that was acknowledged: by a sync, or else of the configuration by the control table.
    pub(super) async fn catch_up(&self) -> Result<CaughtUp, Stop> {
        self.catch_up_asking(Vec::new()).await
    }

    async fn catch_up_asking(&self, more: Vec<Command>) -> Result<CaughtUp, Stop> {
        let synced = match self.uses(Level::L2) {
            true => self.sync(more).await,
            false => Err(Down::Skipped),
        };
        let followed = synced.is_ok() || self.follow(0).await;
        self.in_force()?;
        let (synced, answers) = synced.map_or_else(|down| (Err(down), Vec::new()), |answers| (Ok(()), answers));
        Ok(CaughtUp { synced, followed, answers })
    }

    /// The same for a mutation, which may ask something besides: where Redis takes no writes it is as good as out of reach.
    pub(super) async fn catch_up_to_write(&self, more: Vec<Command>) -> Result<CaughtUp, Stop> {
        let mut caught_up = self.catch_up_asking(more).await?;
        if caught_up.synced.is_ok() && self.link.is_refusing() {
            caught_up.synced = Err(Down::Refusing);
        }
        Ok(caught_up)
    }

    /// Whether a mutation that the journal is not told of leaves a note: others may go by the journal.
    pub(super) fn owes_note(&self, followed: bool) -> bool {
        self.uses(Level::L2) || !followed || self.is_settling()
    }

    /// A path on which nothing has been asked yet.
    pub(super) fn path(&self) -> Path {
        let step = |level| if self.uses(level) { Step::Unasked } else { Step::Disabled };
        Path { l1: step(Level::L1), l2: step(Level::L2), l3: step(Level::L3) }
    }

    /// V in milliseconds.
    pub(super) fn revalidate_ms(&self) -> i64 {
        i64::try_from(self.setup.config.l2_config.revalidate_seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
    }

    /// A read as what its caller has seen wants it: with a sync where the journal is not known so far.
    pub(super) fn heed(&self, read: Read) -> Read {
        let Read { at_least, no_cache } = read;
        if no_cache || at_least.is_nothing() {
            return read;
        }
        let is_known = match self.uses(Level::L2) {
            true => {
                let knowledge = self.knowledge();
                at_least.is_read_at(knowledge.known()) && !at_least.may_lack_record(knowledge.time_ms())
            }
            // L1 is not older than Δ, and nobody else is asked.
            false => at_least.is_over(wall_ms(self.clock.now_ms()).saturating_sub(self.window_ms(read))),
        };
        Read { no_cache: !is_known, at_least }
    }

    /// Whether only the source of truth can tell, as far as the journal is known now, of all that a reader has seen.
    pub(super) fn journal_may_lack(&self, read: Read) -> bool {
        !read.at_least.is_nothing() && read.at_least.may_lack_record(self.knowledge().time_ms())
    }

    /// What has happened just now and has no record.
    pub(super) fn unrecorded_now(&self) -> CachePosition {
        CachePosition::unrecorded(wall_ms(self.clock.now_ms()).max(self.knowledge().time_ms()))
    }

    /// What whoever is told of a value has seen.
    pub(super) fn position_of(&self, key: &Key, entry: &Entry) -> CachePosition {
        let recorded = self.knowledge().position_of(key, entry.version);
        recorded.map_or_else(|| CachePosition::of_value(entry, 0), CachePosition::recorded)
    }

    /// Δ of a read, in milliseconds.
    pub(super) fn window_ms(&self, read: Read) -> u64 {
        if read.no_cache { 0 } else { self.setup.config.l1_config.coherence_window_ms }
    }

    /// Whether a read at steady time `now_ms` must sync, and where copies in L1 must be known to be good.
    pub(super) fn outlook(&self, now_ms: i64) -> (bool, Position) {
        let knowledge = self.knowledge();
        let window_ms = self.setup.config.l1_config.coherence_window_ms;
        (knowledge.is_due(i64::MIN, now_ms, window_ms), knowledge.settled())
    }

    pub(super) fn is_due(&self, known_ms: i64, now_ms: i64) -> bool {
        self.knowledge().is_due(known_ms, now_ms, self.setup.config.l1_config.coherence_window_ms)
    }
}

/// A time of the wall clock, in ms, which is after 1970.
fn wall_ms(now_ms: i64) -> u64 {
    u64::try_from(now_ms).unwrap_or_default()
}
