//! How a mutation is committed: the source of truth first, the journal second, L2 third, and a check of the journal last.

use crate::tiered::{
    sync::{Checked, unfinished::CopyWrite},
    undo::begin::Wish,
    view::View,
    write::{propagation::Propagation, together::Together, unannounced::Unannounced},
};
use crate::{
    clock::elapsed_ms,
    coherence::{AsOf, OPERATION_LIFE, Since},
    dynamo::{Before, KnownTags, Noted, RowWritten, Write, WriteRow},
    entry::Entry,
    key::Key,
    level::{Level, Levels},
    outcome::{CacheError, Path, Step},
    planted::{Bug, planted},
    quota::Share,
    record::Change,
    redis::{Command, Done, Down, Life, Outcome, Reply, WriteCopy, appended},
    selector::Undoable,
    source_of_truth::{Expected, SourceOfTruth},
    version::{Position, Version},
};
use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{BoxFuture, join, join3},
};
use std::sync::Arc;

/// A mutation under way.
pub(crate) struct Begun {
    pub(crate) as_of: AsOf,
    pub(crate) version: Version,
    /// Whether Redis could be asked.
    pub(crate) redis: bool,
    /// Whether the configuration is known to be in force.
    pub(crate) followed: bool,
    pub(crate) began_ms: i64,
    /// The same in steady ms.
    pub(crate) asked_ms: i64,
    /// What L3 said, where that had to be read first.
    pub(crate) before: Before,
    /// Whether own L1 held a live copy.
    pub(crate) held: bool,
    /// What Redis answered to what was asked besides.
    pub(crate) answers: Vec<Reply>,
}

/// What a mutation writes.
pub(crate) struct Plan<'a> {
    pub(crate) key: &'a Key,
    pub(crate) change: Change,
    /// Who asked for it.
    pub(crate) by: &'a str,
    /// The new value, and the levels to keep it in; `None` to delete.
    pub(crate) value: Option<(&'a Entry, &'a Bytes)>,
    pub(crate) expected: Expected,
    /// Whose stock the new value is in.
    pub(crate) share: Option<Share>,
    /// How a DELETE can be undone.
    pub(crate) undo: Option<(&'a Wish, &'a Undoable)>,
    /// The others that Redis is told of with it.
    pub(crate) together: Option<&'a Together>,
    /// What is known of the new value's tags in L3.
    pub(crate) tags: KnownTags<'a>,
}

/// How a mutation ended.
pub(crate) enum Ended {
    Done(Effect),
    /// Something newer than this version stands, or what was expected does not: begin anew.
    Overtaken(Version),
    /// It is written, but an invalidation or another mutation may have passed it: begin anew over what it wrote.
    Repeat {
        /// Whether it replaced a live value.
        replaced: bool,
    },
}

/// What a mutation did to the shared levels.
#[derive(Default)]
pub(crate) struct Effect {
    /// Where the new value is.
    pub(crate) stored: Levels,
    /// Where a live value was.
    pub(crate) was_live: Levels,
    /// The levels that value was put into.
    pub(crate) named: Levels,
    pub(crate) propagation: Propagation,
    /// It is a DELETE that can be undone.
    pub(crate) can_undo: bool,
}

