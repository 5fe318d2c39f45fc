//! Outage notes: mutations that were acknowledged while their container could not reach Redis.
//!
//! Every container can find them; the first one that does puts them into the journal and deletes them. They are spread over
//! partitions, so that a fleet without Redis can leave thousands a second.
//!
//! # Which notes are read
//!
//! Those of one [`Generation`]. A note left in a generation that has ended in the meantime is found by nobody. So after
//! writing its row a mutation looks up which generation is read, and acknowledges once its note is in that one. If that
//! generation ends before the note gets there, the epoch that replaces it began after the row was written.

use super::{
    Item,
    bulletin::{Bulletin, END, PARTITION},
    chunks::delete,
    client::Store,
    error::L3Error,
    generation::Generation,
    number, number_of, text, text_of,
};
use crate::{chance, selector::WrittenInvalidation, version::Version};
use aws_sdk_dynamodb::types::Put;
use futures_util::future::try_join_all;
use tokio::try_join;

/// More notes than this begin a new epoch instead of being put into the journal one by one.
const MOST_REPLAYED: usize = 100;
/// Over how many partitions the notes of a generation are spread: 2,000 of them a second, at two write units, are a
/// quarter of what DynamoDB says one partition can take.
const PARTITIONS: u64 = 16;
/// How long an unread note stays, in seconds: a day, far longer than a container may go on without reading them.
const KEEP_SECONDS: i64 = 86_400;
/// Notes of one page of those that are deleted.
const PAGE_NOTES: i32 = 250;
/// How much older than the generation's beginning a note of the release before may be and still be read, in ms: longer
/// than it can have been on its way.
const LATE_MS: u64 = 30_000;

/// A mutation that Redis was not told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    partition: String,
    /// The name of the note itself.
    id: String,
    pub noted: Noted,
}

/// What a note says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Noted {
    /// A key was put or deleted.
    Changed { key: String, version: Version },
    /// An invalidation removed what it means from L3.
    Invalidated(Box<WrittenInvalidation>),
}

/// The notes that were found.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub notes: Vec<Note>,
    /// There are more than are put into the journal one by one, or some that this release cannot read.
    pub too_many: bool,
    /// Nobody has left any since somebody looked.
    pub quiet: bool,
    pub bulletin: Bulletin,
    pub generation: Generation,
}

/// The request that leaves a note of a put or delete, for a transaction.
pub(super) fn put(table: &str, key: &str, version: Version, now_ms: i64, generation: u64) -> Put {
    let note = Noted::Changed { key: key.to_owned(), version };
    Put::builder().table_name(table).set_item(Some(item(&note, now_ms, generation))).build().expect("both are given")
}

impl Store {
    /// Leaves a note of a mutation whose rows are written.
    pub(crate) async fn leave_note(&self, note: &Noted) -> Result<(), L3Error> {
        self.make_sure_of_note(note, None).await
    }

    /// Makes sure that a note is where it is read, if it lies in the generation `left_in` already.
    pub(super) async fn make_sure_of_note(&self, note: &Noted, left_in: Option<u64>) -> Result<(), L3Error> {
        let generation = self.generation().await?;
        if left_in != Some(generation.number) {
            let item = item(note, self.clock.now_ms(), generation.number);
            let put = self.client().await?.put_item().table_name(&self.control).set_item(Some(item));
            put.send().await.map_err(|error| self.failed(error))?;
        }
        self.mark(generation).await
    }

    /// Reads the bulletin and the notes there are, but for those that somebody knew at `known_ms` of own clock; `i64::MIN`
    /// when nobody has looked.
    pub(crate) async fn notes(&self, known_ms: i64) -> Result<Notes, L3Error> {
        let (bulletin, generation, of_before) = try_join!(self.bulletin(), self.generation(), self.notes_of_before())?;
        let Generation { number, .. } = generation;
        let quiet = generation.is_quiet_since(known_ms);
        let pages = match quiet {
            true => Vec::new(),
            false => {
                let partition = |index| self.notes_in(partition(number, index));
                try_join_all((0..PARTITIONS).map(partition)).await?
            }
        };
        let mut notes = Notes { bulletin, generation, quiet, ..Notes::default() };
        let begun = format!("{:015}", number.saturating_sub(LATE_MS));
        let of_before = of_before.into_iter().filter(|item| text_of(item, "sk").is_some_and(|sk| *sk >= *begun));
        for item in pages.into_iter().flatten().chain(of_before) {
            match note(&item) {
                Some(note) => notes.notes.push(note),
                None => notes.too_many = true,
            }
        }
        notes.too_many |= notes.notes.len() > MOST_REPLAYED;
        Ok(notes)
    }

