//! What a PATCH asks of an entry, and what becomes of it: another life, other tags, and the value as it is.

use crate::{
    Condition, MAX_TAGS,
    cache_position::CachePosition,
    config::Refusal,
    entry::Entry,
    level::Levels,
    outcome::{CacheError, Path},
    sliding::Sliding,
};
use std::sync::Arc;

/// Changes to the metadata of a value. What is not set here stays.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    /// Time to live in seconds from now, 1 to [`crate::MAX_TTL_SECONDS`]; `None` leaves the expiry as it is.
    pub ttl_seconds: Option<u32>,
    /// Change the time to live only if the entry then expires later, or sooner; `None` for in any case.
    pub only: Option<Only>,
    /// Tags to add, after those it has.
    pub add_tags: Vec<Arc<str>>,
    /// Tags to remove.
    pub remove_tags: Vec<Arc<str>>,
    /// Under which condition.
    pub condition: Condition,
    /// Who requested it, for the journal; empty to name nobody.
    pub by: String,
    /// The API key whose [quota](crate::quota) it counts against from now on; empty for nobody's.
    pub api_key: String,
}

/// Which changes of the expiry are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// Those that postpone it.
    Longer,
    /// Those that bring it forward.
    Shorter,
}

/// What a PATCH did.
#[derive(Debug, Clone)]
pub struct Patched {
    /// The entry as it is now.
    pub entry: Arc<Entry>,
    /// Whether anything changed; otherwise nothing was written.
    pub changed: bool,
    /// The levels that it was written to; empty if an invalidation followed immediately.
    pub levels: Levels,
    /// As in [`crate::Stored::degraded`].
    pub degraded: bool,
    /// As in [`crate::Stored::position`].
    pub position: CachePosition,
    /// What each level did.
    pub path: Path,
}

impl Patch {
    /// The entry that this makes of `entry` at `now_ms`, with the same version; `None` where that changes nothing.
    pub(crate) fn apply(&self, entry: &Entry, now_ms: i64) -> Result<Option<Entry>, CacheError> {
        let lives = self.ttl_seconds.map(|ttl| (ttl, now_ms + i64::from(ttl) * 1000));
        let life = lives.filter(|(_, latest_ms)| match self.only {
            None => true,
            Some(Only::Longer) => *latest_ms > entry.latest_ms(),
            Some(Only::Shorter) => *latest_ms < entry.latest_ms(),
        });
        let tags = self.tags(&entry.tags)?;
        if life.is_none() && *tags == *entry.tags {
            return Ok(None);
        }
        let entry = Entry { tags: tags.into(), ..entry.clone() };
        let Some((ttl_seconds, latest_ms)) = life else { return Ok(Some(entry)) };
        let sliding = entry.sliding.map(|sliding| Sliding { latest_ms, ..sliding });
        let expires_at_ms = sliding.map_or(latest_ms, |sliding| sliding.end(now_ms));
        Ok(Some(Entry { ttl_seconds, expires_at_ms, sliding, ..entry }))
    }

    /// These tags, without those to be removed, and with those to be added.
    fn tags(&self, tags: &[Arc<str>]) -> Result<Vec<Arc<str>>, CacheError> {
        let kept = tags.iter().filter(|tag| !self.remove_tags.contains(tag));
        let added = self.add_tags.iter().filter(|tag| !tags.contains(tag));
        let tags: Vec<_> = kept.chain(added).cloned().collect();
        if tags.len() > MAX_TAGS {
            let message = format!("would give the entry {} tags, of at most {MAX_TAGS}", tags.len());
            return Err(CacheError::Refused(vec![Refusal { field: "add_tags", message }]));
        }
        Ok(tags)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Version, config::Format};
    use bytes::Bytes;

    const NOW_MS: i64 = 1_000_000;

    fn tags(tags: &[&str]) -> Vec<Arc<str>> {
        tags.iter().map(|tag| Arc::from(*tag)).collect()
    }

