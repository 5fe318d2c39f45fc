//! Running warm jobs: what L3 has goes into L2 wave by wave, by the rules of a promotion.
//!
//! A wave reads several batches of keys, or pages of matches, at once; writes each into L2 while the others are still being
//! read; and checks the journal afterwards, as every promotion does: what was changed or invalidated in the meantime is taken
//! back and read again. So a wave can be repeated, and cut off anywhere. If Redis has lost its data (the journal has begun
//! another epoch), the job starts over.

use crate::tiered::{
    invalidate::sweep::Pace,
    jobs::{Halt, Lease},
    read::promote::{Failure, Load, Sum},
    view::View,
    warm::load::{Batch, Ground},
    warm::prefetch_queue::{has_room, worth_naming},
};
use crate::{
    job::{Counters, Job},
    key::Key,
    level::Level,
    outcome::CacheError,
    redis::Down,
    scan_checkpoint::Front,
    selector::{KeyRange, Selector},
    version::Position,
    warm::{Strategy, Warm},
};
use futures_util::future::{join, join_all};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::{
    sync::{Mutex, OnceCell},
    time::Instant,
};

/// Most entries of a wave of pages, whatever a job asks for: their keys fit into a checkpoint, an item of DynamoDB of at
/// most 400 KiB, when each must be loaded by itself. A page has at most a megabyte.
const WAVE_KEYS: usize = 500;
/// Most keys of one request that names them: it is answered by up to 400 KB for each.
const REQUEST_KEYS: usize = 25;
/// Most such requests at once.
const REQUESTS_AT_ONCE: usize = 4;
/// How often an entry is loaded by itself.
const TRIES: u8 = 3;
/// Least keys of a job whose throughput says something about that of the next one.
const MEASURED_KEYS: u64 = 100;
/// How long it is waited where there is nothing to be done but to wait.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked whether all is undone whose end is not known. Each time a hundred are.
const LOOKS: usize = 12;

/// How far a job has come.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// Keys of its list that are done.
    keys: usize,
    /// How far the key_ranges of its patterns are.
    front: Front,
    /// Entries to be loaded by themselves, and how often that was tried. Written down after the rest, where none of their
    /// characters takes more than it does in the key; read from the rest as well, where an earlier release has them.
    #[serde(skip_serializing, default)]
    single: Vec<(String, u8)>,
    /// Where the journal's epoch began under which it has come so far.
    epoch: String,
    /// How long it was worked on, in ms.
    spent_ms: u64,
    /// Entries to tell the fleet of in the end, and bytes of their envelopes.
    named: Vec<(String, usize)>,
}

/// What the batches of a wave share.
struct Wave<'a> {
    lease: &'a Lease,
    ground: Ground,
    /// Whether entries that only L2 has are named.
    name: bool,
    /// Whether the job is this container's.
    held: OnceCell<bool>,
    /// Whose turn it is to write.
    turn: Mutex<()>,
}

/// What a job means, and where it is looked for.
struct Plan {
    warm: Warm,
    selectors: Vec<Selector>,
}

