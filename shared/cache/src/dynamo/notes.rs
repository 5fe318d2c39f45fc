//! Outage notes: mutations that were acknowledged while their container could not reach Redis.
//!
//! They lie where every container can find them, are put into the journal by whoever finds them first, and are
//! deleted then. Beside them lie the barriers of unfinished removal jobs, which stay until the job is done: whoever
//! cannot ask Redis, or finds that it has lost them, learns of them here.

use super::{
    Item,
    chunks::delete,
    client::{L3Error, Store},
    document, number, text, text_of,
};
use crate::{config::document::Document, selector::Written, version::Version};
use aws_sdk_dynamodb::types::{Delete, Put};

/// The partition of notes and barriers, and of the configuration document.
pub(super) const PARTITION: &str = "note";
/// How long an unread note stays, in seconds: a day, far longer than a container may go on without reading them.
const KEEP_SECONDS: i64 = 86_400;
/// Most notes read at once; what is left is read by the next sync.
const READ_AT_ONCE: i32 = 1000;
/// Stands before a job's id in the sort key of its barrier: sorts before every time, so that barriers are read first.
const BARRIER: char = '#';

/// A mutation that Redis was not told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    /// The name of the note itself.
    pub id: String,
    pub noted: Noted,
}

/// What a note says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Noted {
    /// A key was put or deleted.
    Changed { key: String, version: Version },
    /// An invalidation removed what it means from L3.
    Invalidated(Box<Written>),
}

/// The notes that were found.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub notes: Vec<Note>,
    /// The texts of the barriers of unfinished jobs.
    pub barriers: Vec<String>,
    /// There are more.
    pub more: bool,
    /// There are some that this release cannot read.
    pub unreadable: bool,
    /// The configuration document, which lies beside them; the empty one when nothing was ever changed.
    pub document: Document,
}

/// The request that leaves a note of a put or delete, for a transaction.
pub(super) fn put(table: &str, key: &str, version: Version, now_ms: i64) -> Put {
    let note = Noted::Changed { key: key.to_owned(), version };
    Put::builder().table_name(table).set_item(Some(item(&note, now_ms))).build().expect("both are given")
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

fn barrier_key(job: &str) -> Item {
    Item::from([("pk".to_owned(), text(PARTITION)), ("sk".to_owned(), text(format!("{BARRIER}{job}")))])
}

impl Store {
    /// Leaves a note of a mutation.
    pub(crate) async fn leave_note(&self, note: &Noted) -> Result<(), L3Error> {
        self.client()
            .await?
            .put_item()
            .table_name(&self.control)
            .set_item(Some(item(note, self.clock.now_ms())))
            .send()
            .await
            .map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// Reads the notes there are, and the configuration document.
    pub(crate) async fn notes(&self) -> Result<Notes, L3Error> {
        let found = self
            .client()
            .await?
            .query()
            .table_name(&self.control)
            .key_condition_expression("pk = :note")
            .expression_attribute_values(":note", text(PARTITION))
            .consistent_read(true)
            .limit(READ_AT_ONCE)
            .send()
            .await
            .map_err(|error| self.failed(error))?;
        let mut notes = Notes { more: found.last_evaluated_key.is_some(), ..Notes::default() };
        for item in found.items.into_iter().flatten() {
            if let Some(document) = document::read(&item) {
                notes.document = document;
                continue;
            }
            match (text_of(&item, "sk").is_some_and(|sk| sk.starts_with(BARRIER)), note(&item)) {
                (true, _) => notes.barriers.push(text_of(&item, "body").unwrap_or_default().to_owned()),
                (false, Some(note)) => notes.notes.push(note),
                (false, None) => notes.unreadable = true,
            }
        }
        Ok(notes)
    }

    /// Deletes notes that the journal holds now.
    pub(crate) async fn drop_notes(&self, notes: &[&Note]) -> Result<(), L3Error> {
        let requests = notes
            .iter()
            .map(|note| delete(Item::from([("pk".to_owned(), text(PARTITION)), ("sk".to_owned(), text(&note.id))])))
            .collect();
        self.write_batches(&self.control, requests).await
    }
}

fn item(note: &Noted, now_ms: i64) -> Item {
    let mut item = Item::from([
        ("pk".to_owned(), text(PARTITION)),
        ("sk".to_owned(), text(format!("{now_ms:015}#{:016x}", fastrand::u64(..)))),
        ("ttl".to_owned(), number(now_ms / 1000 + KEEP_SECONDS)),
    ]);
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
        None => Noted::Changed {
            key: text_of(item, "key")?.to_owned(),
            version: Version(super::number_of(item, "version")?),
        },
    };
    Some(Note { id: text_of(item, "sk")?.to_owned(), noted })
}