impl View<'_> {
    /// On the heap: what a mutation needs for that is large, and of no use before.
    pub(crate) fn commit<'a>(
        &'a self,
        plan: &'a Plan<'_>,
        begun: &'a Begun,
        path: &'a mut Path,
    ) -> BoxFuture<'a, Result<Ended, CacheError>> {
        match self.source_of_truth() {
            SourceOfTruth::L3 => self.commit_to_l3(plan, begun, path).boxed(),
            SourceOfTruth::L2 => self.commit_to_l2(plan, begun, path).boxed(),
        }
    }

    /// L3, then the journal and L2.
    async fn commit_to_l3(&self, plan: &Plan<'_>, begun: &Begun, path: &mut Path) -> Result<Ended, CacheError> {
        let row = WriteRow {
            key: plan.key.as_str(),
            version: begun.version,
            content: plan.row_content(),
            expected: plan.expected,
            owner: plan.share.as_ref().map(|share| &*share.name),
            tags: plan.tags,
        };
        if u128::from(elapsed_ms(begun.asked_ms, self.clock.steady_ms())) > OPERATION_LIFE.as_millis() {
            return Err(CacheError::unavailable(Level::L3, "the operation took too long"));
        }
        let noted = !begun.redis && self.must_leave_note(begun.followed);
        let leaving = noted.then(|| self.begin_note());
        let unannounced = Unannounced::new(self, plan.key, begun.version);
        let write = async {
            match noted && !planted(Bug::OutageNoteNotLeft) {
                _ if begun.redis && planted(Bug::AcknowledgedWithoutL3) => {
                    Ok((RowWritten::Yes(Before::default()), false))
                }
                true => self.store.write_with_note(&row).await.map(|written| (written, false)),
                false if plan.undo.is_some() => self.store.write_kept(&row).await,
                false => self.store.write(&row).await.map(|written| (written, false)),
            }
        };
        let (written, ()) = join(write, self.store.drop_owed()).await;
        let propagation = if noted { Propagation::Note } else { Propagation::Nobody };
        let mut effect = Effect { propagation, ..Effect::default() };
        drop(leaving);
        let (replaced, kept) = match written {
            Ok((RowWritten::Newer(version), _)) => return Ok(overtaken_by(version, unannounced)),
            Ok((RowWritten::Unexpected, _)) => return Ok(overtaken_by(begun.version, unannounced)),
            Ok((RowWritten::Yes(before), kept)) => {
                // What was read before counts where the write does not tell.
                let before = if noted { begun.before.clone() } else { before };
                let replaced = before.clone();
                if noted {
                    self.store.count_gone(before.kept);
                }
                let before = self.unless_hidden(plan.key, before);
                effect.named = before.named;
                effect.was_live = if before.live { Levels::NONE.with(Level::L3) } else { Levels::NONE };
                if noted && self.uses(Level::L2) {
                    // L2 cannot be asked: what was put there is taken to have been there.
                    effect.was_live = effect.was_live.or(before.named.and(Levels::NONE.with(Level::L2)));
                }
                (replaced, kept)
            }
            Err(error) => {
                if !error.may_have_happened() {
                    unannounced.settle();
                }
                return Err(self.l3_failed(plan.key, path, error));
            }
        };
        path.l3 = Step::Hit;
        if plan.names(Level::L3) {
            effect.stored = effect.stored.with(Level::L3);
        }
        let stays = kept || (begun.redis && self.store.leave_replaced(plan.key.as_str(), &replaced));
        let dropped = async {
            if !stays {
                self.store.drop_replaced(plan.key.as_str(), &replaced).await;
            }
        };
        if !begun.redis {
            unannounced.settle();
            dropped.await;
            return Ok(Ended::Done(effect));
        }
        let undo = plan.undo.filter(|_| kept && replaced.live);
        let noted = async {
            match undo {
                Some(undo) => self.note_deleted(plan.key, begun.version, undo).await,
                None => false,
            }
        };
        let told_redis = self.commit_to_redis(plan, begun, effect, path, unannounced);
        let (ended, (), can_undo) = join3(told_redis, dropped, noted).await;
        ended.map(|ended| match ended {
            Ended::Done(effect) => Ended::Done(Effect { can_undo, ..effect }),
            other => other,
        })
    }

    /// The journal and L2, after L3. When Redis goes away in between, a note takes the journal's place.
    async fn commit_to_redis(
        &self,
        plan: &Plan<'_>,
        begun: &Begun,
        mut effect: Effect,
        path: &mut Path,
        unannounced: Unannounced<'_>,
    ) -> Result<Ended, CacheError> {
        let commands = [self.record(plan, begun), self.copy_command(plan, begun)];
        let replied = match self.tell(plan, begun, commands).await {
            Ok(checked) => {
                let since = checked.since();
                self.read_replies(checked.replies).map(|(recorded, outcome)| (recorded, outcome, since))
            }
            Err(down) => Err(down.into()),
        };
        let (recorded, outcome, since) = match replied {
            Ok(replied) => {
                unannounced.settle();
                replied
            }
            Err(cause) => {
                tracing::warn!(%cause, "redis was not told of a mutation: a note is left");
                path.l2 = Step::Unavailable;
                let left = self.leave_note(&plan.note(begun.version)).await;
                left.map_err(|error| self.l3_failed(plan.key, path, error))?;
                unannounced.settle();
                effect.propagation = Propagation::Note;
                if effect.stored.is_empty() && plan.value.is_some() {
                    return Err(CacheError::unavailable(Level::L2, cause));
                }
                return Ok(Ended::Done(effect));
            }
        };
        // An invalidation may have passed L3 before this value got there; or L3 only points to the copy in L2 that was
        // just taken back.
        // A fill is not repeated: it is older than whatever came.
        let is_fill = matches!(plan.expected, Expected::Claim(_));
        let must_repeat = match since {
            Since::Unchanged => false,
            _ if is_fill && plan.names(Level::L3) => false,
            Since::Changed => !plan.names(Level::L3),
            Since::Invalidated => true,
        };
        if must_repeat && plan.value.is_some() {
            return Ok(Ended::Repeat { replaced: outcome.was_live || !effect.was_live.is_empty() });
        }
        let unchanged = since == Since::Unchanged;
        path.l2 = Step::Hit;
        effect.propagation = Propagation::by_journal(recorded, unchanged || planted(Bug::StaleFillOfMemory));
        if outcome.was_live && !self.was_hidden(plan.key, &outcome) {
            effect.was_live = effect.was_live.with(Level::L2);
        }
        if plan.names(Level::L2) && outcome.done == Done::Yes && unchanged {
            effect.stored = effect.stored.with(Level::L2);
        }
        Ok(Ended::Done(effect))
    }

    /// L2, then the journal.
    async fn commit_to_l2(&self, plan: &Plan<'_>, begun: &Begun, path: &mut Path) -> Result<Ended, CacheError> {
        let commands = [self.copy_command(plan, begun), self.record(plan, begun)];
        let unannounced = Unannounced::new(self, plan.key, begun.version);
        let checked = self.tell(plan, begun, commands).await?;
        let since = checked.since();
        let mut replies = checked.replies;
        replies.reverse();
        let (recorded, outcome) =
            self.read_replies(replies).map_err(|cause| CacheError::unavailable(Level::L2, cause))?;
        unannounced.settle();
        match outcome.done {
            Done::Yes if since == Since::Invalidated && plan.value.is_some() => {
                return Ok(Ended::Repeat { replaced: outcome.was_live });
            }
            Done::Yes => {}
            Done::Late => return Err(CacheError::unavailable(Level::L2, "the operation took too long")),
            Done::Newer | Done::Unexpected | Done::Full => {
                return Ok(Ended::Overtaken(outcome.before.unwrap_or(begun.version)));
            }
        }
        path.l2 = Step::Hit;
        let l2 = Levels::NONE.with(Level::L2);
        Ok(Ended::Done(Effect {
            stored: if plan.names(Level::L2) { l2 } else { Levels::NONE },
            was_live: if outcome.was_live && !self.was_hidden(plan.key, &outcome) { l2 } else { Levels::NONE },
            named: outcome.named,
            propagation: Propagation::by_journal(recorded, since == Since::Unchanged),
            can_undo: false,
        }))
    }

    /// What a row said, or nothing where an open invalidation means it: that value has ceased to exist before it was
    /// replaced.
    fn unless_hidden(&self, key: &Key, before: Before) -> Before {
        let level = if before.live { Level::L3 } else { Level::L2 };
        let hidden = self.knowledge().masks(level, key, &before.tags, before.version);
        if hidden { Before::default() } else { before }
    }

    /// The same of the copy in L2 that was replaced, as far as its key tells: what L3 had of it is from before a switch, or
    /// an open invalidation means it.
    fn was_hidden(&self, key: &Key, outcome: &Outcome) -> bool {
        let floor = if self.source_of_truth() == SourceOfTruth::L3 { self.store.floors().l3 } else { Version::ZERO };
        let hidden = |version| version < floor || self.knowledge().masks(Level::L2, key, &[], version);
        outcome.before.is_some_and(hidden)
    }

    /// Tells Redis of it by two commands, the second after the first, and looks into the journal after them.
    async fn tell(&self, plan: &Plan<'_>, begun: &Begun, commands: [Command; 2]) -> Result<Checked, Down> {
        let written = plan.written(begun);
        match plan.together.filter(|together| together.goes_by(&self.setup)) {
            Some(together) => together.tell(&written, commands).await,
            None => self.then_check(&written, commands.into()).await,
        }
    }

    fn record(&self, plan: &Plan<'_>, begun: &Begun) -> Command {
        self.journal.append(self.operation(begun.as_of), plan.change, plan.key.as_str(), begun.version, plan.by)
    }

    /// Writes the copy in L2, or removes what is older where the plan does not name L2.
    fn copy_command(&self, plan: &Plan<'_>, begun: &Begun) -> Command {
        let operation = self.operation(begun.as_of);
        match plan.value {
            Some((entry, envelope)) if entry.levels.has(Level::L2) => {
                let copy = WriteCopy {
                    key: plan.key.as_str(),
                    version: begun.version,
                    as_of: begun.as_of.position,
                    certified_ms: begun.began_ms,
                    life: Life::of(entry),
                    envelope,
                    tags: &entry.tags,
                    levels: entry.levels,
                    distrusted: None,
                    expected: plan.expected,
                    share: plan.share.clone(),
                    room: None,
                };
                self.setup.copies.write(operation, &[copy])
            }
            _ => {
                let version = if planted(Bug::OlderCopyLeft) { Version::ZERO } else { begun.version };
                self.setup.copies.remove(operation, plan.key.as_str(), version)
            }
        }
    }

    /// Reads the replies to a record and a copy command, in that order: where the one is, and what the other did.
    fn read_replies(
        &self,
        replies: Vec<Reply>,
    ) -> Result<(Position, Outcome), Box<dyn std::error::Error + Send + Sync>> {
        let mut replies = replies.into_iter();
        let (Some(record), Some(copy)) = (replies.next(), replies.next()) else {
            return Err("redis left a command unanswered".into());
        };
        let record = appended(record).inspect_err(|down| self.link.note_refusal(down));
        let recorded = record?.ok_or("the operation took too long")?;
        Ok((recorded, Outcome::parse(copy)?))
    }
}

/// It is not written.
fn overtaken_by(version: Version, unannounced: Unannounced<'_>) -> Ended {
    unannounced.settle();
    Ended::Overtaken(version)
}

impl<'a> Plan<'a> {
    fn note(&self, version: Version) -> Noted {
        Noted::Changed { key: self.key.as_str().to_owned(), version }
    }

    fn written(&self, begun: &Begun) -> CopyWrite<'a> {
        let (tags, bytes): (&[Arc<str>], usize) =
            self.value.map_or((&[], 0), |(entry, envelope)| (&entry.tags, envelope.len()));
        CopyWrite { as_of: begun.as_of, key: self.key, tags, version: begun.version, bytes }
    }

    fn names(&self, level: Level) -> bool {
        self.value.is_some_and(|(entry, _)| entry.levels.has(level))
    }

    fn row_content(&self) -> Write<'a> {
        match self.value {
            None => Write::Gone,
            Some((entry, envelope)) if entry.levels.has(Level::L3) => Write::Value { entry, envelope },
            Some((entry, _)) => Write::Stub { entry },
        }
    }
}
