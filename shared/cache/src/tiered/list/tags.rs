//! Listing tags in their order, with how many entries have each: by the indexes of L2, which has one for each tag.
//!
//! L3 has no list of tags, and would have to be read as a whole for one. So what has no copy in L2 is not counted.

use crate::tiered::{
    TieredCache, ended,
    list::filling::Filling,
    list::merge::Merge,
    view::{Stop, View},
};
use crate::{
    level::Level,
    listing::{ListTags, Listing, Mark, TagCount},
    outcome::CacheError,
    redis::{Down, is_by_hash, listed_prefix, tags_found},
    selector::KeyRange,
    shard::SHARDS,
};

/// The set of all tags has the name of the empty tag, which no entry can have.
const ALL_TAGS: &str = "";
/// Ranges of indexes that one command counts: a millisecond of Redis or two.
const RANGES: usize = 250;

/// A tag, and how it stands in the list of all.
struct Found {
    listed: String,
    counted: TagCount,
}

impl TieredCache {
    /// A page of the tags that entries of `list` have in L2, in order by their bytes.
    ///
    /// # Errors
    /// When L2 cannot be reached, or is switched off.
    pub async fn list_tags(&self, list: &ListTags) -> Result<Listing<TagCount>, CacheError> {
        loop {
            if let Some(ended) = ended(self.view().list_tags(list).await) {
                return ended;
            }
        }
    }
}

impl View<'_> {
    async fn list_tags(&self, list: &ListTags) -> Result<Listing<TagCount>, Stop> {
        self.catch_up().await?;
        if !self.uses(Level::L2) {
            return Err(CacheError::unavailable(Level::L2, "it is switched off").into());
        }
        let Listing { found, next } = self.fill_tags(list).await.map_err(CacheError::from)?;
        Ok(Listing { found: found.into_iter().map(|found| found.counted).collect(), next })
    }

    async fn fill_tags(&self, list: &ListTags) -> Result<Listing<Found>, Down> {
        let prefix = listed_prefix(&list.prefix);
        let key_range = KeyRange { shard: 0, tag: Some(ALL_TAGS), prefix, exact: false };
        let at_once = (RANGES / list.within.prefixes().len()).max(1);
        let mut merge = Merge::new(list.from.as_ref().and_then(Mark::name_before));
        let mut page = Filling::new(list.limit);
        loop {
            let due = merge.due(page.missing());
            if due.is_empty() {
                return Ok(Listing { found: page.found, next: None });
            }
            // As many of each shard as are wanted: most tags are in all of them.
            for (shard, tags, next) in self.read_names(key_range, &due, page.missing()).await? {
                merge.add(shard, tags, next);
            }
            let taken: Vec<String> = merge.take().into_iter().map(|(tag, _)| tag).collect();
            for tags in taken.chunks(at_once) {
                page.found.extend(self.count_tags(list, tags).await?);
                let last = tags.last().map(|tag| Mark::behind(tag));
                let cut =
                    if page.is_full() { page.cut(|found| &found.listed) } else { last.filter(|_| page.is_spent()) };
                if let Some(next) = cut {
                    return Ok(page.end(next));
                }
            }
        }
    }

    /// Those of these tags that some entry has.
    async fn count_tags(&self, list: &ListTags, listed: &[String]) -> Result<Vec<Found>, Down> {
        let names: Vec<&str> = listed.iter().map(String::as_str).collect();
        let prefixes = list.within.prefixes();
        let commands = (0..SHARDS).map(|shard| self.setup.copies.tagged(shard, prefixes, &names)).collect();
        let whole = |listed: &String| (!is_by_hash(listed)).then(|| listed.clone());
        let mut sums: Vec<(u64, Option<String>)> = listed.iter().map(|listed| (0, whole(listed))).collect();
        for reply in self.bulk(commands).await? {
            for ((sum, tag), found) in sums.iter_mut().zip(tags_found(reply)?) {
                *sum += found.entries;
                *tag = tag.take().or(found.text);
            }
        }
        // One whose copies are all gone has no text any more.
        let found = listed.iter().zip(sums).filter_map(|(listed, (entries, tag))| {
            let counted = TagCount { tag: tag.filter(|tag| entries > 0 && tag.starts_with(&*list.prefix))?, entries };
            Some(Found { listed: listed.clone(), counted })
        });
        Ok(found.collect())
    }
}