    /// An entry that lives for 60 s more, of the 100 it was given.
    fn entry() -> Entry {
        Entry {
            text: Bytes::from_static(b"1"),
            created_at_ms: NOW_MS - 40_000,
            expires_at_ms: NOW_MS + 60_000,
            ttl_seconds: 100,
            sliding: None,
            grace_seconds: 0,
            tags: tags(&["a", "b"]).into(),
            levels: Levels::ALL,
            version: Version(7),
            checksum: 5,
            compression: None,
            stored_bytes: 1,
            format: Format::Bincode,
        }
    }

    fn life(ttl_seconds: u32, only: Option<Only>) -> Option<(u32, i64)> {
        let patch = Patch { ttl_seconds: Some(ttl_seconds), only, ..Patch::default() };
        patch.apply(&entry(), NOW_MS).unwrap().map(|entry| (entry.ttl_seconds, entry.expires_at_ms - NOW_MS))
    }

    #[test]
    fn a_life_counts_from_now_and_is_changed_one_way_only_where_that_is_asked() {
        assert_eq!(life(10, None), Some((10, 10_000)));
        assert_eq!(life(10, Some(Only::Longer)), None);
        assert_eq!(life(10, Some(Only::Shorter)), Some((10, 10_000)));
        assert_eq!(life(61, Some(Only::Longer)), Some((61, 61_000)));
        assert_eq!(life(61, Some(Only::Shorter)), None);
        assert_eq!(
            (life(60, Some(Only::Longer)), life(60, Some(Only::Shorter))),
            (None, None),
            "the same end is neither"
        );
    }

    #[test]
    fn a_life_that_slides_goes_on_to_slide() {
        let sliding = Sliding { idle_seconds: 8, latest_ms: NOW_MS + 60_000 };
        let before = Entry { expires_at_ms: NOW_MS + 3_000, sliding: Some(sliding), ..entry() };
        let ends = |ttl_seconds, only| {
            let patch = Patch { ttl_seconds: Some(ttl_seconds), only, ..Patch::default() };
            let after = patch.apply(&before, NOW_MS).unwrap()?;
            Some((after.expires_at_ms - NOW_MS, after.latest_ms() - NOW_MS))
        };
        assert_eq!(ends(100, Some(Only::Longer)), Some((9_000, 100_000)));
        assert_eq!(ends(50, Some(Only::Longer)), None, "what would end later is its time to live");
        assert_eq!(ends(5, Some(Only::Shorter)), Some((5_000, 5_000)));
        let tagged = Patch { add_tags: tags(&["c"]), ..Patch::default() };
        assert_eq!(tagged.apply(&before, NOW_MS).unwrap().unwrap().expires_at_ms, before.expires_at_ms);
    }

    #[test]
    fn all_else_stays() {
        let before = entry();
        let patch = Patch { add_tags: tags(&["c", "a"]), remove_tags: tags(&["b", "x"]), ..Patch::default() };
        let after = patch.apply(&before, NOW_MS).unwrap().unwrap();
        assert_eq!(*after.tags, *tags(&["a", "c"]));
        assert_eq!(Entry { tags: before.tags.clone(), ..after }, before);
        let none = Patch { add_tags: tags(&["a"]), remove_tags: tags(&["x"]), ..Patch::default() };
        assert!(none.apply(&before, NOW_MS).unwrap().is_none());
    }

    #[test]
    fn no_entry_gets_too_many_tags() {
        let many: Vec<Arc<str>> = (0..MAX_TAGS - 1).map(|number| number.to_string().into()).collect();
        let patch = |remove: &[&str]| Patch { add_tags: many.clone(), remove_tags: tags(remove), ..Patch::default() };
        assert!(patch(&["a"]).apply(&entry(), NOW_MS).unwrap().is_some());
        let Err(CacheError::Refused(refusals)) = patch(&[]).apply(&entry(), NOW_MS) else { panic!("it is taken") };
        assert_eq!((refusals[0].field, refusals[0].message.contains("at most 50")), ("add_tags", true));
    }
}
