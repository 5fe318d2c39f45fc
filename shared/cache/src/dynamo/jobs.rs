//! Jobs in the control table: one item each, in a partition of its own, so that the stream's order never makes one job
//! wait for another; and a row in the partition of those that are not done, which is how maintenance finds them.
//!
//! Whoever works on a job holds it by name: every write is conditional on still being the owner. One that has not been
//! heard of for a while is nobody's.

use super::{
    Item,
    client::{L3Error, Store},
    notes::{delete_barrier, put_barrier},
    number, number_of, text, text_of,
};
use crate::job::{Counters, Job, JobState};
use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{Delete, Put, ReturnValue, TransactWriteItem, Update},
};
use std::collections::HashMap;

/// How long a job that is done stays readable, in seconds: a week.
const KEEP_SECONDS: i64 = 7 * 86_400;
/// Stands before the id in a job's partition key, which the stream's filter knows as well.
const PREFIX: &str = "job#";
/// The partition of jobs that are not done.
const UNDONE: &str = "jobs";
/// Most jobs of one page of them.
const PAGE_JOBS: i32 = 100;

/// A job as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct JobRecord {
    pub job: Job,
    /// What it is to do, by its kind.
    pub body: String,
    /// How far it has come, by its kind; empty at the beginning.
    pub progress: String,
    /// When maintenance calls it, in ms since the Unix epoch, while it is scheduled.
    pub run_at_ms: i64,
}

/// A job to be.
#[derive(Debug)]
pub(crate) struct NewJob<'a> {
    pub id: &'a str,
    pub kind: &'a str,
    pub body: &'a str,
    pub progress: &'a str,
    /// What it has done already.
    pub counters: Counters,
    /// The barrier that stands until it is done.
    pub barrier: Option<&'a str>,
}

impl Store {
    /// Accepts a job, and leaves its barrier, together or not at all; returns whether there was none of that name.
    pub(crate) async fn create_job(&self, new: &NewJob<'_>) -> Result<bool, L3Error> {
        let now_ms = self.clock.now_ms();
        let record = JobRecord {
            job: Job {
                id: new.id.to_owned(),
                kind: new.kind.to_owned(),
                state: JobState::Ready,
                counters: new.counters,
                created_ms: now_ms,
                updated_ms: now_ms,
                error: None,
            },
            body: new.body.to_owned(),
            progress: new.progress.to_owned(),
            run_at_ms: now_ms,
        };
        let job = Put::builder().table_name(&self.control).set_item(Some(record.item()));
        let job = job.condition_expression("attribute_not_exists(pk)").build().expect("both are given");
        let undone = Put::builder().table_name(&self.control).set_item(Some(undone_key(new.id)));
        let mut writes = vec![
            TransactWriteItem::builder().put(job).build(),
            TransactWriteItem::builder().put(undone.build().expect("both are given")).build(),
        ];
        if let Some(barrier) = new.barrier {
            writes.push(TransactWriteItem::builder().put(put_barrier(&self.control, new.id, barrier)).build());
        }
        self.transact(writes).await
    }

    /// What is known of a job, by a consistent read.
    pub(crate) async fn job(&self, id: &str) -> Result<Option<JobRecord>, L3Error> {
        let found = self.control_item(job_key(id)).await?;
        Ok(found.as_ref().and_then(JobRecord::of))
    }

    /// Makes `owner` the one who works on a job that is ready, or that has not been heard of since `silent_since_ms`;
    /// `None` when it is neither.
    pub(crate) async fn take_job(
        &self,
        id: &str,
        owner: &str,
        silent_since_ms: i64,
    ) -> Result<Option<JobRecord>, L3Error> {
        let update = self
            .control_update(job_key(id))
            .await?
            .update_expression("SET #state = :running, #owner = :owner, #updated = :now")
            .condition_expression("#state = :ready OR (#state = :running AND #updated < :silent)")
            .set_expression_attribute_names(Some(names(&["state", "owner", "updated"])))
            .expression_attribute_values(":running", text(JobState::Running.name()))
            .expression_attribute_values(":ready", text(JobState::Ready.name()))
            .expression_attribute_values(":owner", text(owner))
            .expression_attribute_values(":now", number(self.clock.now_ms()))
            .expression_attribute_values(":silent", number(silent_since_ms))
            .return_values(ReturnValue::AllNew);
        let taken = self.update(update).await?.and_then(|taken| taken.attributes);
        Ok(taken.as_ref().and_then(JobRecord::of))
    }

