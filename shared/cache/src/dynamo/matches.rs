//! What an invalidation or a warm job finds in L3: rows by key prefix, and by tag through index rows.
//!
//! Index rows are written before the row they point to and name its version, so that every value has its own: a row
//! that points to a replaced value misleads nobody, and goes with the table's time to live if not before.

use super::{
    Item,
    chunks::{chunk_keys, delete},
    client::Store,
    error::L3Error,
    head::{Head, Kind},
    number, number_of,
    schema::{SEPARATOR, index_key, partition_name, tag_partition, tags_of, tombstone},
    text, text_of,
};
use crate::{
    entry::Entry,
    selector::{KeyRange, Selector},
    version::Version,
};
use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{put_item::PutItemError, query::builders::QueryFluentBuilder},
    types::{PutRequest, ReturnValue, ReturnValuesOnConditionCheckFailure, WriteRequest},
};
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

/// Which row of a key to remove.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doomed<'a> {
    /// Which versions.
    pub version: Which,
    /// Only one that this means.
    pub selector: &'a Selector,
    /// Only one that says that the value is kept elsewhere: L3 itself is spared.
    pub markers: bool,
}

/// Which versions of a key to remove.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    /// Any that is older than this.
    Below(Version),
    /// The same, where the second was seen as the newest. What has taken its place may be the same value.
    SeenBelow(Version, Version),
    /// This one, which was seen as the newest, or what has taken its place.
    Seen(Version),
}

/// A live value that was met.
#[derive(Debug)]
pub(crate) struct Live {
    pub version: Version,
    /// Its tags, where they were read.
    pub tags: Vec<Arc<str>>,
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
    /// Whether it is a tombstone.
    pub gone: bool,
}