    /// Notes that a container of the release before has left, beside the bulletin.
    async fn notes_of_before(&self) -> Result<Vec<Item>, L3Error> {
        self.notes_in(PARTITION.to_owned()).await
    }

    /// The newest notes of a partition; of more than can be of use, only so many that it is seen.
    async fn notes_in(&self, partition: String) -> Result<Vec<Item>, L3Error> {
        let query = self
            .control_query(text(partition))
            .await?
            .key_condition_expression("pk = :pk AND sk >= :from")
            // The bulletin sorts before.
            .expression_attribute_values(":from", text(END))
            .scan_index_forward(false)
            .limit(MOST_REPLAYED as i32 + 1);
        Ok(self.page(query).await?.items.unwrap_or_default())
    }

    /// Deletes notes that the journal holds now.
    pub(crate) async fn drop_notes(&self, notes: &[&Note]) -> Result<(), L3Error> {
        let key = |note: &&Note| key(&note.partition, &note.id);
        self.write_batches(&self.control, notes.iter().map(key).map(delete).collect()).await
    }

    /// Deletes some notes of a generation that has ended from each of its partitions; returns how many.
    pub(crate) async fn drop_ended_notes(&self, generation: u64) -> Result<u64, L3Error> {
        let pages = (0..PARTITIONS).map(|index| self.drop_page(partition(generation, index)));
        Ok(try_join_all(pages).await?.into_iter().sum())
    }

    async fn drop_page(&self, partition: String) -> Result<u64, L3Error> {
        let found = self
            .client()
            .await?
            .query()
            .table_name(&self.control)
            .key_condition_expression("pk = :notes")
            .expression_attribute_values(":notes", text(&partition))
            .projection_expression("sk")
            .limit(PAGE_NOTES)
            .send()
            .await
            .map_err(|error| self.failed(error))?;
        let ids = found.items.iter().flatten().filter_map(|item| text_of(item, "sk"));
        let requests: Vec<_> = ids.map(|id| delete(key(&partition, id))).collect();
        let count = requests.len() as u64;
        self.write_batches(&self.control, requests).await?;
        Ok(count)
    }
}

fn partition(generation: u64, index: u64) -> String {
    format!("{PARTITION}#{generation}#{index:x}")
}

fn key(partition: &str, id: &str) -> Item {
    Item::from([("pk".to_owned(), text(partition)), ("sk".to_owned(), text(id))])
}

fn item(note: &Noted, now_ms: i64, generation: u64) -> Item {
    let partition = partition(generation, chance::u64(..PARTITIONS));
    let mut item = key(&partition, &format!("{now_ms:015}#{}", chance::name()));
    item.insert("ttl".to_owned(), number(now_ms / 1000 + KEEP_SECONDS));
    match note {
        Noted::Changed { key, version } => {
            item.insert("key".to_owned(), text(key));
            item.insert("version".to_owned(), number(version.0));
        }
        Noted::Invalidated(written) => {
            item.insert("body".to_owned(), text(written.to_json()));
        }
    }
    item
}

fn note(item: &Item) -> Option<Note> {
    let noted = match text_of(item, "body") {
        Some(body) => Noted::Invalidated(Box::new(serde_json::from_str(body).ok()?)),
        None => Noted::Changed { key: text_of(item, "key")?.to_owned(), version: Version(number_of(item, "version")?) },
    };
    Some(Note { partition: text_of(item, "pk")?.to_owned(), id: text_of(item, "sk")?.to_owned(), noted })
}
