//! What a container knows of the journal, and which copies that lets it trust.

use crate::{
    rule::{Rule, Rules},
    scenario::{Scenario, SourceOfTruth},
    state::{Event, Index, OpenInvalidation, OwnCopy, Position, Record, Redis, SharedCopy, Version},
};

/// A container's knowledge.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Knowledge {
    /// The newest record read.
    pub cursor: Position,
    /// The window of recent changes holds every put and delete after this position.
    pub low_watermark: Position,
    /// The window of recent changes holds every invalidation after this position.
    pub swept: Position,
    /// Copies certified before this are not trusted.
    pub epoch: Position,
    /// The records known.
    pub recent_changes: Vec<Record>,
    /// The invalidations that were open at the last sync.
    pub open: Vec<OpenInvalidation>,
    /// Nobody has read the notes since this server began: a job's open invalidation may be missing.
    pub unread: bool,
    /// Redis time of the last sync.
    pub tick: u8,
    /// What was older than 2T at the last sync.
    pub aged: Position,
}

/// What a sync tells L1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncDelta {
    /// Drop everything.
    pub clear: bool,
    /// Doubt everything: what happened after this position is not known.
    pub gap: Option<Position>,
    /// Drop what was put or deleted by these.
    pub records: Vec<Record>,
}

impl Knowledge {
    /// What a container knows after a sync, and what is new to it.
    pub fn learn(
        before: Option<&Knowledge>,
        redis: &Redis,
        source_of_truth: SourceOfTruth,
        tick: u8,
        rules: Rules,
    ) -> (Knowledge, SyncDelta) {
        let follows = before.filter(|known| redis.journal.iter().any(|record| record.at == known.cursor));
        let epoch = redis.meta.map_or(0, |meta| meta.epoch);
        let (mut knowledge, records) = match follows {
            Some(known) => (known.clone(), redis.after(known.cursor)),
            None => Knowledge::after_gap(before, redis, epoch, rules),
        };
        let gap = if follows.is_some() { None } else { before.map(|known| known.cursor) };
        let mut clear = follows.is_none() && (before.is_none() || source_of_truth == SourceOfTruth::L2);
        for record in &records {
            knowledge.cursor = knowledge.cursor.max(record.at);
            match record.event {
                Event::Epoch if record.at > knowledge.epoch => {
                    knowledge.epoch = record.at;
                    clear = true;
                }
                Event::Epoch | Event::Others => {}
                _ => {
                    if !rules.has(Rule::EveryChangeKept) {
                        knowledge.recent_changes.clear();
                    }
                    knowledge.recent_changes.push(*record);
                }
            }
        }
        if epoch > knowledge.epoch {
            knowledge.epoch = epoch;
            clear = true;
        }
        knowledge.open.clone_from(&redis.open);
        knowledge.unread = redis.meta.is_none_or(|meta| meta.notes.is_none()) && rules.has(Rule::EpochReadsNotes);
        (knowledge.tick, knowledge.aged) = (tick, redis.aged);
        knowledge.prune();
        (knowledge, SyncDelta { clear, gap, records })
    }

    /// Goes on at the end of the journal, with the invalidations that the index has of what lies between.
    fn after_gap(before: Option<&Knowledge>, redis: &Redis, epoch: Position, rules: Rules) -> (Knowledge, Vec<Record>) {
        let end = redis.journal.last().map_or(epoch, |record| record.at);
        let index = redis.index.unwrap_or(Index { floor: end, ..Index::default() });
        let floor = if rules.has(Rule::IndexFloor) { index.floor } else { 0 };
        let cursor = before.map_or(0, |known| known.cursor);
        let mut recent_changes = before.map(|known| known.recent_changes.clone()).unwrap_or_default();
        recent_changes.retain(|record| record.event == Event::Invalidated);
        let mut records = Vec::new();
        if index.swept > cursor && rules.has(Rule::GapBringsInvalidations) {
            records.push(Record { at: index.swept, event: Event::Invalidated });
        }
        let knowledge = Knowledge {
            cursor: end,
            low_watermark: if rules.has(Rule::IndexAsked) { end } else { 0 },
            swept: before.filter(|_| floor <= cursor).map_or(floor, |known| known.swept),
            epoch: before.map_or(0, |known| known.epoch),
            recent_changes,
            open: Vec::new(),
            unread: false,
            tick: 0,
            aged: 0,
        };
        (knowledge, records)
    }

