//! The end of a life that an invalidation makes: the value stays in its grace, as a row that says it has expired.
//!
//! As a PATCH does, it replaces exactly the row that was seen, by one of a version just above that. So whatever is newer
//! than the value is newer than this as well: an invalidation that removes finds it, and a PATCH that was under way does
//! not bring its life back. The body stays where it is, and is read as what the row says.

use super::{
    client::Store,
    error::L3Error,
    head::{Head, Kind},
    matches::Live,
    number,
    schema::{row_key, tags_of},
    text,
};
use crate::{grace::End, level::Level, selector::Selector, version::Version};
use std::sync::Arc;

/// The attribute that says when an invalidation ended a life, in milliseconds since the Unix epoch.
pub(super) const ENDED_AT: &str = "ended_at";
/// How often the end of a life begins anew because another row has taken its place.
const TRIES: usize = 16;

/// What became of a row.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Its value has no life any more, by this or before; the one that it had.
    Yes(Option<Live>),
    /// There is nothing that this means.
    Nothing,
    /// It is to be removed: it has no grace, or is a tombstone that keeps a value.
    Removable(Version),
}

impl Store {
    /// Ends the life of the value that the row of `key` holds, if it is older than `below` and meant by `selector`; `above`
    /// gives the version just above another.
    pub(crate) async fn end_life(
        &self,
        key: &str,
        below: Option<Version>,
        selector: &Selector,
        end: End,
        above: impl Fn(Version) -> Version,
    ) -> Result<Ended, L3Error> {
        let mut tried: Option<(Version, Option<Live>)> = None;
        for _ in 0..TRIES {
            let Some(item) = self.head_item(key).await? else { return Ok(Ended::Nothing) };
            let (head, now_ms) = (self.head_of(&item), self.clock.now_ms());
            if let Some((_, was_live)) = tried.take_if(|(version, _)| *version == head.version) {
                // By an attempt whose answer was lost.
                return Ok(Ended::Yes(was_live));
            }
            let tags: Vec<Arc<str>> = tags_of(&item).into_iter().map(Arc::from).collect();
            if !selector.touches(key, &tags) {
                return Ok(Ended::Nothing);
            }
            if head.kind == Kind::Gone {
                // What it keeps is as old as it says, whatever the tombstone is.
                return Ok(head.born.map_or(Ended::Nothing, |_| Ended::Removable(head.version)));
            }
            if below.is_some_and(|below| head.version >= below) {
                return Ok(Ended::Nothing);
            }
            let until_ms = head.until_ms(end);
            if !head.has_grace() || until_ms <= now_ms {
                return Ok(Ended::Removable(head.version));
            }
            if head.ended_at_ms.is_some() && until_ms == head.kept_until_ms {
                return Ok(Ended::Yes(None));
            }
            let was_live = head.is_live(now_ms).then(|| Live::of(&head, Level::L3, &item));
            let next = above(head.version);
            if self.write_end(key, head, next, (head.base_ms(end), until_ms)).await? {
                self.count_gone(head.kept());
                return Ok(Ended::Yes(was_live));
            }
            tried = Some((next, was_live));
        }
        Err(L3Error::Failed("a row whose life is to be ended kept changing".into()))
    }

    /// Returns whether the row was still the one that was seen.
    async fn write_end(
        &self,
        key: &str,
        seen: Head,
        next: Version,
        (at_ms, until_ms): (i64, i64),
    ) -> Result<bool, L3Error> {
        let set = "SET parts = if_not_exists(parts, #v), #v = :next, expires_at = :never, ended_at = :at, \
            kept_until = :until";
        let sent = self
            .client()
            .await?
            .update_item()
            .table_name(&self.entries)
            .set_key(Some(row_key(key)))
            .update_expression(set)
            .condition_expression("#v = :v AND #k = :value")
            .expression_attribute_names("#v", "version")
            .expression_attribute_names("#k", "kind")
            .expression_attribute_values(":v", number(seen.version.0))
            .expression_attribute_values(":next", number(next.0))
            .expression_attribute_values(":value", text("value"))
            // To releases that know nothing of it, too, it has expired.
            .expression_attribute_values(":never", number(0))
            .expression_attribute_values(":at", number(at_ms))
            .expression_attribute_values(":until", number(until_ms))
            .send()
            .await;
        Ok(self.conditional(sent)?.is_ok())
    }
}

impl Head {
    /// When the life of the value ends, or has ended.
    fn base_ms(self, end: End) -> i64 {
        self.ended_at_ms.unwrap_or_else(|| self.expires_at_ms.min(end.at_ms))
    }

    /// When its grace is over then.
    fn until_ms(self, end: End) -> i64 {
        let grace_ms = self.kept_until_ms - self.ended_at_ms.unwrap_or(self.expires_at_ms);
        self.base_ms(end).saturating_add(grace_ms).min(end.until_ms)
    }
}
