//! The verdict: what a read finds that is made here and now, and why.
//!
//! It follows the read itself (`tiered`): the copy in L1 while the window lasts; else a sync and L2; else the source of
//! truth, which decides.

use super::{
    Prediction, Reason, Verdict,
    facts::{Asked, Certified, Facts, Held, Row, Says, Shared},
    past::Culprit,
};
use crate::{
    level::{Level, Levels},
    outcome::Mutation,
    source_of_truth::SourceOfTruth,
    version::Version,
};
/// Twice as long as any operation lives, in ms: what was recorded longer ago is in L2, and tombstones are not any more.
const OVER_MS: u64 = crate::coherence::HISTORY.as_secs() * 1000;

/// What the source of truth says of a key.
#[derive(Debug, Clone)]
pub(super) enum Newest {
    /// There is a value, in that level; and the levels that its PUT named.
    Live { version: Version, level: Level, levels: Levels },
    /// There is none, or none that a shared level could give; with the version that the source of truth has.
    Gone { version: Option<Version>, culprit: Culprit },
    /// It cannot be asked.
    NotKnown,
}

/// A verdict, what follows from it, and why.
type Judged = (Verdict, Prediction, (Option<Reason>, Option<Mutation>));

fn hit(level: Level) -> Judged {
    (Verdict::Hit, Prediction::Found(level), (None, None))
}

fn because(verdict: Verdict, prediction: Prediction, (reason, cause): Culprit) -> Judged {
    (verdict, prediction, (Some(reason), cause.map(|cause| *cause)))
}

