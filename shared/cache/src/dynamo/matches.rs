//! What an invalidation or a warm job finds in L3: rows by key prefix, and by tag through index rows.
//!
//! Index rows are written before the row they point to, under a name that the row says: one that points to a replaced
//! value misleads nobody, and goes with the table's time to live if not before.

use super::{
    Item,
    client::Store,
    doomed::{Buried, Doomed, Way},
    error::L3Error,
    head::{Head, Kind},
    number_of,
    row_state::RowKind,
    schema::{SEPARATOR, partition_name, tag_partition, tags_of},
    text, text_of,
};
use crate::{level::Level, selector::KeyRange, version::Version};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use std::sync::Arc;

/// Stands behind a key after which no index row of it comes, and none of another key before.
pub(super) const INDEX_END: char = '\u{2}';

/// Rows of one page: it is removed in a fraction of a second, after which a sweep may be cut off.
const PAGE_ROWS: i32 = 100;

/// A page of the rows to look for in one partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search<'a> {
    pub key_range: KeyRange<'a>,
    /// The sort key after which it begins.
    pub after: Option<&'a str>,
    /// Whether it matters which tags the values have.
    pub tags: bool,
}

/// How often the removal of a row begins anew because another has taken its place.
const REMOVE_TRIES: usize = 16;

/// A live value that was met.
#[derive(Debug)]
pub(crate) struct Live {
    /// Where it is: in L3, or where the row says that it is.
    pub level: Level,
    pub version: Version,
    /// Its tags, where they were read.
    pub tags: Vec<Arc<str>>,
    /// Whether it has a grace.
    pub has_grace: bool,
}

/// What went with a row that was removed.
#[derive(Debug, Default)]
pub(crate) struct Removed {
    /// A live value.
    pub live: Option<Live>,
    /// Its tombstone keeps it.
    pub is_kept: bool,
    /// A live value, which the row said to be in L2 alone.
    pub was_elsewhere: bool,
    /// By an attempt before, of this or of another index row of the same key: what it was is not known any more.
    pub was_before: bool,
}

/// A row that was found.
#[derive(Debug, Clone)]
pub(crate) struct Match {
    pub key: String,
    pub version: Version,
    /// The tags of its value, where they were asked for.
    pub tags: Vec<Arc<str>>,
    /// Whether it holds a live value; an index row does not know, and says yes.
    pub live: bool,
    /// Whether it says that a live value is in L2 instead; an index row does not know, and says no.
    pub elsewhere: bool,
    /// Whether it is a tombstone.
    pub gone: bool,
    /// Whether its value may have a grace; an index row does not know, and says yes.
    pub has_grace: bool,
    /// Of one that keeps a value, the version of that.
    pub born: Option<Version>,
}

impl Live {
    pub(super) fn of(head: &Head, level: Level, item: &Item) -> Live {
        let tags = tags_of(item).into_iter().map(Arc::from).collect();
        Live { level, version: head.version, tags, has_grace: head.has_grace() }
    }
}

impl Store {
    /// The rows of a page, read consistently, and the sort key after which the next one begins.
    pub(crate) async fn search(&self, search: Search<'_>) -> Result<(Vec<Match>, Option<String>), L3Error> {
        let query = self
            .rows_of(search)
            .await?
            .projection_expression(if search.tags {
                "sk, #v, #k, #x, #l, kept_until, born, tags"
            } else {
                "sk, #v, #k, #x, #l, kept_until, born"
            })
            .expression_attribute_names("#v", "version")
            .expression_attribute_names("#k", "kind")
            .expression_attribute_names("#x", "expires_at")
            .expression_attribute_names("#l", "levels")
            .limit(PAGE_ROWS);
        let found = query.customize().config_override(self.bulk()).send().await.map_err(|error| self.failed(error))?;
        let now_ms = self.clock.now_ms();
        let matches = found
            .items
            .into_iter()
            .flatten()
            .filter_map(
                |item| if search.key_range.tag.is_some() { self.index_row(&item) } else { self.row(&item, now_ms) },
            )
            .collect();
        let last = found.last_evaluated_key.as_ref().and_then(|item| text_of(item, "sk")).map(str::to_owned);
        Ok((matches, last))
    }

    /// The query for a page of a key range, with all that its rows say.
    pub(super) async fn rows_of(&self, search: Search<'_>) -> Result<QueryFluentBuilder, L3Error> {
        let KeyRange { shard, tag, prefix, exact } = search.key_range;
        let name = tag.map_or_else(|| partition_name(shard), |tag| tag_partition(shard, tag));
        let after = search.after.map(|sk| Item::from([("pk".to_owned(), text(&name)), ("sk".to_owned(), text(sk))]));
        let mut values = Item::from([(":pk".to_owned(), text(name))]);
        if !prefix.is_empty() {
            values.insert(":prefix".to_owned(), text(prefix));
        }
        let condition = match prefix {
            "" => "pk = :pk",
            _ if exact => "pk = :pk AND sk = :prefix",
            _ => "pk = :pk AND begins_with(sk, :prefix)",
        };
        Ok(self
            .client()
            .await?
            .query()
            .table_name(&self.entries)
            .key_condition_expression(condition)
            .set_expression_attribute_values(Some(values))
            .consistent_read(true)
            .set_exclusive_start_key(after))
    }

