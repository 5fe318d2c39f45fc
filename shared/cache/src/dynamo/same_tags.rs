//! A value in the place of one that has the same tags: one request, which leaves the index rows to the new value.
//!
//! It replaces exactly the version whose tags are known. A version says one thing for ever, so that it does not matter how
//! old the copy is from which that is known. Where another stands meanwhile, or the index rows end sooner than the value,
//! nothing has happened.

use super::{
    Item,
    client::Store,
    error::L3Error,
    head::Head,
    names, number,
    rows::{Before, RowWritten, Write, WriteRow},
    schema::{INLINE_BYTES, KEEP_SECONDS, row_key},
    tag_rows::end_of,
    text,
};
use crate::{
    entry::Entry,
    planted::{Bug, planted},
    source_of_truth::Expected,
    version::Version,
};
use aws_sdk_dynamodb::{
    primitives::Blob,
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use bytes::Bytes;

/// What must stand there: no row from before its level was switched on again, whose index rows count as gone.
const CONDITION: &str = "#version = :seen AND #version < :version AND #kind = :value \
                         AND attribute_not_exists(chunks) AND parts >= :floor AND parts_until >= :end";
/// The same, for the mistake that lets anything newer stand there as well.
const OR_NEWER: &str = "#version >= :seen AND #version < :version AND #kind = :value \
                        AND attribute_not_exists(chunks) AND parts >= :floor AND parts_until >= :end";

impl Store {
    /// Writes a row over one of a smaller version. What belongs to that is left to [`Store::drop_replaced`].
    pub(crate) async fn write(&self, row: &WriteRow<'_>) -> Result<RowWritten, L3Error> {
        if let Some(seen) = row.tags.same
            && let Some(written) = self.write_over_same_tags(row, seen).await?
        {
            return Ok(written);
        }
        self.write_whole(row).await
    }

    /// Writes a value over that version, whose tags it has. `None` where that cannot be done so.
    async fn write_over_same_tags(&self, row: &WriteRow<'_>, seen: Version) -> Result<Option<RowWritten>, L3Error> {
        let Write::Value { entry, envelope } = row.content else { return Ok(None) };
        if envelope.len() > INLINE_BYTES {
            return Ok(None);
        }
        let (update, mut values) = self.update_over(row, entry, envelope);
        values.insert(":seen".to_owned(), number(seen.0));
        let attributes =
            ["version", "kind", "levels", "created_at", "size", "expires_at", "ttl", "kept_until", "owner"];
        let sent = self
            .client()
            .await?
            .update_item()
            .table_name(&self.entries)
            .set_key(Some(row_key(row.key)))
            .update_expression(update)
            .condition_expression(if planted(Bug::OtherTagsKept) { OR_NEWER } else { CONDITION })
            .set_expression_attribute_names(Some(names(&[&attributes[..], &["bytes", "body"]].concat())))
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match self.conditional(sent)? {
            Ok(updated) => {
                self.count(row);
                let before = updated.attributes.map(|before| self.before_of(&before)).unwrap_or_default();
                self.count_gone(before.kept);
                Ok(Some(RowWritten::Yes(Before { keeps_parts: !planted(Bug::KeptTagRowsDropped), ..before })))
            }
            Err(current) => Ok(self.not_over_same_tags(row, seen, current)),
        }
    }

    fn update_over(&self, row: &WriteRow<'_>, entry: &Entry, envelope: &Bytes) -> (String, Item) {
        let mut set = "SET #version = :version, #levels = :levels, #created_at = :created, #size = :size, \
                       #expires_at = :expires, #ttl = :ttl, #bytes = :bytes, #body = :body"
            .to_owned();
        let kept_until_ms = entry.kept_until_ms();
        let ttl = (self.clock.now_ms() / 1000 + KEEP_SECONDS).max(kept_until_ms / 1000 + 1);
        let mut values = Item::from([
            (":version".to_owned(), number(row.version.0)),
            (":value".to_owned(), text("value")),
            (":floor".to_owned(), number(self.floors().l3.0)),
            (":end".to_owned(), number(end_of(entry))),
            (":levels".to_owned(), number(entry.levels.bits())),
            (":created".to_owned(), number(entry.created_at_ms)),
            (":size".to_owned(), number(entry.text.len())),
            (":expires".to_owned(), number(entry.expires_at_ms)),
            (":ttl".to_owned(), number(ttl)),
            (":bytes".to_owned(), number(envelope.len())),
            (":body".to_owned(), AttributeValue::B(Blob::new(envelope.to_vec()))),
        ]);
        let grace = (entry.grace_seconds > 0).then(|| number(kept_until_ms));
        // Nor has an invalidation made an end of its life.
        let mut gone = vec!["ended_at".to_owned()];
        for (name, value) in [("kept_until", grace), ("owner", row.owner.map(text))] {
            match value {
                Some(value) => {
                    set.push_str(&format!(", #{name} = :{name}"));
                    values.insert(format!(":{name}"), value);
                }
                None => gone.push(format!("#{name}")),
            }
        }
        (format!("{set} REMOVE {}", gone.join(", ")), values)
    }

    /// Why it was refused; `None` where it can be done by writing the index rows as well.
    fn not_over_same_tags(&self, row: &WriteRow<'_>, seen: Version, current: Option<Item>) -> Option<RowWritten> {
        if current.as_ref().is_some_and(|item| row.is(item)) {
            // The repetition of one whose answer was lost: a value stood there.
            self.count(row);
            return Some(RowWritten::Yes(Before { live: true, keeps_parts: true, ..Before::default() }));
        }
        let version = current.map(|item| Head::of(&item).version);
        match (version, row.expected) {
            (Some(version), _) if version >= row.version => Some(RowWritten::Newer(version)),
            (version, Expected::Version(_)) if version != Some(seen) => Some(RowWritten::Unexpected),
            _ => None,
        }
    }
}