    /// Writes down how far a job is, in the state it has in `record`; returns whether `owner` still holds it. In any
    /// state but running it is nobody's after.
    pub(crate) async fn save_job(&self, record: &JobRecord, owner: &str) -> Result<bool, L3Error> {
        let held = record.job.state == JobState::Running;
        let release = if held { "" } else { " REMOVE #owner" };
        let set = "SET #state = :state, #progress = :progress, #updated = :now, #run_at = :run_at, #done = :done, \
                   #missing = :missing, #failed = :failed, #error = :error";
        let counters = record.job.counters;
        let update = self
            .control_update(job_key(&record.job.id))
            .await?
            .update_expression(format!("{set}{release}"))
            .condition_expression("#owner = :owner")
            .set_expression_attribute_names(Some(names(&[
                "state", "progress", "updated", "run_at", "done", "missing", "failed", "error", "owner",
            ])))
            .expression_attribute_values(":state", text(record.job.state.name()))
            .expression_attribute_values(":progress", text(&record.progress))
            .expression_attribute_values(":now", number(self.clock.now_ms()))
            .expression_attribute_values(":run_at", number(record.run_at_ms))
            .expression_attribute_values(":done", number(counters.done))
            .expression_attribute_values(":missing", number(counters.missing))
            .expression_attribute_values(":failed", number(counters.failed))
            .expression_attribute_values(":error", text(record.job.error.as_deref().unwrap_or_default()))
            .expression_attribute_values(":owner", text(owner));
        Ok(self.update(update).await?.is_some())
    }

    /// Ends a job and lifts its barrier, together or not at all; returns whether `owner` still held it.
    pub(crate) async fn finish_job(&self, record: &JobRecord, owner: &str) -> Result<bool, L3Error> {
        let now_ms = self.clock.now_ms();
        let job = Update::builder()
            .table_name(&self.control)
            .set_key(Some(job_key(&record.job.id)))
            .update_expression(
                "SET #state = :state, #updated = :now, #done = :done, #ttl = :ttl REMOVE #owner, #progress, #error",
            )
            .condition_expression("#owner = :owner")
            .set_expression_attribute_names(Some(names(&[
                "state", "updated", "done", "ttl", "owner", "progress", "error",
            ])))
            .expression_attribute_values(":state", text(JobState::Done.name()))
            .expression_attribute_values(":now", number(now_ms))
            .expression_attribute_values(":done", number(record.job.counters.done))
            .expression_attribute_values(":ttl", number(now_ms / 1000 + KEEP_SECONDS))
            .expression_attribute_values(":owner", text(owner));
        let undone = Delete::builder().table_name(&self.control).set_key(Some(undone_key(&record.job.id)));
        let id = &record.job.id;
        self.transact(vec![
            TransactWriteItem::builder().update(job.build().expect("all are given")).build(),
            TransactWriteItem::builder().delete(undone.build().expect("both are given")).build(),
            TransactWriteItem::builder().delete(delete_barrier(&self.control, id)).build(),
        ])
        .await
    }

    /// Calls whoever reads the stream for a job that is still as `seen`; returns whether it was.
    pub(crate) async fn wake_job(&self, seen: &JobRecord) -> Result<bool, L3Error> {
        let update = self
            .control_update(job_key(&seen.job.id))
            .await?
            .update_expression("SET #state = :ready, #updated = :now REMOVE #owner")
            .condition_expression("#state = :state AND #updated = :seen")
            .set_expression_attribute_names(Some(names(&["state", "updated", "owner"])))
            .expression_attribute_values(":ready", text(JobState::Ready.name()))
            .expression_attribute_values(":state", text(seen.job.state.name()))
            .expression_attribute_values(":seen", number(seen.job.updated_ms))
            .expression_attribute_values(":now", number(self.clock.now_ms()));
        Ok(self.update(update).await?.is_some())
    }

