//! The bulletin: what every container must know that cannot ask Redis, in one partition that stays small whatever an
//! outage leaves behind, so that each degraded mutation can read it.
//!
//! It has the configuration document, the barriers of unfinished removal jobs, and which *generation* of outage notes is
//! read. When more notes have piled up than are worth putting into the journal one by one, whoever finds them begins the
//! next generation, and an epoch: nobody reads the notes of the generations before again.

use super::{
    Item,
    chunks::delete,
    client::{L3Error, Store},
    document, number, number_of, text, text_of,
};
use crate::config::document::Document;
use aws_sdk_dynamodb::{
    error::SdkError,
    types::{Delete, Put, TransactWriteItem},
};

/// Its partition. The release before kept its notes here as well.
pub(super) const PARTITION: &str = "note";
/// Stands before a job's id in the sort key of its barrier.
const BARRIER: char = '#';
/// The sort key of the generation.
const GENERATION: &str = "$generation";
/// Sorts after the bulletin, and before notes of the release before, which begin with digits.
pub(super) const END: &str = "0";
/// What must hold for the generation to be written: that it is the one that was read.
const STILL: &str = "attribute_not_exists(#g) OR #g = :g";
/// The partition of generations that have ended and whose notes are still there.
const ENDED: &str = "notes";

/// Most barriers, and most bytes of their texts, that may stand at a time: every mutation without Redis reads them, which
/// costs a unit for each 4 KB.
const MOST_BARRIERS: usize = 100;
const MOST_BARRIER_BYTES: usize = 12 << 10;

/// How often the generation says that notes are being left, in ms. Rare enough for one item to bear it.
const MARK_EVERY_MS: i64 = 30_000;
/// How long after such a mark notes are looked for, in ms: far longer than clocks differ.
const MARK_HOLDS_MS: i64 = 600_000;

/// What it says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bulletin {
    /// The configuration document, the empty one when nothing was ever changed; `None` when it cannot be read.
    pub document: Option<Document>,
    /// The texts of the barriers of unfinished jobs.
    pub barriers: Vec<String>,
    pub generation: Generation,
}

/// A generation of notes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Generation {
    /// Its number, greater than those before: when it began, in ms since the Unix epoch, so that a table that was put
    /// back to an earlier state does not count the same numbers again. 0 for the first one.
    pub number: u64,
    /// When a mutation last said that it leaves notes, in ms since the Unix epoch; 0 for never.
    marked_ms: i64,
}

impl Bulletin {
    /// Whether another barrier of that text may stand.
    pub(crate) fn has_room_for(&self, barrier: &str) -> bool {
        let bytes: usize = self.barriers.iter().map(String::len).sum();
        self.barriers.is_empty() || self.barriers.len() < MOST_BARRIERS && bytes + barrier.len() <= MOST_BARRIER_BYTES
    }

    fn take(&mut self, item: &Item) {
        match text_of(item, "sk") {
            Some(document::NAME) => self.document = document::read(item),
            Some(GENERATION) => self.generation = Generation::of(item),
            Some(sort) if sort.starts_with(BARRIER) => {
                self.barriers.push(text_of(item, "body").unwrap_or_default().to_owned());
            }
            _ => {}
        }
    }
}

impl Generation {
    /// Whether there are no notes but those that somebody knew at `known_ms`, in ms since the Unix epoch; 0 for nobody.
    pub(super) fn is_quiet_since(self, known_ms: u64) -> bool {
        let known_ms = i64::try_from(known_ms).unwrap_or(i64::MAX);
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

/// The request that leaves the barrier of a job, for a transaction.
pub(super) fn put_barrier(table: &str, job: &str, body: &str) -> Put {
    let mut item = barrier_key(job);
    item.insert("body".to_owned(), text(body));
    Put::builder().table_name(table).set_item(Some(item)).build().expect("both are given")
}

/// The request that takes the barrier of a job away, for a transaction.
pub(super) fn delete_barrier(table: &str, job: &str) -> Delete {
    Delete::builder().table_name(table).set_key(Some(barrier_key(job))).build().expect("both are given")
}

impl Store {
    /// Reads the bulletin, consistently.
    pub(crate) async fn bulletin(&self) -> Result<Bulletin, L3Error> {
        let mut bulletin = Bulletin { document: Some(Document::default()), ..Bulletin::default() };
        let mut after = None;
        loop {
            let page = self
                .client()
                .await?
                .query()
                .table_name(&self.control)
                .key_condition_expression("pk = :bulletin AND sk < :end")
                .expression_attribute_values(":bulletin", text(PARTITION))
                .expression_attribute_values(":end", text(END))
                .consistent_read(true)
                .set_exclusive_start_key(after)
                .send()
                .await
                .map_err(|error| self.failed(error))?;
            page.items.iter().flatten().for_each(|item| bulletin.take(item));
            after = page.last_evaluated_key;
            if after.is_none() {
                self.know_generation(bulletin.generation.number);
                return Ok(bulletin);
            }
        }
    }

    /// The generation of notes that is read, consistently.
    pub(super) async fn generation(&self) -> Result<Generation, L3Error> {
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
        match sent {
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => Ok(()),
            sent => sent.map(drop).map_err(|error| self.failed(error)),
        }
    }

    /// Generations that have ended and whose notes may still be there, and when each ended, in ms since the Unix epoch.
    pub(crate) async fn ended_generations(&self) -> Result<Vec<(u64, i64)>, L3Error> {
        let found = self
            .client()
            .await?
            .query()
            .table_name(&self.control)
            .key_condition_expression("pk = :ended")
            .expression_attribute_values(":ended", text(ENDED))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| self.failed(error))?;
        let ended = |item: &Item| Some((text_of(item, "sk")?.parse().ok()?, number_of(item, "ended")?));
        Ok(found.items.iter().flatten().filter_map(ended).collect())
    }

    /// Nothing is left of a generation that has ended.
    pub(crate) async fn forget_generation(&self, number: u64) -> Result<(), L3Error> {
        self.write_batches(&self.control, vec![delete(ended_key(number))]).await
    }
}

fn barrier_key(job: &str) -> Item {
    Item::from([("pk".to_owned(), text(PARTITION)), ("sk".to_owned(), text(format!("{BARRIER}{job}")))])
}

fn generation_key() -> Item {
    Item::from([("pk".to_owned(), text(PARTITION)), ("sk".to_owned(), text(GENERATION))])
}

fn ended_key(number: u64) -> Item {
    Item::from([("pk".to_owned(), text(ENDED)), ("sk".to_owned(), text(number.to_string()))])
}