impl Facts<'_> {
    pub(super) fn newest(&self) -> Newest {
        if self.past.has_unreadable_invalidation {
            return Newest::NotKnown;
        }
        match self.source_of_truth {
            SourceOfTruth::L3 => self.newest_by_l3(),
            SourceOfTruth::L2 => self.newest_by_l2(),
        }
    }

    fn newest_by_l3(&self) -> Newest {
        let gone = |version, reason| Newest::Gone { version, culprit: (reason, None) };
        let row = match &self.l3 {
            Asked::Disabled | Asked::Unavailable => return Newest::NotKnown,
            Asked::Said(None) if self.past.last.is_some() => return gone(None, Reason::Unknown),
            Asked::Said(None) => return gone(None, Reason::NeverStored),
            Asked::Said(Some(row)) => row,
        };
        let version = Some(row.version);
        if row.is_from_before {
            return gone(version, Reason::LevelDisabled);
        }
        match row.says {
            Says::Gone => Newest::Gone { version, culprit: self.past.left(row.version, self.key) },
            Says::Claimed => gone(version, Reason::Unknown),
            _ if self.now_ms >= row.expires_at_ms => Newest::Gone { version, culprit: self.ended(row) },
            Says::Value => match self.hidden(row, Level::L3) {
                Some(culprit) => Newest::Gone { version, culprit },
                None => Newest::Live { version: row.version, level: Level::L3, levels: row.levels },
            },
            Says::Stub => match self.hidden(row, Level::L2) {
                Some(culprit) => Newest::Gone { version, culprit },
                None => self.newest_elsewhere(row),
            },
        }
    }

    /// The value that L3 only points to.
    fn newest_elsewhere(&self, row: &Row) -> Newest {
        let gone = |culprit| Newest::Gone { version: Some(row.version), culprit };
        if !row.levels.has(Level::L2) {
            return gone((Reason::OtherLevels, None));
        }
        let copy = match &self.l2 {
            Asked::Disabled => return gone((Reason::LevelDisabled, None)),
            Asked::Unavailable => return Newest::NotKnown,
            Asked::Said(Some(Shared::Copy(copy, _))) if copy.version == row.version => copy,
            Asked::Said(_) => {
                let since = self.past.last.as_ref().filter(|last| last.greatest == row.version).map(|last| last.at);
                let swept = since.and_then(|at| self.past.swept(Level::L2, self.key, &row.tags, at));
                return gone(swept.map_or((Reason::EvictedHere, None), |swept| swept.culprit()));
            }
        };
        match self.past.swept(Level::L2, self.key, &copy.tags, copy.as_of) {
            Some(swept) => gone(swept.culprit()),
            None => Newest::Live { version: row.version, level: Level::L2, levels: row.levels },
        }
    }

    fn newest_by_l2(&self) -> Newest {
        let gone = |version, culprit| Newest::Gone { version, culprit };
        match &self.l2 {
            Asked::Disabled | Asked::Unavailable => Newest::NotKnown,
            Asked::Said(Some(Shared::Copy(copy, _))) => {
                let version = Some(copy.version);
                if self.now_ms >= copy.expires_at_ms {
                    return gone(version, (Reason::Expired, None));
                }
                if copy.as_of < self.past.switched {
                    return gone(version, (Reason::LevelDisabled, None));
                }
                match self.past.swept(Level::L2, self.key, &copy.tags, copy.as_of) {
                    Some(swept) => gone(version, swept.culprit()),
                    None => Newest::Live { version: copy.version, level: Level::L2, levels: copy.levels },
                }
            }
            Asked::Said(Some(Shared::Tombstone(version))) => {
                let put = self.past.put(*version).filter(|put| put.kind == "put");
                // A PUT that names other levels removes what is older.
                let culprit = match put {
                    Some(put) => (Reason::OtherLevels, Some(put)),
                    None => self.past.left(*version, self.key),
                };
                gone(Some(*version), culprit)
            }
            Asked::Said(Some(Shared::Unreadable) | None) => {
                let over_ms = self.past.now_ms.saturating_sub(OVER_MS);
                let culprit = match &self.past.last {
                    None => (Reason::NeverStored, None),
                    // What was removed since would have left a tombstone.
                    Some(last) => {
                        self.past.possible_culprit(self.key, last.at, over_ms).unwrap_or_else(|| match last.culprit() {
                            deleted @ (Reason::Deleted, _) => deleted,
                            // Whether its time was over, or Redis had no room for it, nobody has written down.
                            _ => (Reason::Unknown, None),
                        })
                    }
                };
                let version = self.past.last.as_ref().map(|last| last.greatest);
                gone(version, culprit)
            }
        }
    }

    /// Until when the newest value, which has expired, is there for readers who take that.
    pub(super) fn in_grace_until_ms(&self) -> Option<i64> {
        let copy = match self.l2.there() {
            Some(Shared::Copy(copy, _)) => Some(copy),
            _ => None,
        };
        let (expires_at_ms, kept_until_ms) = match self.source_of_truth {
            SourceOfTruth::L3 => {
                let row = self.l3.there().filter(|row| !row.is_from_before)?;
                let level = match row.says {
                    Says::Gone | Says::Claimed => return None,
                    Says::Value => Level::L3,
                    Says::Stub => copy.filter(|copy| copy.version == row.version).map(|_| Level::L2)?,
                };
                if self.hidden(row, level).is_some() {
                    return None;
                }
                (row.expires_at_ms, row.kept_until_ms)
            }
            SourceOfTruth::L2 => {
                let copy = copy.filter(|copy| copy.as_of >= self.past.switched)?;
                if self.past.swept(Level::L2, self.key, &copy.tags, copy.as_of).is_some() {
                    return None;
                }
                (copy.expires_at_ms, copy.kept_until_ms)
            }
        };
        (expires_at_ms..kept_until_ms).contains(&self.now_ms).then_some(kept_until_ms)
    }

    /// Why the life of a row's value is over.
    fn ended(&self, row: &Row) -> Culprit {
        match row.ended_at_ms {
            Some(ended_ms) => self.past.made_stale(self.key, &row.tags, ended_ms),
            None => (Reason::Expired, None),
        }
    }

    /// What hides a row whose value is kept in `level`.
    fn hidden(&self, row: &Row, level: Level) -> Option<Culprit> {
        let open = self.past.masks(level, self.key, &row.tags, row.version);
        match open {
            Some(open) => Some((Reason::HiddenByOpenInvalidation, open.culprit().1)),
            None => row.is_masked.then_some((Reason::HiddenByOpenInvalidation, None)),
        }
    }

    pub(super) fn verdict(&self, newest: &Newest) -> Judged {
        if let Some(held) = self.l1.there()
            && let Some(judged) = self.by_memory(held, newest)
        {
            return judged;
        }
        if let Some(judged) = self.by_redis(newest) {
            return judged;
        }
        match newest {
            Newest::Live { level, .. } => hit(*level),
            Newest::Gone { culprit, .. } if self.in_grace_until_ms().is_some() => {
                because(Verdict::Stale, Prediction::Absent, culprit.clone())
            }
            Newest::Gone { culprit, .. } => because(Verdict::Miss, Prediction::Absent, culprit.clone()),
            Newest::NotKnown => self.without_source_of_truth(),
        }
    }

    /// The verdict where L1 answers; `None` where it does not.
    fn by_memory(&self, held: &Held, newest: &Newest) -> Option<Judged> {
        let against = self.of_memory(held, newest);
        if !held.answers && against.is_err() && !self.is_pointed_at(held) {
            return None;
        }
        let stale = |culprit| Some(because(Verdict::Stale, Prediction::Found(Level::L1), culprit));
        match (newest, against) {
            (Newest::NotKnown, _) => Some(hit(Level::L1)),
            (Newest::Live { version, .. }, _) if *version == held.copy.version => Some(hit(Level::L1)),
            (Newest::Live { version, .. }, _) => stale((Reason::Overwritten, self.past.put(*version))),
            // Only other levels were meant, or it was put into this one alone.
            (Newest::Gone { .. }, Ok(())) => Some(hit(Level::L1)),
            (Newest::Gone { version, culprit }, Err((Reason::JournalGap | Reason::UnconfirmedCopy, _))) => {
                if *version == Some(held.copy.version) { Some(hit(Level::L1)) } else { stale(culprit.clone()) }
            }
            (Newest::Gone { .. }, Err(culprit)) => stale(culprit),
        }
    }

    /// The verdict where L2 answers although it does not decide; `None` where it does not answer.
    fn by_redis(&self, newest: &Newest) -> Option<Judged> {
        let Some(Shared::Copy(copy, certified_ms)) = self.l2.there() else { return None };
        let answers = self.source_of_truth == SourceOfTruth::L3 && !self.past.has_unreadable_invalidation;
        if !answers || self.of_shared(copy, *certified_ms).is_err() {
            return None;
        }
        Some(match newest {
            Newest::Live { version, .. } if *version != copy.version => {
                let culprit = (Reason::Overwritten, self.past.put(*version));
                because(Verdict::Stale, Prediction::Found(Level::L2), culprit)
            }
            _ => hit(Level::L2),
        })
    }

    /// Whether L3 points to that very value, and L2, which has it too, cannot be asked.
    fn is_pointed_at(&self, held: &Held) -> bool {
        let is_same = |row: &Row| row.says == Says::Stub && row.version == held.copy.version && !row.is_masked;
        matches!(self.l2, Asked::Unavailable) && held.is_settled && self.l3.there().is_some_and(is_same)
    }

    /// What speaks against the copy in L1 once it has been asked what happened.
    pub(super) fn of_memory(&self, held: &Held, newest: &Newest) -> Result<(), Culprit> {
        let copy = &held.copy;
        let by_journal = match (&self.l2, held.good_until) {
            (Asked::Said(_), Some(until)) => {
                self.past.of_copy(Level::L1, self.key, &copy.tags, copy.version, until.max(copy.as_of))
            }
            _ => Err((Reason::UnconfirmedCopy, None)),
        };
        let is_confirmed = match (newest, &self.l2) {
            (Newest::Live { version, .. }, Asked::Said(_)) => *version == copy.version && held.good_until.is_some(),
            // Nobody but L3 can say so, and it does of the version alone.
            (_, Asked::Disabled) => self.l3.there().is_some_and(|row| row.version == copy.version && !row.is_masked),
            _ => false,
        };
        match by_journal {
            Err((Reason::JournalGap | Reason::UnconfirmedCopy, _)) if is_confirmed => Ok(()),
            by_journal => by_journal,
        }
    }

    /// What speaks against the copy in L2.
    pub(super) fn of_shared(&self, copy: &Certified, certified_ms: i64) -> Result<(), Culprit> {
        if self.now_ms >= copy.expires_at_ms {
            return Err((Reason::Expired, None));
        }
        if self.source_of_truth == SourceOfTruth::L2 {
            return match self.newest_by_l2() {
                Newest::Gone { culprit, .. } => Err(culprit),
                _ => Ok(()),
            };
        }
        let known = self.past.of_copy(Level::L2, self.key, &copy.tags, copy.version, copy.as_of);
        let floor = self.past.floor.zip(self.past.swept).map(|(floor, swept)| floor.max(swept));
        let is_over = floor.is_some_and(|floor| floor.ms + OVER_MS <= self.past.now_ms);
        match known {
            // What the index does not reach back to has long ended, and is in L2.
            Err((Reason::JournalGap, _)) if is_over => self.of_certificate(copy, certified_ms),
            Err(culprit) => Err(culprit),
            Ok(()) => self.of_certificate(copy, certified_ms),
        }
    }

    fn of_certificate(&self, copy: &Certified, certified_ms: i64) -> Result<(), Culprit> {
        let is_old = self.now_ms.saturating_sub(certified_ms) > self.revalidate_ms;
        if is_old || copy.as_of < self.past.epoch { Err((Reason::UnconfirmedCopy, None)) } else { Ok(()) }
    }

    /// The verdict where whoever decides cannot be asked, and nobody else may answer.
    fn without_source_of_truth(&self) -> Judged {
        let shared = match self.l2.there() {
            Some(Shared::Copy(copy, certified_ms)) => self.of_shared(copy, *certified_ms).err(),
            _ => None,
        };
        let held = || self.of_memory(self.l1.there()?, &Newest::NotKnown).err();
        match shared.or_else(held) {
            Some(culprit) => because(Verdict::Stale, Prediction::Unavailable, culprit),
            None => because(Verdict::Miss, Prediction::Unavailable, (Reason::LevelUnavailable, None)),
        }
    }
}
