//! The row of a key: its newest value, or what is known instead.

use super::{
    Item,
    client::{BULK_FACTOR, Store},
    conditional::ConditionalPut,
    error::L3Error,
    head::{Head, Kind, Until},
    number,
    row_state::RowState,
    schema::{
        INLINE_BYTES, KEEP_SECONDS, PARTS, inline_body, is_claim, owner_of, partition, row_key, tags_attribute,
        tags_of, tombstone,
    },
    tag_rows::{Ahead, KnownTags, PARTS_UNTIL, parts_until},
    text, text_of,
};
use crate::{entry::Entry, level::Levels, source_of_truth::Expected, stats::Kept, version::Version};
use aws_sdk_dynamodb::{
    primitives::Blob,
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// How often chunks are looked for again when an overwrite took them away between the row and them.
const READ_TRIES: usize = 3;

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Which mutation wrote it.
    pub version: Version,
    /// What it says.
    pub content: Content,
    /// In whose stock its value is in L2.
    pub owner: Option<Arc<str>>,
    /// What stands there, whatever it counts for.
    pub state: RowState,
}

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// The newest value, until `expires_at_ms`; or, for readers of what has expired, until its grace is over.
    Value { expires_at_ms: i64, envelope: Bytes },
    /// The newest value is not kept here, and lives until `expires_at_ms`.
    Stub { expires_at_ms: i64 },
    /// The key was deleted, or its value has expired.
    Gone,
}

/// A row to write.
#[derive(Debug)]
pub(crate) struct WriteRow<'a> {
    pub key: &'a str,
    pub version: Version,
    pub content: Write<'a>,
    pub expected: Expected,
    /// In whose stock the value is in L2.
    pub owner: Option<&'a str>,
    pub tags: KnownTags<'a>,
}

/// What to write.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Write<'a> {
    Value { entry: &'a Entry, envelope: &'a Bytes },
    Stub { entry: &'a Entry },
    Gone,
}

/// What a row said before it was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Before {
    pub version: Version,
    /// The tags of its value.
    pub tags: Vec<Arc<str>>,
    /// Whether it held a live value itself.
    pub live: bool,
    /// The levels that a live value, wherever it is kept, was put into.
    pub named: Levels,
    /// The value it held, live or not.
    pub kept: Option<Kept>,
    /// In how many chunks that value is.
    pub chunks: usize,
    /// The version after which those and its index rows are named.
    pub parts: Version,
    /// Those belong to what has taken its place.
    pub keeps_parts: bool,
}

/// What a write did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowWritten {
    /// The row is written; what stood there before.
    Yes(Before),
    /// A row of this version, which is not smaller, stands.
    Newer(Version),
    /// What was expected is not there.
    Unexpected,
}

