//! PATCH: the value that stands, written once more with another life or other tags; also by a read that puts off the end
//! of an entry whose life slides.
//!
//! It must not bring back what a mutation at the same time makes an end of, so it is none of its own: it replaces exactly
//! the version it has read, and its version is the one just above that. Whatever is to exceed a known version keeps a
//! greater distance, so that what is newer than the value is newer than this as well, whichever comes first: a PUT or
//! DELETE replaces it, and an invalidation hides and removes it as it would have the value before it. What gets in between
//! is read anew.
//!
//! An invalidation can pass it where it changes tags: by a tag it has no more, or has only now. Then it takes back what
//! it has written, as if the invalidation had come right behind it.

use crate::tiered::{
    TieredCache, ended,
    view::{Stop, View},
    write::TRIES,
    write::commit::{Begun, Ended, Plan},
    write::condition::Current,
};
use crate::{
    cache_position::CachePosition,
    codec::{self, Attributes, Payload},
    config::Format,
    dynamo::KnownTags,
    entry::Entry,
    key::Key,
    level::{Level, Levels},
    outcome::{CacheError, Hit, Path, Stored},
    patch::{Patch, Patched},
    planted::{Bug, planted},
    put::Put,
    quota::{name_of, share_of},
    record,
    redis::{Command, Reply, owner},
    sliding::Sliding,
    source_of_truth::{Expected, SourceOfTruth},
    tags::Tags,
    version::Version,
};
use bytes::Bytes;
use futures_util::FutureExt;
use std::sync::Arc;
use tokio::time::timeout;

/// What a PATCH is about to write, or has written when something made it begin anew.
struct Revision {
    entry: Entry,
    payload: Payload,
    /// In whose stock it is.
    owner: Option<Arc<str>>,
    /// The tags that the value had: an invalidation may mean it by these or by those it has.
    before: Tags,
}

/// What is to become of a value that stays.
#[derive(Clone, Copy)]
enum Change<'a> {
    /// What somebody asked for.
    Asked(&'a Patch),
    /// It was read: its end is put off.
    Read,
    /// It was loaded anew.
    Loaded(Renewal<'a>),
}

/// A value that takes the place of exactly the version that was there when its load began. So it is as good as that:
/// whatever makes an end of the one, makes an end of the other.
#[derive(Clone, Copy)]
struct Renewal<'a> {
    seen: Version,
    /// Its tags must be among those that the value had: by others nothing would have met that.
    put: &'a Put,
}

impl TieredCache {
    /// Changes what is said about the value of `key`, which stays as it is, as do its checksum and the time it was put;
    /// `None` when there is no value. When this returns, every read that starts more than Δ later sees it or something
    /// newer. What L1 alone holds is not found.
    ///
    /// # Errors
    /// When the condition does not hold, the entry would get too many tags, or a level it needs cannot be reached; it may
    /// have happened in the last case if it was under way already.
    pub async fn patch(&self, key: &Key, patch: &Patch) -> Result<Option<Patched>, CacheError> {
        let patched = self.revise(key, Change::Asked(patch)).await;
        self.count_mutation(patched, |patched| patched.as_ref().is_some_and(|patched| patched.degraded))
    }

