//! The jobs of each account, in a partition of its own: the unfinished ones, whose number is limited, and what became of the
//! others.
//!
//! A warm job holds a numbered slot until it has ended, written under the condition that it is free. So the rows *are* the
//! count: concurrent requests cannot get more than there are slots, and no decrement can be lost. A removal holds a row of its
//! own name, because an invalidation that has begun must be finished whatever its account has waiting.

use super::{Item, client::Store, error::L3Error, text, text_of};
use crate::{chance, job::JobState};
use aws_sdk_dynamodb::types::{Delete, Put};

/// Stands before an account in the partition key.
const PREFIX: &str = "account#";
/// Stands before a slot in the sort key: it sorts after the times of those that are over.
const HELD: char = '~';
/// Stands before the name of a removal in its slot, which sorts after all numbers.
const REMOVAL: char = 'r';

/// What an account has that is not over.
#[derive(Debug, Default)]
pub(crate) struct Held(Vec<String>);

/// A page of the jobs of an account, and what to give for the next one.
pub(crate) type JobPage = (Vec<String>, Option<String>);

impl Held {
    /// How many jobs, at least: no more are counted than were asked for.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// One of so many slots that is free; another one each time, so that those who come at once seldom want the same.
    pub(crate) fn free_slot(&self, most: usize) -> Option<String> {
        if self.count() >= most {
            return None;
        }
        let first = chance::usize(..most);
        let slots = (0..most).map(|step| slot((first + step) % most));
        slots.into_iter().find(|slot| !self.0.contains(slot))
    }
}

impl Store {
    /// What an account has that is not over: up to `most` of it.
    pub(crate) async fn held_jobs(&self, account: &str, most: usize) -> Result<Held, L3Error> {
        let query = self
            .control_query(partition(account))
            .await?
            .key_condition_expression("pk = :pk AND sk >= :held")
            .expression_attribute_values(":held", text(HELD))
            .projection_expression("sk")
            .limit(i32::try_from(most).unwrap_or(i32::MAX).max(1));
        let found = self.page(query).await?;
        let slot = |item: &Item| text_of(item, "sk")?.strip_prefix(HELD).map(str::to_owned);
        Ok(Held(found.items.iter().flatten().filter_map(slot).collect()))
    }

    /// A page of an account's jobs: those that are not over, then those that are, the last that ended first. Of one state
    /// only those are looked at that can be in it.
    pub(crate) async fn jobs_of(
        &self,
        account: &str,
        state: Option<JobState>,
        after: Option<&str>,
        most: usize,
    ) -> Result<JobPage, L3Error> {
        let which = match state {
            None => "sk > :held",
            Some(JobState::Done | JobState::Cancelled | JobState::Failed) => "sk < :held",
            Some(_) => "sk >= :held",
        };
        let held = if state.is_none() { "!".to_owned() } else { HELD.to_string() };
        let begin =
            after.map(|after| Item::from([("pk".to_owned(), partition(account)), ("sk".to_owned(), text(after))]));
        let query = self
            .control_query(partition(account))
            .await?
            .key_condition_expression(format!("pk = :pk AND {which}"))
            .expression_attribute_values(":held", text(held))
            .scan_index_forward(false)
            .limit(i32::try_from(most).unwrap_or(i32::MAX))
            .set_exclusive_start_key(begin);
        let found = self.page(query).await?;
        let next = found.last_evaluated_key.as_ref().and_then(|key| text_of(key, "sk")).map(str::to_owned);
        Ok((found.items.iter().flatten().filter_map(|item| text_of(item, "job")).map(str::to_owned).collect(), next))
    }
}

/// The slot of that number.
fn slot(number: usize) -> String {
    format!("{number:04}")
}

/// A slot where they are not counted: any that nobody has.
pub(crate) fn any_slot() -> String {
    chance::name()
}

/// The slot of a removal.
pub(crate) fn removal_slot(job: &str) -> String {
    format!("{REMOVAL}{job}")
}

/// The request that takes a slot, if it is free, for a transaction.
pub(super) fn hold(table: &str, account: &str, slot: &str, job: &str) -> Put {
    let mut item = held_key(account, slot);
    item.insert("job".to_owned(), text(job));
    let put = Put::builder().table_name(table).set_item(Some(item)).condition_expression("attribute_not_exists(pk)");
    put.build().expect("table and item are given")
}

/// The request that frees a slot, for a transaction.
pub(super) fn free(table: &str, account: &str, slot: &str) -> Delete {
    Delete::builder().table_name(table).set_key(Some(held_key(account, slot))).build().expect("both are given")
}

/// The request that keeps a job that is over in the list of its account, for a transaction.
pub(super) fn keep(table: &str, account: &str, (job, finished_ms, ttl): (&str, i64, i64)) -> Put {
    let item = Item::from([
        ("pk".to_owned(), partition(account)),
        ("sk".to_owned(), text(format!("{}.{job}", super::job_queue::at(finished_ms)))),
        ("job".to_owned(), text(job)),
        ("ttl".to_owned(), super::number(ttl)),
    ]);
    Put::builder().table_name(table).set_item(Some(item)).build().expect("table and item are given")
}

fn held_key(account: &str, slot: &str) -> Item {
    Item::from([("pk".to_owned(), partition(account)), ("sk".to_owned(), text(format!("{HELD}{slot}")))])
}

fn partition(account: &str) -> aws_sdk_dynamodb::types::AttributeValue {
    text(format!("{PREFIX}{account}"))
}