impl View<'_> {
    /// Goes on with a warm job; returns whether nothing is left.
    pub(crate) async fn warm_part(&self, lease: &mut Lease, pace: Pace) -> Result<bool, Halt> {
        if !self.uses(Level::L2) {
            return Err(Halt::GivenUp("L2_REDIS is switched off, so that there is nothing to load into"));
        }
        let warm = lease.record.job.warm.clone().ok_or(Halt::GivenUp("it is a job of a later release"))?;
        self.undo_all_unfinished().await.map_err(CacheError::from)?;
        if self.is_settling() {
            // What is loaded while a switch of levels settles would have to be confirmed by L3 after.
            tokio::time::sleep(PAUSE).await;
            return Ok(false);
        }
        let plan = Plan::of(warm);
        let key_ranges = plan.key_ranges();
        let mut progress = Progress::of(lease);
        loop {
            self.begin_anew_after_loss(lease, &mut progress);
            let began = Instant::now();
            let wave = plan.next_wave(&key_ranges, &mut progress);
            if wave.is_empty() {
                return Ok(true);
            }
            let name = plan.warm.strategy != Strategy::Lazy && has_room(&progress.named());
            let sum = self.wave(lease, &wave, name).await?;
            progress.take(&wave, sum, name, &mut lease.record.job);
            progress.spent_ms += u64::try_from(began.elapsed().as_millis()).unwrap_or_default();
            lease.record.progress = progress.to_text();
            if pace.is_over() {
                return Ok(false);
            }
        }
    }

    /// Undoes the writes whose end is not known, and syncs: an undo that comes later would take away what was written
    /// again.
    pub(crate) async fn undo_all_unfinished(&self) -> Result<(), Down> {
        for _ in 0..LOOKS {
            self.sync(Vec::new()).await?;
            if !self.has_unfinished() {
                return Ok(());
            }
            tokio::time::sleep(PAUSE / 4).await;
        }
        Err(Down::Odd("writes whose end is not known are not undone"))
    }

    /// Where Redis may have lost what it had, all of it is loaded again; and counted again.
    fn begin_anew_after_loss(&self, lease: &mut Lease, progress: &mut Progress) {
        let epoch = self.knowledge().epoch();
        if Position::parse(&progress.epoch).is_none_or(|known| known < epoch) {
            *progress = Progress { epoch: epoch.to_string(), ..Progress::default() };
            lease.record.progress = progress.to_text();
            lease.record.job.counters = Counters::default();
            lease.record.job.errors.clear();
        }
    }

    /// Loads some batches, unless the job is somebody else's now, or was cancelled.
    async fn wave(&self, lease: &Lease, batches: &[Batch<'_>], name: bool) -> Result<Sum, Halt> {
        let ground = self.ground().await?;
        let wave = Wave { lease, ground, name, held: OnceCell::new(), turn: Mutex::new(()) };
        let loads = join_all(batches.iter().map(|batch| self.load(&wave, batch))).await;
        self.promoted(ground, loads).await
    }

    /// Loads a batch. Whose the job is, is asked once a wave, beside the reading, and known before anything is written.
    async fn load(&self, wave: &Wave<'_>, batch: &Batch<'_>) -> Result<Load, Halt> {
        let Wave { lease, ground, .. } = wave;
        let asked = wave.held.get_or_try_init(|| self.store.holds_job(&lease.record.job.id, &lease.owner));
        let (held, found) = join(asked, self.find(batch, wave.name)).await;
        if !*held.map_err(CacheError::from)? {
            return Err(Halt::Lost);
        }
        Ok(self.promote_all(*ground, &wave.turn, found?).await)
    }

    /// What is left to do once all is loaded: the fleet is told of it, and the throughput is remembered.
    pub(crate) async fn warmed(&self, lease: &Lease) -> Result<(), CacheError> {
        let progress = Progress::of(lease);
        self.broadcast(&progress.named()).await?;
        let done = lease.record.job.counters.done;
        if done >= MEASURED_KEYS {
            self.store.learn_warm_rate(done * 1000 / progress.spent_ms.max(1)).await?;
        }
        Ok(())
    }
}

impl Progress {
    fn of(lease: &Lease) -> Progress {
        Progress::read(&lease.record.progress).unwrap_or_default()
    }

    fn read(text: &str) -> Option<Progress> {
        let mut lines = text.split('\n');
        let mut progress: Progress = serde_json::from_str(lines.next()?).ok()?;
        for line in lines {
            let (tried, key) = line.split_once(' ')?;
            progress.single.push((key.to_owned(), tried.parse().ok()?));
        }
        Some(progress)
    }

    /// What [`Progress::read`] reads: JSON, which has no line feeds, and a line for each entry to be loaded by itself. No
    /// key has a line feed either.
    fn to_text(&self) -> String {
        let rest = serde_json::to_string(self).expect("texts and numbers are always JSON");
        self.single.iter().fold(rest, |text, (key, tried)| text + &format!("\n{tried} {key}"))
    }

