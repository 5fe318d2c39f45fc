//! Writing: the register first, the journal second, L2 third; then a look into the journal, own L1, and only then
//! the answer.

use super::{Source, TieredCache};
use crate::{
    Condition,
    codec::{self, Attributes, Payload},
    coherence::Stamp,
    dynamo::{Content, L3Error, Write, WriteRow, Written},
    entry::Entry,
    key::Key,
    level::{Level, Levels},
    outcome::{CacheError, Deleted, Path, Put, Step, Stored},
    record::Change,
    redis::{Command, Done, Found, Outcome, WriteCopy, appended},
    register::{Expected, Register},
    version::Version,
};
use bytes::Bytes;
use std::sync::Arc;

/// How often an operation begins anew when others overtake it.
const TRIES: usize = 6;

/// A mutation under way.
struct Begun {
    stamp: Stamp,
    version: Version,
    /// Whether Redis could be asked.
    redis: bool,
    began_ms: i64,
}

/// What a mutation writes.
struct Plan<'a> {
    key: &'a Key,
    change: Change,
    /// The new value, and the levels to keep it in; `None` to delete.
    value: Option<(&'a Entry, &'a Bytes)>,
    expected: Expected,
}

/// How a mutation ended.
enum Ended {
    Done(Effect),
    /// Something newer than this version stands, or what was expected does not: begin anew.
    Overtaken(Version),
}

/// What a mutation did to the shared levels.
#[derive(Default)]
struct Effect {
    /// Where the new value is.
    stored: Levels,
    /// Where a live value was.
    was_live: Levels,
    degraded: bool,
    /// Own L1 may hold the new value.
    may_fill: bool,
}

impl TieredCache {
    /// Stores a value. When this returns, every read that starts more than Δ later sees it or something newer.
    ///
    /// # Errors
    /// When the condition does not hold, or a level it needs cannot be reached; the mutation may have happened then
    /// if it was under way already.
    pub async fn put(&self, key: &Key, put: Put) -> Result<Stored, CacheError> {
        let named = put.levels.unwrap_or(Levels::ALL).and(self.config.enabled());
        let allowed = put.compress && self.config.l2_config.compression_enabled;
        let payload = Payload::new(put.text.clone(), &self.config.compression, allowed);
        let mut floor = Version::ZERO;
        for _ in 0..TRIES {
            let mut path = self.path();
            let begun = self.begin(key, floor, named, &mut path).await?;
            let (entry, envelope) = self.seal(&payload, &put, named, &begun);
            let expected = self.expectation(key, &put.condition, begun.redis).await?;
            let plan = Plan { key, change: Change::Put, value: Some((&entry, &envelope)), expected };
            match self.commit(&plan, &begun, &mut path).await? {
                Ended::Overtaken(version) => floor = version,
                Ended::Done(effect) => return Ok(self.stored(key, entry, &begun, effect, path)),
            }
        }
        Err(CacheError::Contended)
    }

    /// Deletes `key` from every level. When this returns, no read that starts more than Δ later sees its value.
    ///
    /// # Errors
    /// When a level it needs cannot be reached; the key may be deleted then if that was under way already.
    pub async fn delete(&self, key: &Key) -> Result<Deleted, CacheError> {
        let mut floor = Version::ZERO;
        for _ in 0..TRIES {
            let mut path = self.path();
            let begun = self.begin(key, floor, Levels::ALL, &mut path).await?;
            let plan = Plan { key, change: Change::Delete, value: None, expected: Expected::Anything };
            match self.commit(&plan, &begun, &mut path).await? {
                Ended::Overtaken(version) => floor = version,
                Ended::Done(effect) => {
                    let held = self.forget(key, &mut path);
                    let mut levels = effect.was_live;
                    if held || (!levels.is_empty() && self.uses(Level::L1)) {
                        levels = levels.with(Level::L1);
                    }
                    return Ok(Deleted { levels, degraded: effect.degraded, path });
                }
            }
        }
        Err(CacheError::Contended)
    }