    /// Forgets what is older than 2T.
    fn prune(&mut self) {
        let aged = self.aged;
        for record in self.recent_changes.extract_if(.., |record| record.at <= aged) {
            let known_after =
                if record.event == Event::Invalidated { &mut self.swept } else { &mut self.low_watermark };
            *known_after = record.at.max(*known_after);
        }
    }

    /// Whether a copy in L2 may be returned without asking L3.
    ///
    /// `looked` is what the index said of the key, after the last sync or with it.
    pub fn trusts(&self, scenario: &Scenario, copy: &SharedCopy, looked: Option<&Index>) -> bool {
        if self.is_masked(copy.as_of) {
            return false;
        }
        let by_index = |index: &Index| {
            let floor = scenario.floor(index).max(self.swept);
            (copy.as_of >= floor || floor <= self.aged) && scenario.is_untouched(index, copy.version, copy.as_of)
        };
        scenario.source_of_truth == SourceOfTruth::L2
            || !self.covers(scenario, copy.version, copy.as_of)
                && copy.as_of >= self.epoch
                && (self.has_history(copy.as_of) || looked.is_some_and(by_index))
    }

    /// Whether what has happened since a position is in the window of recent changes, or was over before it began.
    pub fn has_history(&self, as_of: Position) -> bool {
        let low_watermark = self.low_watermark.max(self.swept);
        as_of >= low_watermark || low_watermark <= self.aged
    }

    /// Whether the index says that nothing has happened to a key since a position; `None` when it does not reach back.
    pub fn confirms(&self, scenario: &Scenario, index: &Index, version: Version, since: Position) -> Option<bool> {
        let floor = scenario.floor(index).max(self.swept).max(self.epoch);
        (since >= floor).then(|| scenario.is_untouched(index, version, since) && !self.is_masked(since))
    }

    /// Whether no invalidation means a copy in L1; `None` where some are forgotten that it was not compared with.
    pub fn spares(&self, rules: Rules, copy: &OwnCopy) -> Option<bool> {
        let since = copy.as_of.max(copy.unswept);
        let spared = !self.is_masked(since) || !rules.has(Rule::InvalidationsCompared);
        let known = !spared || since >= self.swept || !rules.has(Rule::InvalidationsForgotten);
        known.then_some(spared)
    }

    /// Forgets the invalidations: there were too many.
    pub fn forget_invalidations(&mut self) {
        self.recent_changes.retain(|record| record.event != Event::Invalidated);
        self.swept = self.cursor;
    }

    /// Whether a known record covers a copy.
    pub fn covers(&self, scenario: &Scenario, version: Version, as_of: Position) -> bool {
        self.recent_changes.iter().any(|record| scenario.covers(record, version, as_of))
    }

    /// Whether an invalidate, closed or open, covers a copy.
    pub fn is_masked(&self, as_of: Position) -> bool {
        self.recent_changes.iter().any(|record| record.event == Event::Invalidated && record.at > as_of)
            || self.open.iter().any(|open_invalidation| open_invalidation.at > as_of)
    }
}

impl OwnCopy {
    /// The same copy, of which nothing is known after the cursor.
    pub fn doubted(self, cursor: Position) -> OwnCopy {
        OwnCopy { doubt: self.doubt.or(Some(cursor)), ..self }
    }
}

impl Scenario {
    fn floor(&self, index: &Index) -> Position {
        if self.rules.has(Rule::IndexFloor) { index.floor } else { 0 }
    }

    fn is_untouched(&self, index: &Index, version: Version, since: Position) -> bool {
        let decides = if self.rules.has(Rule::GreatestVersion) { index.greatest } else { index.latest };
        index.last <= since || decides == version
    }

    /// Whether a record covers a copy: it came after the as-of position, and is not the copy's own put.
    pub fn covers(&self, record: &Record, version: Version, as_of: Position) -> bool {
        match record.event {
            Event::Epoch | Event::Others => false,
            Event::Invalidated => record.at > as_of,
            Event::Changed(changed)
                if self.source_of_truth == SourceOfTruth::L2 && !self.rules.has(Rule::CoverByPosition) =>
            {
                changed > version
            }
            Event::Changed(changed) => record.at > as_of && changed != version,
        }
    }
}

impl Redis {
    fn after(&self, cursor: Position) -> Vec<Record> {
        self.journal.iter().filter(|record| record.at > cursor).copied().collect()
    }
}