    /// Puts off the end of an entry that was just read, where its life slides and that is near. What a read finds is true
    /// whatever comes of this.
    pub(crate) async fn put_off_end(&self, key: &Key, hit: &mut Hit) {
        let is_near = |sliding: Sliding| sliding.is_near(hit.entry.expires_at_ms, self.clock.now_ms());
        if hit.stale || !hit.entry.sliding.is_some_and(is_near) {
            return;
        }
        // A reader waits for L3 no longer than for any one answer of it.
        match timeout(self.store.timeout(), self.revise(key, Change::Read).boxed()).await {
            Ok(Ok(Some(Patched { entry, position, .. }))) if entry.checksum == hit.entry.checksum => {
                (hit.entry, hit.position) = (entry, position);
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(error = error.chain(), "the end of an entry that was read stays"),
            Err(_) => tracing::debug!("the end of an entry that was read may stay"),
        }
    }

    /// Puts a value in the place of exactly that version, which was there when its load began. It is not there where that is
    /// not there any more.
    pub(crate) async fn renew(&self, key: &Key, seen: Version, put: &Put) -> Result<Patched, CacheError> {
        let renewed = match self.revise(key, Change::Loaded(Renewal { seen, put })).boxed().await {
            Ok(Some(patched)) if !patched.levels.is_empty() => Ok(patched),
            Ok(_) => Err(CacheError::LeaseLost),
            Err(error) => Err(error),
        };
        self.count_mutation(renewed, |patched| patched.degraded)
    }

    async fn revise(&self, key: &Key, change: Change<'_>) -> Result<Option<Patched>, CacheError> {
        let mut written = None;
        loop {
            if let Some(ended) = ended(self.view().revise(key, change, &mut written).await) {
                return ended;
            }
        }
    }
}

impl View<'_> {
    async fn revise(
        &self,
        key: &Key,
        change: Change<'_>,
        written: &mut Option<Revision>,
    ) -> Result<Option<Patched>, Stop> {
        for _ in 0..TRIES {
            let mut path = self.path();
            let question = self.question_of(key, change);
            let begun = self.begin(key, Version::ZERO, Levels::ALL, (question, &mut false), &mut path).await?;
            let (expected, current) = self.current(key, begun.redis).await?;
            let revision = match written.take() {
                Some(own) if expected == Expected::Version(own.entry.version) && !self.is_meant(key, &own.entry) => own,
                // What stands now is newer, or an invalidation is about to remove this.
                Some(own) => return Ok(Some(own.passed(self.unrecorded_now(), path))),
                None => {
                    change.check(current.as_ref())?;
                    let Some(current) = current else { return Ok(None) };
                    let owner = change.owner(&current, &begun.answers);
                    match change.apply(&current.entry, begun.began_ms)? {
                        Some(entry) => {
                            let payload = self.payload_of(change, &current)?;
                            Revision::of(&current, (entry, payload), owner, self.setup.config.enabled())
                        }
                        None => {
                            let position = self.position_of(key, &current.entry);
                            return Ok(Some(unchanged(current.entry, position, path)));
                        }
                    }
                }
            };
            if self.is_meant(key, &revision.entry) {
                // By a new tag: the invalidation would remove what has it, though it was given only now.
                return Err(CacheError::Contended.into());
            }
            if let Some(patched) = self.replace(key, change, revision, (begun, expected), path, written).await? {
                return Ok(Some(patched));
            }
        }
        Err(CacheError::Contended.into())
    }

    /// Writes a revision in the place of what it was made of. `None` to begin anew: over what is left in `written`, if it
    /// was written.
    async fn replace(
        &self,
        key: &Key,
        change: Change<'_>,
        revision: Revision,
        (mut begun, mut expected): (Begun, Expected),
        mut path: Path,
        written: &mut Option<Revision>,
    ) -> Result<Option<Patched>, Stop> {
        if planted(Bug::PatchTakenForPut) {
            begun = self.begin(key, Version::ZERO, Levels::ALL, (Vec::new(), &mut false), &mut path).await?;
            expected = Expected::Anything;
        } else {
            begun.version = self.version_just_above(revision.entry.version);
        }
        let (entry, envelope) = revision.seal(begun.version, self.setup.config.serialization.format);
        let share = share_of(revision.owner.as_ref(), key, &entry, envelope.len());
        let counted = share.as_ref().filter(|_| begun.redis && entry.levels.has(Level::L2) && change.is_asked());
        let _admitted = counted.map(|share| self.allow_share_now(key, share, &begun.answers)).transpose()?;
        let keeps_tags = !entry.tags.is_empty() && entry.tags == revision.before;
        let tags = KnownTags::new(keeps_tags.then_some(revision.entry.version), expected, None);
        let (by, value) = (change.by(), Some((&entry, &envelope)));
        let plan =
            Plan { key, change: record::Change::Put, by, value, expected, share, undo: None, together: None, tags };
        let ended = self.commit(&plan, &begun, &mut path).await?;
        if let Ended::Overtaken(_) = ended {
            return Ok(None);
        }
        let is_invalidated = |tags| self.knowledge().is_invalidated(kept_in(&entry), key, tags, begun.as_of.position);
        if is_invalidated(&revision.before) || is_invalidated(&entry.tags) {
            self.withdraw(key, by, entry.version).await?;
            return Ok(Some(Revision { entry, ..revision }.passed(self.unrecorded_now(), path)));
        }
        let Ended::Done(effect) = ended else {
            *written = Some(Revision { entry, ..revision });
            return Ok(None);
        };
        let Stored { entry, levels, degraded, position, path, .. } = self.stored(key, entry, &begun, effect, path);
        Ok(Some(Patched { entry, changed: true, levels, degraded, position, path }))
    }

    /// What is asked of Redis before: whether there is room, or, where L3 cannot say it, in whose stock the entry is.
    fn question_of(&self, key: &Key, change: Change<'_>) -> Vec<Command> {
        match change {
            Change::Asked(patch) => self.stock_question_of_patch(key, patch),
            Change::Read if self.source_of_truth() == SourceOfTruth::L2 => vec![self.setup.copies.share(key.as_str())],
            Change::Read => Vec::new(),
            Change::Loaded(Renewal { put, .. }) => {
                self.stock_question(key, put, put.levels.unwrap_or(Levels::ALL).and(self.setup.config.enabled()), false)
                    .commands
            }
        }
    }

    /// What is written: what stands, or what was loaded, if it may be.
    fn payload_of(&self, change: Change<'_>, current: &Current) -> Result<Payload, CacheError> {
        let Change::Loaded(Renewal { put, .. }) = change else {
            return Ok(Payload::stored_in(&current.entry, &current.envelope));
        };
        self.allow(put)?;
        Ok(self.payload(put))
    }