    /// Puts a tombstone in place of the row of `key` if it is doomed; returns what went.
    ///
    /// A tombstone and not nothing: a repetition of the PUT that wrote the row may still be on its way, from an attempt
    /// that was given up, and would find its place free.
    pub(crate) async fn remove(&self, key: &str, mut doomed: Doomed<'_>) -> Result<Removed, L3Error> {
        for _ in 0..REMOVE_TRIES {
            let buried = match doomed.way {
                Way::Bury => self.bury(key, doomed).await?,
                Way::Keep => self.keep(key, doomed.version.of_tombstone(), doomed.version.seen()).await?,
                Way::Strip(current) => self.strip(key, current, doomed.version.of_tombstone()).await?,
            };
            let before = match buried {
                Buried::Yes(before) if doomed.way == Way::Keep => {
                    self.count_gone(self.head_of(&before).kept());
                    return Ok(Removed { live: self.live_in(&before), is_kept: true, ..Removed::default() });
                }
                Buried::Yes(before) => before,
                Buried::No(current) => match current.and_then(|item| doomed.next(key, &item)) {
                    Some(next) => {
                        doomed = next;
                        continue;
                    }
                    None => return Ok(Removed::default()),
                },
                Buried::Before => {
                    let (level, version) = (Level::L3, doomed.version.of_tombstone());
                    let live = Live { level, version, tags: Vec::new(), has_grace: false };
                    let is_kept = doomed.way == Way::Keep;
                    return Ok(Removed { live: Some(live), is_kept, was_before: true, ..Removed::default() });
                }
            };
            return Ok(self.tidy_after(key, &before).await);
        }
        Err(L3Error::Failed("a row that is to be removed kept changing".into()))
    }

    /// The live value that the row of `key` holds, or says to be in L2, if its index rows have that name.
    pub(crate) async fn live(&self, key: &str, version: Version) -> Result<Option<Live>, L3Error> {
        let item = self.head_item(key).await?.filter(|item| Head::of(item).parts == version);
        Ok(item.and_then(|item| self.live_in(&item).or_else(|| self.elsewhere(&item))))
    }

    /// The tags of the value that the row of `key` says something of, if its index rows have that name.
    pub(crate) async fn tags_of(&self, key: &str, version: Version) -> Result<Option<Vec<Arc<str>>>, L3Error> {
        let item = self.head_item(key).await?.filter(|item| Head::of(item).parts == version);
        Ok(item.map(|item| tags_of(&item).into_iter().map(Arc::from).collect()))
    }

    /// The live value that an item holds.
    fn live_in(&self, item: &Item) -> Option<Live> {
        let head = self.head_of(item);
        head.is_live(self.clock.now_ms()).then(|| Live::of(&head, Level::L3, item))
    }

    /// The live value that an item says to be in L2.
    fn elsewhere(&self, item: &Item) -> Option<Live> {
        let head = self.head_of(item);
        head.is_in_l2(self.clock.now_ms()).then(|| Live::of(&head, Level::L2, item))
    }

    /// Drops the chunks and index rows of a row that is gone; returns what it held.
    async fn tidy_after(&self, key: &str, before: &Item) -> Removed {
        let head = self.head_of(before);
        self.count_gone(head.kept());
        let tags = tags_of(before);
        self.discard(key, head.parts, head.chunks, tags.iter().map(String::as_str)).await;
        let was_elsewhere =
            head.row_kind == RowKind::Stub && head.kind == Kind::Stub && !head.is_expired(self.clock.now_ms());
        Removed { live: self.live_in(before), was_elsewhere, ..Removed::default() }
    }

    pub(super) fn index_row(&self, item: &Item) -> Option<Match> {
        let (key, version) = text_of(item, "sk")?.split_once(SEPARATOR)?;
        let version = Version::parse(version)?;
        let gone = version < self.floors().l3;
        let (key, tags) = (key.to_owned(), Vec::new());
        Some(Match { key, version, tags, live: true, elsewhere: false, gone, has_grace: true, born: None })
    }

    fn row(&self, item: &Item, now_ms: i64) -> Option<Match> {
        let head = self.head_of(item);
        Some(Match {
            key: text_of(item, "sk")?.to_owned(),
            version: Version(number_of(item, "version")?),
            tags: tags_of(item).into_iter().map(Arc::from).collect(),
            live: head.is_live(now_ms),
            elsewhere: head.is_in_l2(now_ms),
            gone: head.kind == Kind::Gone,
            has_grace: head.has_grace(),
            born: head.born,
        })
    }
}