    /// Syncs and takes a version greater than `floor`.
    async fn begin(
        &self,
        key: &Key,
        floor: Version,
        named: Levels,
        path: &mut Path,
    ) -> Result<Begun, CacheError> {
        let began_ms = self.clock.now_ms();
        let mut redis = false;
        if self.uses(Level::L2) {
            match self.sync(Vec::new()).await {
                Ok(_) => redis = true,
                Err(down) if self.register() == Register::L2 || !named.has(Level::L3) => {
                    return Err(CacheError::unavailable(Level::L2, down));
                }
                Err(_) => path.l2 = Step::Unavailable,
            }
        }
        let stamp = self.stamp();
        let mut version = Version::at(stamp.started_us, self.container).max(floor.next());
        if !redis {
            // Redis time cannot be asked: what it last said is not ahead of it, and L3 says what must be exceeded.
            let head = self.store.head(key.as_str()).await.map_err(|e| self.l3_failed(key, path, e))?;
            version = version.max(head.map_or(Version::ZERO, |head| head.version).next());
        }
        Ok(Begun { stamp, version, redis, began_ms })
    }

    fn seal(&self, payload: &Payload, put: &Put, named: Levels, begun: &Begun) -> (Entry, Bytes) {
        let attributes = Attributes {
            version: begun.version,
            created_at_ms: begun.began_ms,
            expires_at_ms: begun.began_ms + i64::from(put.ttl_seconds) * 1000,
            ttl_seconds: put.ttl_seconds,
            tags: put.tags.clone(),
            levels: named,
        };
        codec::encode(payload, attributes, self.config.serialization.format)
    }

    async fn commit(&self, plan: &Plan<'_>, begun: &Begun, path: &mut Path) -> Result<Ended, CacheError> {
        match self.register() {
            Register::L3 => self.commit_to_l3(plan, begun, path).await,
            Register::L2 => self.commit_to_l2(plan, begun, path).await,
        }
    }

    /// L3, then the journal and L2.
    async fn commit_to_l3(&self, plan: &Plan<'_>, begun: &Begun, path: &mut Path) -> Result<Ended, CacheError> {
        let row = WriteRow {
            key: plan.key.as_str(),
            version: begun.version,
            content: plan.row_content(),
            expected: plan.expected,
        };
        let noted = !begun.redis && self.uses(Level::L2);
        let written =
            if noted { self.store.write_with_note(&row).await } else { self.store.write(&row).await };
        let mut effect = Effect { degraded: noted, may_fill: !noted, ..Effect::default() };
        match written {
            Ok(Written::Newer(version)) => return Ok(Ended::Overtaken(version)),
            Ok(Written::Unexpected) => return Ok(Ended::Overtaken(begun.version)),
            Ok(Written::Yes { was_live: true }) => effect.was_live = Levels::NONE.with(Level::L3),
            Ok(Written::Yes { was_live: false }) => {}
            Err(error) => {
                self.warn_others(plan, begun).await;
                return Err(self.l3_failed(plan.key, path, error));
            }
        }
        path.l3 = Step::Hit;
        if plan.names(Level::L3) {
            effect.stored = effect.stored.with(Level::L3);
        }
        if !begun.redis {
            return Ok(Ended::Done(effect));
        }
        self.commit_to_redis(plan, begun, effect, path).await
    }

    /// The journal and L2, after L3. When Redis goes away in between, a note takes the journal's place.
    async fn commit_to_redis(
        &self,
        plan: &Plan<'_>,
        begun: &Begun,
        mut effect: Effect,
        path: &mut Path,
    ) -> Result<Ended, CacheError> {
        let commands = vec![self.record(plan, begun), self.copy_command(plan, begun)];
        let told = match self.then_check(plan.key, begun.stamp, begun.version, commands).await {
            Ok(checked) => self.told(checked.replies).map(|outcome| (outcome, checked.unchanged)),
            Err(down) => Err(down.into()),
        };
        let (outcome, unchanged) = match told {
            Ok(told) => told,
            Err(cause) => {
                tracing::warn!(%cause, "redis was not told of a mutation: a note is left");
                path.l2 = Step::Unavailable;
                let left = self.store.leave_note(plan.key.as_str(), begun.version).await;
                left.map_err(|error| self.l3_failed(plan.key, path, error))?;
                effect.degraded = true;
                effect.may_fill = false;
                if effect.stored.is_empty() && plan.value.is_some() {
                    return Err(CacheError::unavailable(Level::L2, cause));
                }
                return Ok(Ended::Done(effect));
            }
        };
        if !unchanged && plan.value.is_some() && !plan.names(Level::L3) {
            // L3 only points to the copy in L2 that was just taken back.
            return Ok(Ended::Overtaken(begun.version));
        }
        path.l2 = Step::Hit;
        effect.may_fill = unchanged;
        if outcome.was_live {
            effect.was_live = effect.was_live.with(Level::L2);
        }
        if plan.names(Level::L2) && outcome.done == Done::Yes && unchanged {
            effect.stored = effect.stored.with(Level::L2);
        }
        Ok(Ended::Done(effect))
    }