    /// Takes in what came of a wave.
    fn take(&mut self, wave: &[Batch<'_>], mut sum: Sum, name: bool, job: &mut Job) {
        let tried = match wave {
            [Batch::One(_)] => self.single.pop().map_or(0, |(_, tries)| tries + 1),
            _ => 0,
        };
        for key in std::mem::take(&mut sum.single) {
            if tried < TRIES {
                self.single.push((key.to_string(), tried));
            } else {
                sum.fail(Failure::RetriesExhausted);
            }
        }
        self.keys += wave.iter().map(Batch::listed).sum::<usize>();
        sum.next.drain(..).for_each(|(number, last)| self.front.advance(number, last));
        if name {
            self.name(std::mem::take(&mut sum.loaded));
        }
        sum.add_to(job);
    }

    /// Remembers some more entries to tell the fleet of, as far as there is room.
    fn name(&mut self, loaded: Vec<(Key, usize)>) {
        let all: Vec<_> = self.named().into_iter().chain(loaded).collect();
        self.named = worth_naming(&all).into_iter().map(|(key, bytes)| (key.to_string(), bytes)).collect();
    }

    fn named(&self) -> Vec<(Key, usize)> {
        self.named.iter().filter_map(|(key, bytes)| Some((Key::new(key.as_str()).ok()?, *bytes))).collect()
    }
}

impl Plan {
    fn of(warm: Warm) -> Plan {
        let selectors = warm.patterns.iter().cloned().map(Selector::Pattern).collect();
        Plan { warm, selectors }
    }

    /// Where the patterns' keys lie, always in the same order.
    fn key_ranges(&self) -> Vec<(&Selector, KeyRange<'_>)> {
        let of = |selector| Selector::key_ranges(selector).into_iter().map(move |key_range| (selector, key_range));
        self.selectors.iter().flat_map(of).collect()
    }

    /// The batches to load now: entries by themselves, then those of the keys, then those of the patterns; none when all
    /// are done.
    fn next_wave<'a>(&'a self, key_ranges: &[(&'a Selector, KeyRange<'a>)], progress: &mut Progress) -> Vec<Batch<'a>> {
        if let Some(key) = progress.single.last().and_then(|(key, _)| Key::new(key.as_str()).ok()) {
            return vec![Batch::One(key)];
        }
        let Warm { batch_size, max_concurrent, .. } = self.warm;
        let keys = self.warm.keys.get(progress.keys..).unwrap_or_default();
        if !keys.is_empty() {
            let requests = keys.chunks(batch_size.min(REQUEST_KEYS)).take(max_concurrent.min(REQUESTS_AT_ONCE));
            return requests.map(Batch::Keys).collect();
        }
        let size = batch_size.min(WAVE_KEYS);
        let at_once = max_concurrent.min(WAVE_KEYS / size);
        let due = progress.front.due(key_ranges.len()).into_iter().take(at_once);
        due.map(|(number, after)| {
            let (selector, key_range) = key_ranges[number];
            Batch::Page { number, selector, key_range, after, size }
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        job::{JobState, WARM},
        key::MAX_KEY_BYTES,
        pattern::Pattern,
    };
    use std::collections::BTreeMap;

    fn plan(keys: usize, batch_size: usize, max_concurrent: usize) -> Plan {
        let keys = (0..keys).map(|i| Key::new(format!("k:{i}")).unwrap()).collect();
        let patterns = vec![Pattern::new("a:*").unwrap(), Pattern::new("b").unwrap()];
        Plan::of(Warm { keys, patterns, batch_size, max_concurrent, ..Warm::new("me") })
    }

    fn wave(plan: &Plan, progress: &mut Progress) -> Vec<usize> {
        let key_ranges = plan.key_ranges();
        plan.next_wave(&key_ranges, progress).iter().map(Batch::listed).collect()
    }

    fn pages(batch_size: usize, max_concurrent: usize) -> Vec<usize> {
        let plan = plan(0, batch_size, max_concurrent);
        let key_ranges = plan.key_ranges();
        let size = |batch: &Batch<'_>| match batch {
            Batch::Page { size, .. } => *size,
            _ => panic!("no key is named"),
        };
        plan.next_wave(&key_ranges, &mut Progress::default()).iter().map(size).collect()
    }

    #[test]
    fn a_wave_has_as_many_batches_as_asked_for_but_never_too_much_in_them() {
        assert_eq!(wave(&plan(120, 20, 2), &mut Progress::default()), [20, 20]);
        assert_eq!(wave(&plan(120, 50, 10), &mut Progress::default()), [25, 25, 25, 25]);
        assert_eq!(wave(&plan(120, 50, 10), &mut Progress { keys: 100, ..Progress::default() }), [20]);
        assert_eq!(pages(50, 10), [50; 10]);
        assert_eq!(pages(50, 100), [50; 10]);
        assert_eq!(pages(1000, 100), [500]);
        assert_eq!(pages(1, 100), [1; 16], "one of each partition");
    }

