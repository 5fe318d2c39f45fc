//! Which *generation* of outage notes is read. When more notes have piled up than are worth putting into the journal one by
//! one, the container that finds them begins the next generation, and an epoch: the notes of earlier generations are not read
//! again.
//!
//! It has a partition of its own, because every degraded mutation reads it in addition to the bulletin.

use super::{Item, chunks::delete, client::Store, error::L3Error, number, number_of, text, text_of};
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};

/// Its partition and sort key.
const PARTITION: &str = "notes";
const SORT: &str = "-";
/// The partition of generations that have ended and whose notes are still there.
const ENDED: &str = "notes#ended";
/// What must hold for the generation to be written: that it is the one that was read.
const STILL: &str = "attribute_not_exists(#g) OR #g = :g";
/// How often the generation says that notes are being left, in ms. Rare enough for one item to bear it.
const MARK_EVERY_MS: i64 = 30_000;
/// How long after such a mark notes are looked for, in ms: an hour, far longer than the clocks of containers differ.
const MARK_HOLDS_MS: i64 = 3_600_000;

/// A generation of notes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Generation {
    /// Its number, greater than those before: when it began, in ms since the Unix epoch, so that a table that was put
    /// back to an earlier state does not count the same numbers again. 0 for the first one.
    pub number: u64,
    /// When a mutation last said that it leaves notes, in ms since the Unix epoch; 0 for never.
    marked_ms: i64,
}

impl Generation {
    /// Whether there are no notes but those that somebody knew at `known_ms` of own clock.
    pub(super) fn is_quiet_since(self, known_ms: i64) -> bool {
        self.marked_ms == 0 || known_ms > self.marked_ms.saturating_add(MARK_HOLDS_MS)
    }

    fn item(self) -> Item {
        let mut item = generation_key();
        item.insert("generation".to_owned(), number(self.number));
        item.insert("marked".to_owned(), number(self.marked_ms));
        item
    }

    fn of(item: &Item) -> Generation {
        Generation {
            number: number_of(item, "generation").unwrap_or_default(),
            marked_ms: number_of(item, "marked").unwrap_or_default(),
        }
    }
}

impl Store {
    /// The generation of notes that is read, consistently.
    pub(crate) async fn generation(&self) -> Result<Generation, L3Error> {
        let found = self.control_item(generation_key()).await?;
        let generation = found.as_ref().map(Generation::of).unwrap_or_default();
        self.know_generation(generation.number);
        Ok(generation)
    }

    /// Ends a generation, unless somebody has; returns the one that is read from then on.
    pub(crate) async fn end_generation(&self, generation: Generation) -> Result<Generation, L3Error> {
        let now_ms = self.clock.now_ms();
        let after = generation.number.saturating_add(1);
        let next = Generation { number: after.max(now_ms.unsigned_abs()), marked_ms: now_ms };
        let mut ended = ended_key(generation.number);
        ended.insert("ended".to_owned(), number(now_ms));
        let begin = Put::builder()
            .table_name(&self.control)
            .set_item(Some(next.item()))
            .condition_expression(STILL)
            .expression_attribute_names("#g", "generation")
            .expression_attribute_values(":g", number(generation.number));
        let ended = Put::builder().table_name(&self.control).set_item(Some(ended));
        let puts = [begin, ended].map(|put| put.build().expect("table and item are given"));
        let writes = puts.map(|put| TransactWriteItem::builder().put(put).build());
        if self.transact(writes.to_vec()).await? { Ok(next) } else { self.generation().await }
    }

    /// Says in a generation that notes are being left, if nobody has lately. Where another one is read meanwhile there is
    /// nothing to say: the epoch that began with that takes the place of the notes.
    pub(super) async fn mark(&self, generation: Generation) -> Result<(), L3Error> {
        let now_ms = self.clock.now_ms();
        if now_ms < generation.marked_ms.saturating_add(MARK_EVERY_MS) {
            return Ok(());
        }
        let put = self.client().await?.put_item().table_name(&self.control);
        let sent = put
            .set_item(Some(Generation { marked_ms: now_ms, ..generation }.item()))
            .condition_expression(STILL)
            .expression_attribute_names("#g", "generation")
            .expression_attribute_values(":g", number(generation.number))
            .send()
            .await;
        self.conditional(sent).map(drop)
    }

    /// Generations that have ended and whose notes may still be there, and when each ended, in ms since the Unix epoch.
    pub(crate) async fn ended_generations(&self) -> Result<Vec<(u64, i64)>, L3Error> {
        let found = self.page(self.control_query(text(ENDED)).await?).await?;
        let ended = |item: &Item| Some((text_of(item, "sk")?.parse().ok()?, number_of(item, "ended")?));
        Ok(found.items.iter().flatten().filter_map(ended).collect())
    }

    /// Nothing is left of a generation that has ended.
    pub(crate) async fn forget_generation(&self, number: u64) -> Result<(), L3Error> {
        self.write_batches(&self.control, vec![delete(ended_key(number))]).await
    }
}

fn generation_key() -> Item {
    Item::from([("pk".to_owned(), text(PARTITION)), ("sk".to_owned(), text(SORT))])
}

fn ended_key(number: u64) -> Item {
    Item::from([("pk".to_owned(), text(ENDED)), ("sk".to_owned(), text(number.to_string()))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_looked_for_until_long_after_the_last_mark() {
        let never = Generation::default();
        assert!(never.is_quiet_since(i64::MIN));
        let marked = Generation { marked_ms: 1_000_000, ..never };
        assert!(!marked.is_quiet_since(i64::MIN) && !marked.is_quiet_since(1_000_000 + MARK_HOLDS_MS));
        assert!(marked.is_quiet_since(1_000_001 + MARK_HOLDS_MS));
    }
}