    /// Whether an invalidation that is under way takes the entry for one that was there before it.
    fn is_meant(&self, key: &Key, entry: &Entry) -> bool {
        self.is_masked(kept_in(entry), key, entry)
    }

    /// Removes exactly the version that was written.
    async fn withdraw(&self, key: &Key, by: &str, version: Version) -> Result<(), Stop> {
        let mut path = self.path();
        let begun = self.begin(key, version, Levels::ALL, (Vec::new(), &mut false), &mut path).await?;
        let begun = Begun { version: self.version_just_above(version), ..begun };
        let plan = Plan {
            key,
            change: record::Change::Delete,
            by,
            value: None,
            expected: Expected::Version(version),
            share: None,
            undo: None,
            together: None,
            tags: KnownTags::default(),
        };
        // What stands in its place by now is newer than the invalidation, or its tombstone.
        self.commit(&plan, &begun, &mut path).await?;
        self.forget(key, &mut path);
        Ok(())
    }
}

impl Change<'_> {
    fn check(self, current: Option<&Current>) -> Result<(), CacheError> {
        match self {
            Change::Asked(patch) => patch.condition.check(current.map(|current| current.entry.checksum)),
            Change::Read => Ok(()),
            Change::Loaded(renewal) if current.is_some_and(|current| current.entry.version == renewal.seen) => Ok(()),
            Change::Loaded(_) => Err(CacheError::LeaseLost),
        }
    }

    /// The entry that this makes of `entry` at `now_ms`, with the same version; `None` where that changes nothing.
    fn apply(self, entry: &Entry, now_ms: i64) -> Result<Option<Entry>, CacheError> {
        match self {
            Change::Asked(patch) => patch.apply(entry, now_ms),
            Change::Read => {
                let near = entry.sliding.filter(|sliding| sliding.is_near(entry.expires_at_ms, now_ms));
                Ok(near.map(|sliding| Entry { expires_at_ms: sliding.end(now_ms), ..entry.clone() }))
            }
            Change::Loaded(Renewal { put, .. }) => Ok(Some(Entry {
                created_at_ms: now_ms,
                expires_at_ms: now_ms.saturating_add(put.life_ms()),
                ttl_seconds: put.ttl_seconds,
                sliding: None,
                grace_seconds: put.grace_seconds,
                tags: put.tags.as_slice().into(),
                levels: put.levels.unwrap_or(Levels::ALL),
                ..entry.clone()
            })),
        }
    }

    /// In whose stock it is from now on: who reads an entry does not take it over.
    fn owner(self, current: &Current, answers: &[Reply]) -> Option<Arc<str>> {
        match self {
            Change::Asked(patch) => name_of(&patch.api_key),
            Change::Read => current.owner.clone().or_else(|| owner(answers.first()?.clone())),
            Change::Loaded(Renewal { put, .. }) => name_of(&put.api_key),
        }
    }

    fn by(&self) -> &str {
        match self {
            Change::Asked(patch) => &patch.by,
            Change::Read => "",
            Change::Loaded(Renewal { put, .. }) => &put.by,
        }
    }

    fn is_asked(self) -> bool {
        !matches!(self, Change::Read)
    }
}

impl Revision {
    /// `current` as what it has become.
    fn of(current: &Current, (entry, payload): (Entry, Payload), owner: Option<Arc<str>>, enabled: Levels) -> Revision {
        Revision {
            payload,
            owner,
            before: Arc::clone(&current.entry.tags),
            entry: Entry { levels: entry.levels.and(enabled), ..entry },
        }
    }

    fn seal(&self, version: Version, format: Format) -> (Entry, Bytes) {
        let entry = &self.entry;
        let attributes = Attributes {
            version,
            created_at_ms: entry.created_at_ms,
            expires_at_ms: entry.expires_at_ms,
            ttl_seconds: entry.ttl_seconds,
            sliding: entry.sliding,
            grace_seconds: entry.grace_seconds,
            made_stale: entry.made_stale,
            tags: entry.tags.to_vec(),
            levels: entry.levels,
        };
        codec::encode(&self.payload, attributes, format)
    }

    /// The answer where it was written, and something came right behind it.
    fn passed(self, position: CachePosition, path: Path) -> Patched {
        Patched { entry: Arc::new(self.entry), changed: true, levels: Levels::NONE, degraded: false, position, path }
    }
}

fn unchanged(entry: Entry, position: CachePosition, path: Path) -> Patched {
    Patched { entry: Arc::new(entry), changed: false, levels: Levels::NONE, degraded: false, position, path }
}

/// The level that an entry ends with.
fn kept_in(entry: &Entry) -> Level {
    if entry.levels.has(Level::L3) { Level::L3 } else { Level::L2 }
}