impl Store {
    /// The rows of a page, read consistently, and the sort key after which the next one begins.
    pub(crate) async fn search(&self, search: Search<'_>) -> Result<(Vec<Match>, Option<String>), L3Error> {
        let query = self
            .rows_of(search)
            .await?
            .projection_expression(if search.tags { "sk, #v, #k, #x, tags" } else { "sk, #v, #k, #x" })
            .expression_attribute_names("#v", "version")
            .expression_attribute_names("#k", "kind")
            .expression_attribute_names("#x", "expires_at")
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

    /// The query for a page of a stretch, with all that its rows say.
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

    /// Puts a tombstone in place of the row of `key` if it is doomed; returns the live value that went.
    ///
    /// A tombstone and not nothing: a repetition of the PUT that wrote the row may still be on its way, from an attempt
    /// that was given up, and would find its place free.
    pub(crate) async fn remove(&self, key: &str, mut doomed: Doomed<'_>) -> Result<Option<Live>, L3Error> {
        for _ in 0..REMOVE_TRIES {
            let before = match self.bury(key, doomed).await? {
                Buried::Yes(before) => before,
                Buried::No(standing) => match standing.and_then(|item| doomed.next(key, &item)) {
                    Some(next) => {
                        doomed = next;
                        continue;
                    }
                    None => return Ok(None),
                },
                Buried::Before => {
                    return Ok(Some(Live { version: doomed.version.of_tombstone(), tags: Vec::new() }));
                }
            };
            return Ok(self.tidy_after(key, &before).await);
        }
        Err(L3Error::Failed("a row that is to be removed kept changing".into()))
    }

    async fn bury(&self, key: &str, doomed: Doomed<'_>) -> Result<Buried, L3Error> {
        let (condition, values) = doomed.condition();
        let version = doomed.version.of_tombstone();
        let sent = self
            .client()
            .await?
            .put_item()
            .table_name(&self.entries)
            .set_item(Some(tombstone(key, version, self.clock.now_ms())))
            .condition_expression(condition)
            .expression_attribute_names("#v", "version")
            .expression_attribute_names("#k", "kind")
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match sent {
            Ok(removed) => Ok(removed.attributes.map_or(Buried::No(None), Buried::Yes)),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                let PutItemError::ConditionalCheckFailedException(refused) = error.into_err() else {
                    return Ok(Buried::No(None));
                };
                // Where this very tombstone stands, an attempt whose answer was lost has put it there.
                let head = refused.item.as_ref().map(Head::of);
                let is_own = head.is_some_and(|head| head.kind == Kind::Gone && head.version == version);
                Ok(if is_own { Buried::Before } else { Buried::No(refused.item) })
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The live value of exactly that version that the row of `key` holds.
    pub(crate) async fn live(&self, key: &str, version: Version) -> Result<Option<Live>, L3Error> {
        let item = self.head_item(key).await?;
        Ok(item.and_then(|item| self.live_in(&item)).filter(|live| live.version == version))
    }

    /// The tags of the value that the row of `key` says something of, if it is of exactly that version.
    pub(crate) async fn tags_of(&self, key: &str, version: Version) -> Result<Option<Vec<Arc<str>>>, L3Error> {
        let item = self.head_item(key).await?.filter(|item| Head::of(item).version == version);
        Ok(item.map(|item| tags_of(&item).into_iter().map(Arc::from).collect()))
    }

    /// The live value that an item holds.
    fn live_in(&self, item: &Item) -> Option<Live> {
        let head = self.head_of(item);
        let tags = || tags_of(item).into_iter().map(Arc::from).collect();
        head.is_live(self.clock.now_ms()).then(|| Live { version: head.version, tags: tags() })
    }

    /// Drops the chunks and index rows of a row that is gone; returns the live value it held.
    pub(super) async fn tidy_after(&self, key: &str, before: &Item) -> Option<Live> {
        let head = self.head_of(before);
        self.count_gone(head.kept());
        let tags = tags_of(before);
        self.discard(key, head.version, head.chunks, tags.iter().map(String::as_str)).await;
        self.live_in(before)
    }

    /// Drops what belongs to one version of a key. What is left over goes with the table's time to live.
    pub(super) async fn discard<'a>(
        &self,
        key: &str,
        version: Version,
        chunks: usize,
        tags: impl Iterator<Item = &'a str>,
    ) {
        let index = tags.map(|tag| index_key(key, version, tag));
        let requests = chunk_keys(key, version, chunks).chain(index).map(delete).collect();
        if let Err(error) = self.write_batches(&self.entries, requests).await {
            tracing::warn!(%error, "parts of a replaced value are left to the time to live");
        }
    }

    pub(super) fn index_row(&self, item: &Item) -> Option<Match> {
        let (key, version) = text_of(item, "sk")?.split_once(SEPARATOR)?;
        let version = Version::parse(version)?;
        let gone = version < self.floors().l3;
        Some(Match { key: key.to_owned(), version, tags: Vec::new(), live: true, gone })
    }

    fn row(&self, item: &Item, now_ms: i64) -> Option<Match> {
        let head = self.head_of(item);
        Some(Match {
            key: text_of(item, "sk")?.to_owned(),
            version: Version(number_of(item, "version")?),
            tags: tags_of(item).into_iter().map(Arc::from).collect(),
            live: head.is_live(now_ms),
            gone: head.kind == Kind::Gone,
        })
    }

    /// Writes the index rows of an entry's tags.
    pub(super) async fn write_index(&self, key: &str, entry: &Entry) -> Result<(), L3Error> {
        let ttl = number(entry.expires_at_ms / 1000 + 1);
        let requests = entry
            .tags
            .iter()
            .map(|tag| {
                let mut item = index_key(key, entry.version, tag);
                item.insert("ttl".to_owned(), ttl.clone());
                let put = PutRequest::builder().set_item(Some(item)).build().expect("the item is given");
                WriteRequest::builder().put_request(put).build()
            })
            .collect();
        self.write_batches(&self.entries, requests).await
    }
}

/// What came of an attempt to remove a row.
enum Buried {
    /// It is removed, and this is what it said.
    Yes(Item),
    /// It was removed by an attempt before, whose answer was lost.
    Before,
    /// It is not doomed. This stands there, as far as DynamoDB tells.
    No(Option<Item>),
}

impl Which {
    /// What is doomed is older than this, and its tombstone has this version.
    const fn of_tombstone(self) -> Version {
        match self {
            Which::Below(version) | Which::SeenBelow(version, _) => version,
            Which::Seen(version) => version.next(),
        }
    }
}

impl Doomed<'_> {
    fn condition(&self) -> (String, Item) {
        let mut values = Item::from([
            (":v".to_owned(), number(self.version.of_tombstone().0)),
            (":elsewhere".to_owned(), text("elsewhere")),
        ]);
        let mut condition = "#v < :v AND #k = :elsewhere".to_owned();
        if !self.markers {
            condition = "#v < :v AND (#k = :elsewhere OR #k = :value)".to_owned();
            values.insert(":value".to_owned(), text("value"));
        }
        if let Which::SeenBelow(_, seen) | Which::Seen(seen) = self.version {
            condition.push_str(" AND #v = :seen");
            values.insert(":seen".to_owned(), number(seen.0));
        }
        (condition, values)
    }

    /// The same for the row that stands in the place of the one that was seen, if it is doomed as well: the value may be
    /// the same, with other things said about it. Another is as old, or was put while this went on.
    fn next(&self, key: &str, standing: &Item) -> Option<Self> {
        let head = Head::of(standing);
        let version = match self.version {
            Which::Below(_) => return None,
            Which::SeenBelow(below, seen) if seen < head.version && head.version < below => {
                Which::SeenBelow(below, head.version)
            }
            Which::Seen(seen) if seen < head.version => Which::Seen(head.version),
            Which::SeenBelow(..) | Which::Seen(_) => return None,
        };
        let of_kind = head.kind == Kind::Stub || (head.kind == Kind::Value && !self.markers);
        let tags: Vec<Arc<str>> = tags_of(standing).into_iter().map(Arc::from).collect();
        (of_kind && self.selector.touches(key, &tags)).then_some(Doomed { version, ..*self })
    }
}