impl Store {
    /// Reads the row of `key`, consistently, within the level's timeout; a value that has expired is gone.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<Row>, L3Error> {
        self.read_within(self.timeout(), key, Until::Expiry).await
    }

    /// The same, with what is there in its grace where that is asked for.
    pub(crate) async fn read_until(&self, key: &str, until: Until) -> Result<Option<Row>, L3Error> {
        self.read_within(self.timeout(), key, until).await
    }

    /// The same where nobody waits for it: within the time of an operation that carries chunks.
    pub(super) async fn read_for_long(&self, key: &str) -> Result<Option<Row>, L3Error> {
        self.read_within(self.timeout() * BULK_FACTOR, key, Until::Expiry).await
    }

    async fn read_within(&self, time: Duration, key: &str, until: Until) -> Result<Option<Row>, L3Error> {
        match tokio::time::timeout(time, self.read_whole(key, until)).await {
            Ok(read) => read,
            Err(elapsed) => Err(L3Error::Failed(elapsed.into())),
        }
    }

    async fn read_whole(&self, key: &str, until: Until) -> Result<Option<Row>, L3Error> {
        for _ in 0..READ_TRIES {
            let client = self.client().await?;
            let got = client
                .get_item()
                .table_name(&self.entries)
                .set_key(Some(row_key(key)))
                .consistent_read(true)
                .send()
                .await
                .map_err(|error| self.failed(error))?;
            let Some(item) = got.item else { return Ok(None) };
            let head = self.head_of(&item);
            match head.chunks {
                // Its chunks may have gone before it.
                _ if head.kind != Kind::Value || head.is_over(until, self.clock.now_ms()) => {
                    return Ok(Some(head.row(None, None)));
                }
                0 => {
                    let owner = owner_of(&item);
                    return Ok(Some(head.row(inline_body(item), owner)));
                }
                chunks => {
                    if let Some(envelope) = self.read_chunks(key, head.parts, chunks).await? {
                        return Ok(Some(head.row(Some(envelope), owner_of(&item))));
                    }
                }
            }
        }
        Err(L3Error::Failed("the chunks of a value kept changing".into()))
    }

    /// What the row of `key` says but for its value, consistently.
    pub(crate) async fn head(&self, key: &str) -> Result<Option<Head>, L3Error> {
        Ok(self.head_item(key).await?.map(|item| self.head_of(&item)))
    }

    /// The same as DynamoDB has it, with the tags of the value.
    pub(super) async fn head_item(&self, key: &str) -> Result<Option<Item>, L3Error> {
        let got = self
            .client()
            .await?
            .get_item()
            .table_name(&self.entries)
            .set_key(Some(row_key(key)))
            .projection_expression("#v, #k, #x, #g, ended_at, #l, #b, tags, parts, born, claim")
            .expression_attribute_names("#v", "version")
            .expression_attribute_names("#k", "kind")
            .expression_attribute_names("#x", "expires_at")
            .expression_attribute_names("#g", "kept_until")
            .expression_attribute_names("#l", "levels")
            .expression_attribute_names("#b", "bytes")
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| self.failed(error))?;
        Ok(got.item)
    }

    /// What a mutation that will replace the row of `key` wants to know of it, consistently.
    pub(crate) async fn before(&self, key: &str) -> Result<Option<Before>, L3Error> {
        let names = ["version", "kind", "expires_at", "levels", "bytes", "chunks", "tags", "parts", "born"];
        let read = self.client().await?.get_item().table_name(&self.entries).set_key(Some(row_key(key)));
        let got = read
            .projection_expression(names.map(|name| format!("#{name}")).join(", "))
            .set_expression_attribute_names(Some(names.map(|name| (format!("#{name}"), name.to_owned())).into()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| self.failed(error))?;
        Ok(got.item.map(|item| self.before_of(&item)))
    }

    pub(super) fn before_of(&self, item: &Item) -> Before {
        let tags = tags_of(item).into_iter().map(Arc::from).collect();
        self.head_of(item).before(tags, self.clock.now_ms())
    }

    /// Writes a row with all that belongs to it.
    pub(super) async fn write_whole(&self, row: &WriteRow<'_>) -> Result<RowWritten, L3Error> {
        let put = self.prepare(row).await?;
        let sent = self
            .client()
            .await?
            .put_item()
            .table_name(&self.entries)
            .set_item(Some(put.item))
            .condition_expression(put.condition)
            .set_expression_attribute_names(Some(put.names))
            .set_expression_attribute_values(put.values)
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match self.conditional(sent)? {
            Ok(put) => Ok(self.replaced(row, put.attributes)),
            Err(current) => self.refused(row, current).await,
        }
    }

    /// The item and its condition; chunks and index rows go ahead, because the row comes last.
    pub(super) async fn prepare(&self, row: &WriteRow<'_>) -> Result<ConditionalPut, L3Error> {
        let now_ms = self.clock.now_ms();
        let (entry, envelope) = match row.content {
            Write::Gone => return Ok(ConditionalPut::new(tombstone(row.key, row.version, now_ms), row)),
            Write::Value { entry, envelope } => (entry, Some(envelope)),
            Write::Stub { entry } => (entry, None),
        };
        let mut item = Item::from([
            ("pk".to_owned(), partition(row.key)),
            ("sk".to_owned(), text(row.key)),
            ("version".to_owned(), number(row.version.0)),
            ("kind".to_owned(), text(row.content.kind())),
            ("levels".to_owned(), number(entry.levels.bits())),
            ("created_at".to_owned(), number(entry.created_at_ms)),
            ("size".to_owned(), number(entry.text.len())),
            ("expires_at".to_owned(), number(entry.expires_at_ms)),
            ("ttl".to_owned(), number((now_ms / 1000 + KEEP_SECONDS).max(entry.kept_until_ms() / 1000 + 1))),
        ]);
        item.extend((entry.grace_seconds > 0).then(|| ("kept_until".to_owned(), number(entry.kept_until_ms()))));
        if let Some(owner) = row.owner {
            item.insert("owner".to_owned(), text(owner));
        }
        if let Some(envelope) = envelope {
            item.insert("bytes".to_owned(), number(envelope.len()));
        }
        match envelope {
            Some(envelope) if envelope.len() > INLINE_BYTES => {
                let chunks = self.write_chunks(row.key, row.parts(), entry, envelope).await?;
                item.insert("chunks".to_owned(), number(chunks));
            }
            Some(envelope) => {
                item.insert("body".to_owned(), AttributeValue::B(Blob::new(envelope.to_vec())));
            }
            None => {}
        }
        if !entry.tags.is_empty() {
            let until = row.ahead().map_or_else(|| parts_until(entry), Ahead::until);
            // Those of a fill are there since it claimed the row.
            if row.ahead().is_none() && !matches!(row.expected, Expected::Claim(_)) {
                self.write_index(row.key, row.parts(), &entry.tags, until).await?;
            }
            item.insert("tags".to_owned(), tags_attribute(&entry.tags));
            item.insert(PARTS.to_owned(), number(row.parts().0));
            item.insert(PARTS_UNTIL.to_owned(), number(until));
        }
        if let Some(ahead) = row.ahead() {
            ahead.used();
        }
        Ok(ConditionalPut::new(item, row))
    }

    /// Why a conditional write was refused; its own chunks and index rows are of no use then.
    ///
    /// When exactly this row stands, the refused request is the repetition of one whose answer was lost.
    pub(super) async fn refused(&self, row: &WriteRow<'_>, current: Option<Item>) -> Result<RowWritten, L3Error> {
        if current.as_ref().is_some_and(|item| row.is(item)) {
            // What stood there before is not known any more; a DELETE that may have found something says it did.
            self.count(row);
            let live = matches!(row.content, Write::Gone);
            return Ok(RowWritten::Yes(Before { live, ..Before::default() }));
        }
        let current = match current {
            Some(item) => Some(Head::of(&item)),
            None => self.head(row.key).await?,
        };
        // What has the name of what stands belongs to that: to this very row, whose answer was lost, to the tombstone that
        // keeps its value since, or to a value that keeps its tags.
        let stands = current.is_some_and(|head| head.version == row.version || head.parts == row.parts());
        if let Write::Value { entry, .. } | Write::Stub { entry } = row.content
            && !stands
        {
            let chunks = match row.content {
                Write::Value { envelope, .. } if envelope.len() > INLINE_BYTES => super::chunks::count(envelope.len()),
                _ => 0,
            };
            self.discard(row.key, row.parts(), chunks, entry.tags.iter().map(|tag| &**tag)).await;
        }
        Ok(match current.map(|head| head.version) {
            Some(version) if version >= row.version => RowWritten::Newer(version),
            _ => RowWritten::Unexpected,
        })
    }

    /// What the row said that was replaced.
    fn replaced(&self, row: &WriteRow<'_>, before: Option<Item>) -> RowWritten {
        self.count(row);
        // What belongs to the claim of a fill belongs to its value.
        let before = before.filter(|before| Head::of(before).version != row.version);
        let Some(before) = before else { return RowWritten::Yes(Before::default()) };
        let before = self.before_of(&before);
        self.count_gone(before.kept);
        RowWritten::Yes(before)
    }
}