    #[test]
    fn an_entry_is_loaded_by_itself_so_often_and_then_given_up() {
        let (plan, key) = (plan(0, 1, 1), Key::new("large").unwrap());
        let key_ranges = plan.key_ranges();
        let mut progress = Progress { single: vec![("large".to_owned(), 0)], ..Progress::default() };
        let mut job = job();
        for _ in 0..TRIES {
            let wave = plan.next_wave(&key_ranges, &mut progress);
            assert!(matches!(&wave[..], [Batch::One(one)] if *one == key));
            assert_eq!(job.counters.failed, 0);
            let sum = Sum { single: vec![key.clone()], ..Sum::default() };
            progress.take(&wave, sum, false, &mut job);
        }
        assert_eq!((progress.single.len(), job.counters.failed), (0, 1));
        assert_eq!(job.errors.get("retries_exhausted"), Some(&1));
    }

    /// Most bytes of an item, with room for all that a job's item has besides.
    const ITEM_BYTES: usize = 400 * 1024 - 8 * 1024;

    #[test]
    fn the_largest_checkpoint_fits_into_an_item() {
        for worst in ["\"", "\\", "é", "x"] {
            let key = |number: usize| {
                let number = number.to_string();
                number.clone() + &worst.repeat((MAX_KEY_BYTES - number.len()) / worst.len())
            };
            let mut front = Front::default();
            front.due(800).into_iter().for_each(|(key_range, _)| front.advance(key_range, Some(key(key_range))));
            let named: Vec<_> = (0..WAVE_KEYS).map(|number| (Key::new(key(number)).unwrap(), 1)).collect();
            let mut largest = Progress { front, epoch: "9".repeat(40), ..Progress::default() };
            largest.name(named);
            largest.single = (0..WAVE_KEYS).map(|number| (key(number), TRIES)).collect();
            let text = largest.to_text();
            assert!(text.len() <= ITEM_BYTES, "{worst}: {}", text.len());
            let read = Progress::read(&text).unwrap();
            assert_eq!((read.single, read.front, read.named), (largest.single, largest.front, largest.named));
        }
    }

    #[test]
    fn what_an_earlier_release_wrote_down_is_read() {
        let text = r#"{"keys":3,"front":{"next":1,"under_way":{}},"single":[["a\"b",2]],"epoch":"1-0","spent_ms":4,"named":[]}"#;
        let read = Progress::read(text).unwrap();
        assert_eq!((read.keys, &read.single[..]), (3, &[("a\"b".to_owned(), 2)][..]));
        assert!(Progress::read("").is_none() && Progress::read("{}\nx").is_none(), "it begins anew");
    }

    fn job() -> Job {
        Job {
            id: String::new(),
            kind: WARM.to_owned(),
            state: JobState::Running,
            counters: Counters::default(),
            created_ms: 0,
            updated_ms: 0,
            run_at_ms: 0,
            started_ms: None,
            finished_ms: None,
            estimate: None,
            error: None,
            errors: BTreeMap::default(),
            warm: None,
            removes: None,
        }
    }

    #[test]
    fn the_patterns_follow_the_keys_stretch_by_stretch() {
        let plan = plan(3, 2, 4);
        let key_ranges = plan.key_ranges();
        let (mut progress, mut seen) = (Progress { keys: 3, ..Progress::default() }, Vec::new());
        loop {
            let wave = plan.next_wave(&key_ranges, &mut progress);
            let numbers = wave.iter().map(|batch| match batch {
                Batch::Page { number, .. } => *number,
                _ => panic!("the keys are done"),
            });
            let numbers: Vec<usize> = numbers.collect();
            assert!(numbers.len() <= 4);
            let Some(first) = numbers.first() else { break };
            progress.front.advance(*first, None);
            seen.push(*first);
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..17).collect::<Vec<_>>(), "sixteen for the prefix, one for the key");
    }
}
