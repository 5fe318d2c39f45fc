//! PATCH: the value that stands, written once more with another life or other tags.
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
    codec::{self, Attributes, Payload},
    config::Format,
    entry::Entry,
    key::Key,
    level::{Level, Levels},
    outcome::{CacheError, Path, Stored},
    patch::{Patch, Patched},
    planted::{Bug, planted},
    quota::{name_of, share_of},
    record::Change,
    source_of_truth::Expected,
    tags::Tags,
    version::Version,
};
use bytes::Bytes;
use std::sync::Arc;

/// What a PATCH is about to write, or has written when something made it begin anew.
struct Revision {
    entry: Entry,
    payload: Payload,
    /// The tags that the value had: an invalidation may mean it by these or by those it has.
    before: Tags,
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
        let mut written = None;
        loop {
            if let Some(ended) = ended(self.view().patch(key, patch, &mut written).await) {
                return self.count_mutation(ended, |patched| patched.as_ref().is_some_and(|patched| patched.degraded));
            }
        }
    }
}

impl View<'_> {
    async fn patch(&self, key: &Key, patch: &Patch, written: &mut Option<Revision>) -> Result<Option<Patched>, Stop> {
        for _ in 0..TRIES {
            let mut path = self.path();
            let question = self.stock_question_of_patch(key, patch);
            let begun = self.begin(key, Version::ZERO, Levels::ALL, (question, &mut false), &mut path).await?;
            let (expected, current) = self.current(key, begun.redis).await?;
            let revision = match written.take() {
                Some(own) if expected == Expected::Version(own.entry.version) && !self.is_meant(key, &own.entry) => own,
                // What stands now is newer, or an invalidation is about to remove this.
                Some(own) => return Ok(Some(own.passed(path))),
                None => {
                    patch.condition.check(current.as_ref().map(|current| current.entry.checksum))?;
                    let Some(current) = current else { return Ok(None) };
                    match patch.apply(&current.entry, begun.began_ms)? {
                        Some(entry) => Revision::of(&current, entry, self.setup.config.enabled()),
                        None => return Ok(Some(unchanged(current.entry, path))),
                    }
                }
            };
            if self.is_meant(key, &revision.entry) {
                // By a new tag: the invalidation would remove what has it, though it was given only now.
                return Err(CacheError::Contended.into());
            }
            if let Some(patched) = self.replace(key, patch, revision, (begun, expected), path, written).await? {
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
        patch: &Patch,
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
        let share = share_of(name_of(&patch.api_key).as_ref(), key, &entry, envelope.len());
        if let Some(share) = share.as_ref().filter(|_| begun.redis && entry.levels.has(Level::L2)) {
            self.allow_share(share, &begun.answers)?;
        }
        let (change, by, value) = (Change::Put, &*patch.by, Some((&entry, &envelope)));
        let ended = self.commit(&Plan { key, change, by, value, expected, share }, &begun, &mut path).await?;
        if let Ended::Overtaken(_) = ended {
            return Ok(None);
        }
        let is_invalidated = |tags| self.knowledge().is_invalidated(kept_in(&entry), key, tags, begun.as_of.position);
        if is_invalidated(&revision.before) || is_invalidated(&entry.tags) {
            self.withdraw(key, by, entry.version).await?;
            return Ok(Some(Revision { entry, ..revision }.passed(path)));
        }
        let Ended::Done(effect) = ended else {
            *written = Some(Revision { entry, ..revision });
            return Ok(None);
        };
        let Stored { entry, levels, degraded, path, .. } = self.stored(key, entry, &begun, effect, path);
        Ok(Some(Patched { entry, changed: true, levels, degraded, path }))
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
        let expected = Expected::Version(version);
        let plan = Plan { key, change: Change::Delete, by, value: None, expected, share: None };
        // What stands in its place by now is newer than the invalidation, or its tombstone.
        self.commit(&plan, &begun, &mut path).await?;
        self.forget(key, &mut path);
        Ok(())
    }
}

impl Revision {
    /// `current` as `entry`, which it has become.
    fn of(current: &Current, entry: Entry, enabled: Levels) -> Revision {
        let payload = Payload::stored_in(&current.entry, &current.envelope);
        Revision {
            payload,
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
            tags: entry.tags.to_vec(),
            levels: entry.levels,
        };
        codec::encode(&self.payload, attributes, format)
    }

    /// The answer where it was written, and something came right behind it.
    fn passed(self, path: Path) -> Patched {
        Patched { entry: Arc::new(self.entry), changed: true, levels: Levels::NONE, degraded: false, path }
    }
}

fn unchanged(entry: Entry, path: Path) -> Patched {
    Patched { entry: Arc::new(entry), changed: false, levels: Levels::NONE, degraded: false, path }
}

/// The level that an entry ends with.
fn kept_in(entry: &Entry) -> Level {
    if entry.levels.has(Level::L3) { Level::L3 } else { Level::L2 }
}