    /// A page of the jobs that are not done, those after the job `after`, and the job after which the next page begins.
    pub(crate) async fn undone_jobs(&self, after: Option<&str>) -> Result<(Vec<String>, Option<String>), L3Error> {
        let found = self
            .client()
            .await?
            .query()
            .table_name(&self.control)
            .key_condition_expression("pk = :undone")
            .expression_attribute_values(":undone", text(UNDONE))
            .consistent_read(true)
            .limit(PAGE_JOBS)
            .set_exclusive_start_key(after.map(undone_key))
            .send()
            .await
            .map_err(|error| self.failed(error))?;
        let id = |item: &Item| text_of(item, "sk").map(str::to_owned);
        let next = found.last_evaluated_key.as_ref().and_then(id);
        Ok((found.items.iter().flatten().filter_map(id).collect(), next))
    }

    /// Writes all or nothing; false when a condition does not hold.
    async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<bool, L3Error> {
        match self.client().await?.transact_write_items().set_transact_items(Some(writes)).send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) if error.err().is_transaction_canceled_exception() => {
                let reasons = match error.err() {
                    TransactWriteItemsError::TransactionCanceledException(why) => why.cancellation_reasons(),
                    _ => &[],
                };
                let refused = reasons.iter().any(|reason| reason.code() == Some("ConditionalCheckFailed"));
                if refused { Ok(false) } else { Err(L3Error::Failed("the transaction was cancelled".into())) }
            }
            Err(error) => Err(self.failed(error)),
        }
    }
}

impl JobRecord {
    fn item(&self) -> Item {
        let mut item = job_key(&self.job.id);
        let counters = self.job.counters;
        item.extend([
            ("kind".to_owned(), text(&self.job.kind)),
            ("state".to_owned(), text(self.job.state.name())),
            ("body".to_owned(), text(&self.body)),
            ("progress".to_owned(), text(&self.progress)),
            ("created".to_owned(), number(self.job.created_ms)),
            ("updated".to_owned(), number(self.job.updated_ms)),
            ("run_at".to_owned(), number(self.run_at_ms)),
            ("done".to_owned(), number(counters.done)),
            ("missing".to_owned(), number(counters.missing)),
            ("failed".to_owned(), number(counters.failed)),
        ]);
        item
    }

    /// Reads a job; `None` for what this release does not understand.
    fn of(item: &Item) -> Option<JobRecord> {
        let count = |name| number_of(item, name).unwrap_or_default();
        let job = Job {
            id: text_of(item, "pk")?.strip_prefix(PREFIX)?.to_owned(),
            kind: text_of(item, "kind")?.to_owned(),
            state: JobState::named(text_of(item, "state")?)?,
            counters: Counters { done: count("done"), missing: count("missing"), failed: count("failed") },
            created_ms: number_of(item, "created")?,
            updated_ms: number_of(item, "updated")?,
            error: text_of(item, "error").filter(|error| !error.is_empty()).map(str::to_owned),
        };
        let own = |name| text_of(item, name).unwrap_or_default().to_owned();
        Some(JobRecord {
            job,
            body: own("body"),
            progress: own("progress"),
            run_at_ms: number_of(item, "run_at").unwrap_or_default(),
        })
    }
}

fn job_key(id: &str) -> Item {
    Item::from([("pk".to_owned(), text(format!("{PREFIX}{id}"))), ("sk".to_owned(), text("-"))])
}

fn undone_key(id: &str) -> Item {
    Item::from([("pk".to_owned(), text(UNDONE)), ("sk".to_owned(), text(id))])
}

/// Placeholders for attribute names, many of which are reserved words.
fn names(attributes: &[&str]) -> HashMap<String, String> {
    attributes.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect()
}
