//! DynamoDB: L3, the source of truth of every key while it is switched on; jobs, and the notes of an outage.
//!
//! Only this folder speaks to DynamoDB. The table of entries, all of it read consistently:
//!
//! | pk | sk | what |
//! |---|---|---|
//! | `e#0` … `e#f` | key | the row of a key: `version`, `kind`, and for a value `expires_at`, `kept_until` where it has a grace, `ended_at` where an invalidation made it stale, `levels`, `tags`, `created_at`, `size` of its text, `bytes` and its envelope; for a claim its name `claim`; for a tombstone that keeps its value `born`, the version of that; `parts`, after which chunks and index rows are named where that is not `version`, and with tags `parts_until`, until when those live |
//! | `t#0#` tag … `t#f#` tag | key `\u{1}` name | the key has the tag, if its row has `parts` of that name |
//! | `c#` index `#` name `#` key | `-` | one chunk of an envelope that does not fit an item |
//! | `deployment` | `-` | which deployment the table belongs to: its control table and the `key_prefix` of its Redis keys |
//!
//! and of the control table:
//!
//! | pk | sk | what |
//! |---|---|---|
//! | `note` | `!document` | the configuration document, with its `version` |
//! | `note` | `#` job | the open invalidation of a removal job that is not done |
//! | `note#` generation `#0` … `#f` | time `#` random | a mutation that was acknowledged while Redis could not be reached |
//! | `notes` | `-` | which generation of notes is read |
//! | `notes#ended` | generation | it has ended, and its notes may still be there |
//! | `job#` job | `-` | how far a job has come, and who works on it |
//! | `job#` job | `body` | what it is to do |
//! | `jobs` | time `#` job | the job is not over, is to begin then, and who was called for it or works on it |
//! | `turns` | account | when it was served last |
//! | `waits` | account `#` number, `#` number | somebody waits for a job to change |
//! | `account#` account | `~` slot | a job of it that is not over |
//! | `account#` account | time `.` job | one that ended then |
//! | `undos` | id | an invalidation that can be undone, or could: what it meant, who began it, what came of it |
//! | `undo#` id | version | a part of it, as its record says |
//! | `undos#due` | id | it is not tidied up yet |
//! | `maintenance` | `index` | how far the sweep of the indexes of L2 has come, and when it is due again |
//! | `maintenance` | `census` | the same of the count of what the table of entries holds |
//! | `maintenance` | `warming` | how many keys a second the last warm job loaded |
//!
//! Keys spread over sixteen partitions, with the key as sort key, so that a prefix is one Query for each. A row is
//! only ever replaced by one of a greater version; what is not a value stays for an hour as a tombstone or a
//! marker, so that a late write of a smaller version is refused.

mod accounts;
mod answers;
mod batches;
mod bulletin;
mod census;
mod chunks;
mod claims;
mod client;
mod conditional;
mod control;
mod deployment;
mod document;
mod doomed;
mod ends;
mod error;
mod floors;
mod found;
mod generation;
mod head;
mod http;
mod identity;
mod job_queue;
mod jobs;
mod kept;
mod listing;
mod load;
mod maintenance;
mod many;
mod matches;
mod noted;
mod notes;
mod refused;
mod replaced;
mod retries;
mod row_state;
mod rows;
mod same_tags;
mod schema;
#[cfg(feature = "in-memory")]
mod server;
mod tag_rows;
mod tombstones;
mod undoable;
mod upkeep;
mod waits;

#[cfg(feature = "in-memory")]
pub use server::DynamoServer;

pub(crate) use accounts::{Held, any_slot, removal_slot};
pub(crate) use bulletin::Bulletin;
pub(crate) use claims::Claim;
pub(crate) use client::Store;
pub(crate) use doomed::{Doomed, Way, Which};
pub(crate) use ends::Ended;
pub(crate) use error::L3Error;
pub(crate) use floors::Floors;
pub(crate) use found::FoundRow;
pub(crate) use generation::Generation;
pub(crate) use head::Until;
pub use http::{Authorities, InvalidAuthorities};
pub(crate) use identity::Identity;
pub(crate) use job_queue::{Line, Place};
pub(crate) use jobs::{Creation, JobRecord, NewJob};
pub(crate) use kept::{KeptRow, KeptState};
pub(crate) use listing::ListedRow;
pub(crate) use load::Stored;
pub(crate) use maintenance::{Due, Task};
pub(crate) use matches::{Live, Match, Search};
pub(crate) use notes::{Note, Noted, Notes};
pub(crate) use row_state::{RowKind, RowState};
pub(crate) use rows::{Before, Content, Row, RowWritten, Write, WriteRow};
pub(crate) use tag_rows::{Ahead, KnownTags, fits_row, rows_until};
pub(crate) use undoable::{NewUndo, RemovedCounts, UndoRecord};
pub(crate) use waits::Wait;

use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;

/// An item as the SDK has it.
type Item = HashMap<String, AttributeValue>;

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn number_of<T: std::str::FromStr>(item: &Item, name: &str) -> Option<T> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn text_of<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// Placeholders for attribute names, many of which are reserved words.
fn names(attributes: &[&str]) -> HashMap<String, String> {
    attributes.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect()
}