    /// L2, then the journal.
    async fn commit_to_l2(&self, plan: &Plan<'_>, begun: &Begun, path: &mut Path) -> Result<Ended, CacheError> {
        let commands = vec![self.copy_command(plan, begun), self.record(plan, begun)];
        let checked = self
            .then_check(plan.key, begun.stamp, begun.version, commands)
            .await
            .map_err(|down| CacheError::unavailable(Level::L2, down))?;
        let mut replies = checked.replies;
        replies.reverse();
        let outcome = self.told(replies).map_err(|cause| CacheError::unavailable(Level::L2, cause))?;
        match outcome.done {
            Done::Yes => {}
            Done::Late => return Err(CacheError::unavailable(Level::L2, "the operation took too long")),
            Done::Newer | Done::Unexpected => {
                return Ok(Ended::Overtaken(outcome.before.unwrap_or(begun.version)));
            }
        }
        path.l2 = Step::Hit;
        let l2 = Levels::NONE.with(Level::L2);
        Ok(Ended::Done(Effect {
            stored: if plan.names(Level::L2) { l2 } else { Levels::NONE },
            was_live: if outcome.was_live { l2 } else { Levels::NONE },
            degraded: false,
            may_fill: checked.unchanged,
        }))
    }

    fn record(&self, plan: &Plan<'_>, begun: &Begun) -> Command {
        self.journal.append(begun.stamp.started_us, plan.change, plan.key.as_str(), begun.version)
    }

    /// Writes the copy in L2, or removes what is older where the plan does not name L2.
    fn copy_command(&self, plan: &Plan<'_>, begun: &Begun) -> Command {
        match plan.value {
            Some((entry, envelope)) if entry.levels.has(Level::L2) => self.copies.write(&WriteCopy {
                key: plan.key.as_str(),
                started_us: begun.stamp.started_us,
                version: begun.version,
                stamp: begun.stamp.position,
                certified_ms: begun.began_ms,
                expires_at_ms: entry.expires_at_ms,
                envelope,
                distrusted: None,
                expected: plan.expected,
            }),
            _ => self.copies.remove(begun.stamp.started_us, plan.key.as_str(), begun.version),
        }
    }

    /// Reads the replies to a record and a copy command, in that order.
    fn told(&self, replies: Vec<crate::redis::Reply>) -> Result<Outcome, Box<dyn std::error::Error + Send + Sync>> {
        let mut replies = replies.into_iter();
        let (Some(record), Some(copy)) = (replies.next(), replies.next()) else {
            return Err("redis left a command unanswered".into());
        };
        appended(record)?.ok_or("the operation took too long")?;
        Ok(Outcome::parse(copy)?)
    }

    /// After a write to L3 whose end is not known: a record, so that no container trusts its copy of the key.
    async fn warn_others(&self, plan: &Plan<'_>, begun: &Begun) {
        if begun.redis
            && let Err(down) = self.ask(self.record(plan, begun)).await
        {
            tracing::debug!(%down, "redis was not told of a mutation whose end is not known");
        }
    }

