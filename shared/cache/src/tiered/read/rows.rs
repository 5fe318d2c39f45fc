//! The last part of reading many keys: what neither L1 nor L2 could answer is read from L3 at once, and brought up in one
//! round trip.

use crate::tiered::{
    read::newest::Newest,
    read::promote::{CALL_COPIES, outcomes},
    read::wanted::{Many, State},
    sync::After,
    view::View,
};
use crate::{
    coherence::{AsOf, Since},
    key::Key,
    level::Level,
    outcome::{CacheError, Read},
    redis::{Found, WriteCopy},
    shard::shard,
    source_of_truth::SourceOfTruth,
};

/// A value that L3 has given, on its way up.
struct Risen<'k> {
    at: usize,
    key: &'k Key,
    value: Newest,
    /// A copy in L2 that it takes the place of.
    distrusted: Option<Found>,
    in_reach: bool,
    /// Nothing has happened to it meanwhile.
    confirmed: bool,
}

impl View<'_> {
    /// Asks L3 for all keys that are open, and brings what it says up into L2 and L1.
    pub(crate) async fn get_many_from_source_of_truth(&self, many: &mut Many<'_>, read: Read) {
        let open = many.open();
        if open.is_empty() {
            return;
        }
        if !many.has_room() {
            return open.into_iter().for_each(|at| many.wanted[at].state = State::Left);
        }
        let as_of = self.as_of();
        let in_reach = open.iter().any(|at| many.wanted[*at].is_in_reach_of_redis());
        let known_ms = match self.learn_open_invalidations_for(read, in_reach).await {
            Ok(known_ms) => known_ms,
            Err(error) => return self.go_on_without_l3(many, &open, &error.chain()),
        };
        if self.source_of_truth() == SourceOfTruth::L2 {
            let stale = open.iter().filter_map(|at| Some((many.wanted[*at].key, many.wanted[*at].doubtful.take()?.0)));
            let stale: Vec<_> = stale.map(|(key, found)| (key, *found)).collect();
            self.drop_copies(as_of, &stale).await;
            return open.into_iter().for_each(|at| many.answer(at, Ok(None)));
        }
        let (asked_ms, read_at_ms) = (self.clock.now_ms(), self.clock.steady_ms());
        let keys: Vec<&Key> = open.iter().map(|at| many.wanted[*at].key).collect();
        let mut rows = match self.store.read_many(&keys, many.room(), read.until()).await {
            Ok(rows) => rows,
            Err(error) => return self.go_on_without_l3(many, &open, &CacheError::from(error).chain()),
        };
        let (mut risen, mut stale, mut room) = (Vec::new(), Vec::new(), Some(many.room()).filter(|_| many.has_room()));
        for at in open {
            let wanted = &mut many.wanted[at];
            let row = match rows.remove(wanted.key) {
                Some(Ok(row)) if room.is_some() => row,
                Some(Err(error)) => {
                    self.go_on_without_l3(many, &[at], &CacheError::from(error).chain());
                    continue;
                }
                _ => {
                    wanted.state = State::Left;
                    continue;
                }
            };
            let doubtful = wanted.doubtful.take();
            if let Some(answer) = self.answer_for_stub(wanted.key, row.as_ref(), known_ms, &mut wanted.path) {
                many.answer(at, answer);
                continue;
            }
            let value = self.newest(wanted.key, read, row, doubtful.as_ref(), &mut wanted.path);
            let value = value.filter(|value| !self.is_masked(value.level, wanted.key, &value.entry));
            let (key, in_reach) = (wanted.key, wanted.is_in_reach_of_redis());
            let distrusted = doubtful.map(|(found, _)| *found);
            match value {
                Some(value) => {
                    room = room.and_then(|room| room.checked_sub(value.entry.text.len()));
                    risen.push(Risen { at, key, value, distrusted, in_reach, confirmed: true });
                }
                None => {
                    stale.extend(distrusted.filter(|_| in_reach).map(|found| (key, found)));
                    many.answer(at, Ok(None));
                }
            }
        }
        self.drop_copies(as_of, &stale).await;
        self.promote_risen(as_of, asked_ms, &mut risen).await;
        for Risen { at, key, value, confirmed, .. } in risen {
            let source = value.source(as_of, asked_ms, read_at_ms.min(known_ms));
            let hit = match confirmed {
                _ if value.stale => self.hand_over_stale(key, source, value.level),
                true => self.deliver(key, as_of, source, value.level),
                false => self.hand_over(key, source, value.level),
            };
            many.answer(at, Ok(Some(hit)));
        }
    }

    /// Writes what L3 has confirmed into L2, checks the journal, and undoes what something has happened to meanwhile.
    async fn promote_risen(&self, as_of: AsOf, asked_ms: i64, risen: &mut [Risen<'_>]) {
        let is_kept = |risen: &&Risen<'_>| risen.value.entry.levels.has(Level::L2);
        let in_reach = || risen.iter().filter(|risen| risen.in_reach);
        let stale: Vec<_> = in_reach()
            .filter(|risen| !is_kept(risen))
            .filter_map(|risen| Some((risen.key, risen.distrusted.clone()?)))
            .collect();
        self.drop_copies(as_of, &stale).await;
        if self.link.is_refusing() {
            // Only what is written is looked after.
            return;
        }
        let mut kept: Vec<&Risen<'_>> = in_reach().filter(is_kept).collect();
        if kept.is_empty() {
            return;
        }
        kept.sort_by_key(|risen| shard(risen.key.as_str()));
        let copies: Vec<WriteCopy<'_>> =
            kept.iter().map(|risen| risen.value.copy(risen.key, as_of, asked_ms, risen.distrusted.as_ref())).collect();
        let same_shard = |a: &WriteCopy<'_>, b: &WriteCopy<'_>| shard(a.key) == shard(b.key);
        let calls: Vec<&[WriteCopy<'_>]> =
            copies.chunk_by(same_shard).flat_map(|copies| copies.chunks(CALL_COPIES)).collect();
        let operation = self.operation(as_of);
        let commands = calls.iter().map(|copies| self.setup.copies.write(operation, copies)).collect();
        let written: Vec<_> = kept.iter().map(|risen| risen.value.written(risen.key)).collect();
        let places: Vec<usize> = kept.iter().map(|risen| risen.at).collect();
        let confirmed: Vec<bool> = match self.then_check_all(&written, as_of, commands, After::All).await {
            Ok(checked) => {
                let replies = calls.iter().zip(checked.replies);
                let outcomes = replies.flat_map(|(copies, reply)| outcomes(reply, copies.len()));
                for ((written, since), outcome) in written.iter().zip(&checked.since).zip(outcomes) {
                    if let Some(outcome) = outcome.filter(|_| *since == Since::Unchanged) {
                        self.count_promotion(written.version, outcome);
                    }
                }
                checked.since.iter().map(|since| *since == Since::Unchanged).collect()
            }
            Err(down) => {
                tracing::debug!(%down, "promotions to L2 skipped");
                vec![false; places.len()]
            }
        };
        for (at, confirmed) in places.into_iter().zip(confirmed) {
            if let Some(risen) = risen.iter_mut().find(|risen| risen.at == at) {
                risen.confirmed = confirmed;
            }
        }
    }

    /// Removes copies that L3 does not confirm.
    pub(crate) async fn drop_copies(&self, as_of: AsOf, stale: &[(&Key, Found)]) {
        if stale.is_empty() || self.link.is_refusing() {
            return;
        }
        let operation = self.operation(as_of);
        let undo =
            |(key, found): &(&Key, Found)| self.setup.copies.undo(operation, key.as_str(), found.version, found.as_of);
        if let Err(down) = self.ask_all(stale.iter().map(undo).collect(), 0).await {
            tracing::debug!(%down, "stale copies in L2 are left to be found out again");
        }
    }

    /// L3 cannot be asked for these keys: whoever takes in need what has expired is given that, as far as L2 has it.
    fn go_on_without_l3(&self, many: &mut Many<'_>, places: &[usize], cause: &str) {
        for &at in places {
            let wanted = &mut many.wanted[at];
            let found = match wanted.kept.take() {
                Some(kept) => Ok(Some(self.answer_with(wanted.key, kept, &mut wanted.path))),
                None => Err(CacheError::unavailable(Level::L3, cause)),
            };
            many.answer(at, found);
        }
    }
}