impl WriteRow<'_> {
    /// The name of its chunks and index rows.
    fn parts(&self) -> Version {
        self.ahead().map_or(self.version, Ahead::name)
    }

    /// Its index rows, where they stand already and lead to it.
    fn ahead(&self) -> Option<&Ahead<'_>> {
        // Releases that know of no names look for chunks under the version.
        match self.content {
            Write::Value { entry, envelope } if envelope.len() <= INLINE_BYTES => {
                self.tags.ahead.filter(|ahead| ahead.is_fit(self.version, entry))
            }
            _ => None,
        }
    }

    /// Whether `item` is exactly this row.
    pub(super) fn is(&self, item: &Item) -> bool {
        let head = Head::of(item);
        let same_value = match self.content {
            Write::Value { envelope, .. } if head.chunks > 0 => head.chunks == super::chunks::count(envelope.len()),
            Write::Value { envelope, .. } => {
                item.get("body").and_then(|body| body.as_b().ok()).is_some_and(|body| body.as_ref() == envelope)
            }
            Write::Stub { .. } | Write::Gone => true,
        };
        let is_written = head.version == self.version && !is_claim(item);
        is_written && text_of(item, "kind") == Some(self.content.kind()) && same_value
    }
}

impl Write<'_> {
    const fn kind(self) -> &'static str {
        match self {
            Write::Value { .. } => "value",
            Write::Stub { .. } => "elsewhere",
            Write::Gone => "gone",
        }
    }
}