    /// What the write must find for the condition to hold, or that it does not hold already.
    async fn expectation(&self, key: &Key, condition: &Condition, redis: bool) -> Result<Expected, CacheError> {
        if *condition == Condition::Always {
            return Ok(Expected::Anything);
        }
        let (expected, current) = self.current(key, redis).await?;
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => current.is_none(),
            Condition::Present => current.is_some(),
            Condition::Matches(checksums) => current.is_some_and(|checksum| checksums.contains(&checksum)),
        };
        if holds { Ok(expected) } else { Err(CacheError::PreconditionFailed) }
    }

    /// What stands for a key in the register, and the checksum of its live value.
    async fn current(&self, key: &Key, redis: bool) -> Result<(Expected, Option<u128>), CacheError> {
        let live = |entry: Entry| (!entry.is_expired(self.clock.now_ms())).then_some(entry.checksum);
        if self.register() == Register::L2 {
            let copy = self.copy_in_redis(key).await?;
            let checksum = copy.as_ref().and_then(|copy| self.decode(&copy.envelope)).and_then(live);
            let expected = match (copy, checksum) {
                (Some(copy), Some(_)) => Expected::Version(copy.version),
                (Some(_), None) => Expected::Anything,
                (None, _) => Expected::Absent,
            };
            return Ok((expected, checksum));
        }
        let row = self.store.read(key.as_str()).await.map_err(|e| CacheError::unavailable(Level::L3, e))?;
        let Some(row) = row else { return Ok((Expected::Absent, None)) };
        let checksum = match row.content {
            Content::Gone => None,
            Content::Value { envelope, .. } => self.decode(&envelope).and_then(live),
            Content::Elsewhere if redis => {
                let copy = self.copy_in_redis(key).await?.filter(|copy| copy.version == row.version);
                copy.and_then(|copy| self.decode(&copy.envelope)).and_then(live)
            }
            Content::Elsewhere => None,
        };
        Ok((Expected::Version(row.version), checksum))
    }

    async fn copy_in_redis(&self, key: &Key) -> Result<Option<Found>, CacheError> {
        let reply = self.ask(self.copies.read(key.as_str())).await.and_then(Found::parse);
        reply.map_err(|down| CacheError::unavailable(Level::L2, down))
    }

    fn decode(&self, envelope: &Bytes) -> Option<Entry> {
        codec::decode(envelope, self.config.max_entry_bytes()).ok()
    }

    fn stored(&self, key: &Key, entry: Entry, begun: &Begun, effect: Effect, mut path: Path) -> Stored {
        let held = self.forget(key, &mut path);
        let entry = Arc::new(entry);
        let mut levels = effect.stored;
        let source = Source {
            entry: Arc::clone(&entry),
            stamp: begun.stamp.position,
            certified_ms: begun.began_ms,
            read_at_ms: Some(begun.began_ms),
            reads: 0,
            last_read_ms: 0,
        };
        if effect.may_fill && self.fill(key, begun.stamp, &source).is_some() {
            levels = levels.with(Level::L1);
            path.l1 = Step::Hit;
        }
        let created = effect.was_live.is_empty() && !held;
        Stored { entry, created, levels, degraded: effect.degraded, path }
    }

    /// Drops the key from own L1; returns whether a live copy was there.
    fn forget(&self, key: &Key, path: &mut Path) -> bool {
        let held = self.memory.remove(key, self.clock.now_ms()).is_some();
        if self.uses(Level::L1) {
            path.l1 = if held { Step::Hit } else { Step::Miss };
        }
        held
    }

    fn l3_failed(&self, key: &Key, path: &mut Path, error: L3Error) -> CacheError {
        self.forget(key, path);
        path.l3 = Step::Unavailable;
        CacheError::unavailable(Level::L3, error)
    }
}

impl<'a> Plan<'a> {
    fn names(&self, level: Level) -> bool {
        self.value.is_some_and(|(entry, _)| entry.levels.has(level))
    }

    fn row_content(&self) -> Write<'a> {
        match self.value {
            None => Write::Gone,
            Some((entry, envelope)) if entry.levels.has(Level::L3) => Write::Value { entry, envelope },
            Some((entry, _)) => Write::Elsewhere { expires_at_ms: entry.expires_at_ms },
        }
    }
}
