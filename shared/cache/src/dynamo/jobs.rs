//! Jobs in the control table, each in a partition of its own, so that the stream's order never makes one job wait for
//! another: an item of how far it is, which is written often and stays small, and one of what it is to do, which is
//! written once. A row in the partition of those that are not over is how maintenance finds them.
//!
//! Whoever works on a job holds it by name: every write is conditional on still being the owner. One that has not been
//! heard of for a while is nobody's.

use super::{
    Item,
    bulletin::{delete_barrier, put_barrier},
    client::{L3Error, Store},
    number, number_of, text, text_of,
};
use crate::{
    job::{Counters, Estimate, Job, JobState, REMOVAL},
    selector::{Selector, Written},
    version::Position,
    warm::Warm,
};
use aws_sdk_dynamodb::types::{Delete, Put, ReturnValue, TransactWriteItem, Update};
use std::collections::HashMap;

/// How long a job that is over stays readable, in seconds: a week.
const KEEP_SECONDS: i64 = 7 * 86_400;
/// Stands before the id in a job's partition key, which the stream's filter knows as well.
const PREFIX: &str = "job#";
/// The sort keys of a job's two items.
const STATE: &str = "-";
const BODY: &str = "body";
/// The partition of jobs that are not over.
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
    /// Ready, or scheduled.
    pub state: JobState,
    /// When maintenance calls it while it is scheduled, in ms since the Unix epoch.
    pub run_at_ms: i64,
    pub estimate: Option<Estimate>,
    /// The barrier that stands until it is done.
    pub barrier: Option<&'a str>,
}

impl<'a> NewJob<'a> {
    /// A job that is ready at once, and has done nothing yet.
    pub(crate) fn ready(id: &'a str, kind: &'a str, body: &'a str) -> NewJob<'a> {
        NewJob {
            id,
            kind,
            body,
            progress: "",
            counters: Counters::default(),
            state: JobState::Ready,
            run_at_ms: 0,
            estimate: None,
            barrier: None,
        }
    }
}

impl Store {
    /// Accepts a job, and leaves its barrier, together or not at all; returns whether there was none of that name.
    pub(crate) async fn create_job(&self, new: &NewJob<'_>) -> Result<bool, L3Error> {
        let put = |item| Put::builder().table_name(&self.control).set_item(Some(item));
        let state = put(new.item(self.clock.now_ms())).condition_expression("attribute_not_exists(pk)");
        let mut body = key(new.id, BODY);
        body.insert("body".to_owned(), text(new.body));
        let mut undone = undone_key(new.id);
        undone.insert("run_at".to_owned(), number(new.run_at_ms));
        let writes = [state, put(body), put(undone)];
        let writes = writes.map(|put| put.build().expect("table and item are given"));
        let barrier = new.barrier.map(|barrier| put_barrier(&self.control, new.id, barrier));
        let writes = writes.into_iter().chain(barrier).map(|put| TransactWriteItem::builder().put(put).build());
        self.transact(writes.collect()).await
    }

    /// What is known of a job, by a consistent read of both its items.
    pub(crate) async fn job(&self, id: &str) -> Result<Option<JobRecord>, L3Error> {
        let found = self
            .client()
            .await?
            .query()
            .table_name(&self.control)
            .key_condition_expression("pk = :job")
            .expression_attribute_values(":job", text(format!("{PREFIX}{id}")))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| self.failed(error))?;
        let items = found.items.unwrap_or_default();
        let item = |sort| items.iter().find(|item| text_of(item, "sk") == Some(sort));
        Ok(item(STATE).and_then(|state| JobRecord::of(state, item(BODY))))
    }

    /// How far a job is, without what it is to do.
    pub(crate) async fn job_state(&self, id: &str) -> Result<Option<JobRecord>, L3Error> {
        let found = self.control_item(key(id, STATE)).await?;
        Ok(found.as_ref().and_then(|state| JobRecord::of(state, None)))
    }

    /// Whether `owner` still works on a job.
    pub(crate) async fn holds_job(&self, id: &str, owner: &str) -> Result<bool, L3Error> {
        let found = self.control_item(key(id, STATE)).await?;
        Ok(found.as_ref().and_then(|state| text_of(state, "owner")) == Some(owner))
    }

    /// Makes `owner` the one who works on a job that is ready, or that has not been heard of since `silent_since_ms`;
    /// `None` when it is neither.
    pub(crate) async fn take_job(
        &self,
        id: &str,
        owner: &str,
        silent_since_ms: i64,
    ) -> Result<Option<JobRecord>, L3Error> {
        let set = "SET #state = :running, #owner = :owner, #updated = :now, #started = if_not_exists(#started, :now)";
        let update = self
            .control_update(key(id, STATE))
            .await?
            .update_expression(set)
            .condition_expression("#state = :ready OR (#state = :running AND (#updated < :silent OR #owner = :owner))")
            .set_expression_attribute_names(Some(names(&["state", "owner", "updated", "started"])))
            .expression_attribute_values(":running", text(JobState::Running.name()))
            .expression_attribute_values(":ready", text(JobState::Ready.name()))
            .expression_attribute_values(":owner", text(owner))
            .expression_attribute_values(":now", number(self.clock.now_ms()))
            .expression_attribute_values(":silent", number(silent_since_ms))
            .return_values(ReturnValue::AllNew);
        let Some(taken) = self.update(update).await?.and_then(|taken| taken.attributes) else { return Ok(None) };
        let body = self.control_item(key(id, BODY)).await?;
        Ok(JobRecord::of(&taken, body.as_ref()))
    }

    /// Writes down how far a job is, in the state it has in `record`; returns whether `owner` still holds it. In any
    /// state but running it is nobody's after.
    pub(crate) async fn save_job(&self, record: &JobRecord, owner: &str) -> Result<bool, L3Error> {
        let held = record.job.state == JobState::Running;
        let release = if held { "" } else { " REMOVE #owner" };
        let set = "SET #state = :state, #progress = :progress, #updated = :now, #done = :done, #missing = :missing, \
                   #failed = :failed, #errors = :errors, #error = :error";
        let update = self
            .control_update(key(&record.job.id, STATE))
            .await?
            .update_expression(format!("{set}{release}"))
            .condition_expression("#owner = :owner")
            .set_expression_attribute_names(Some(names(&[
                "state", "progress", "updated", "done", "missing", "failed", "errors", "error", "owner",
            ])))
            .set_expression_attribute_values(Some(record.outcome(owner, self.clock.now_ms())))
            .expression_attribute_values(":progress", text(&record.progress));
        Ok(self.update(update).await?.is_some())
    }

    /// Ends a job in the state it has in `record`, and lifts its barrier, together or not at all; returns whether `owner`
    /// still held it.
    pub(crate) async fn end_job(&self, record: &JobRecord, owner: &str) -> Result<bool, L3Error> {
        let now_ms = self.clock.now_ms();
        let set = "SET #state = :state, #updated = :now, #finished = :now, #done = :done, #missing = :missing, \
                   #failed = :failed, #errors = :errors, #error = :error, #ttl = :ttl REMOVE #owner, #progress";
        let state = Update::builder()
            .table_name(&self.control)
            .set_key(Some(key(&record.job.id, STATE)))
            .update_expression(set)
            .condition_expression("#owner = :owner")
            .set_expression_attribute_names(Some(names(&[
                "state", "updated", "finished", "done", "missing", "failed", "errors", "error", "ttl", "owner",
                "progress",
            ])))
            .set_expression_attribute_values(Some(record.outcome(owner, now_ms)))
            .expression_attribute_values(":ttl", number(now_ms / 1000 + KEEP_SECONDS));
        self.end(&record.job.id, state.build().expect("all are given")).await
    }

    /// Cancels a job that has not ended; returns whether it had not.
    pub(crate) async fn cancel_job(&self, id: &str) -> Result<bool, L3Error> {
        let now_ms = self.clock.now_ms();
        let state = Update::builder()
            .table_name(&self.control)
            .set_key(Some(key(id, STATE)))
            .update_expression(
                "SET #state = :state, #updated = :now, #finished = :now, #ttl = :ttl REMOVE #owner, #progress",
            )
            .condition_expression("#state IN (:scheduled, :ready, :running)")
            .set_expression_attribute_names(Some(names(&["state", "updated", "finished", "ttl", "owner", "progress"])))
            .expression_attribute_values(":state", text(JobState::Cancelled.name()))
            .expression_attribute_values(":scheduled", text(JobState::Scheduled.name()))
            .expression_attribute_values(":ready", text(JobState::Ready.name()))
            .expression_attribute_values(":running", text(JobState::Running.name()))
            .expression_attribute_values(":now", number(now_ms))
            .expression_attribute_values(":ttl", number(now_ms / 1000 + KEEP_SECONDS));
        self.end(id, state.build().expect("all are given")).await
    }

    /// Ends a job by this update of its state; returns whether the update's condition held.
    async fn end(&self, id: &str, state: Update) -> Result<bool, L3Error> {
        let body = Update::builder()
            .table_name(&self.control)
            .set_key(Some(key(id, BODY)))
            .update_expression("SET #ttl = :ttl")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":ttl", number(self.clock.now_ms() / 1000 + KEEP_SECONDS));
        let undone = Delete::builder().table_name(&self.control).set_key(Some(undone_key(id)));
        self.transact(vec![
            TransactWriteItem::builder().update(state).build(),
            TransactWriteItem::builder().update(body.build().expect("all are given")).build(),
            TransactWriteItem::builder().delete(undone.build().expect("both are given")).build(),
            TransactWriteItem::builder().delete(delete_barrier(&self.control, id)).build(),
        ])
        .await
    }

    /// Calls whoever reads the stream for a job that is still as `seen`; returns whether it was.
    pub(crate) async fn wake_job(&self, seen: &JobRecord) -> Result<bool, L3Error> {
        let update = self
            .control_update(key(&seen.job.id, STATE))
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

    /// A page of the jobs that are not over, and when each is, or was, to begin; those after the job `after`, and the job after which the next page begins.
    pub(crate) async fn undone_jobs(
        &self,
        after: Option<&str>,
    ) -> Result<(Vec<(String, i64)>, Option<String>), L3Error> {
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
        let job = |item| Some((id(item)?, number_of(item, "run_at")?));
        Ok((found.items.iter().flatten().filter_map(job).collect(), next))
    }
}

impl NewJob<'_> {
    fn item(&self, now_ms: i64) -> Item {
        let mut item = key(self.id, STATE);
        item.extend([
            ("kind".to_owned(), text(self.kind)),
            ("state".to_owned(), text(self.state.name())),
            ("progress".to_owned(), text(self.progress)),
            ("created".to_owned(), number(now_ms)),
            ("updated".to_owned(), number(now_ms)),
            ("run_at".to_owned(), number(self.run_at_ms.max(now_ms))),
            ("done".to_owned(), number(self.counters.done)),
        ]);
        if let Some(Estimate { keys, completion_ms }) = self.estimate {
            item.insert("estimated".to_owned(), number(keys));
            item.insert("completion".to_owned(), number(completion_ms));
        }
        item
    }
}

impl JobRecord {
    /// What the update of a job that `owner` works on says of it, by placeholders.
    fn outcome(&self, owner: &str, now_ms: i64) -> Item {
        let Job { state, counters, errors, error, .. } = &self.job;
        let errors = serde_json::to_string(errors).expect("texts and numbers are always JSON");
        Item::from([
            (":owner".to_owned(), text(owner)),
            (":state".to_owned(), text(state.name())),
            (":now".to_owned(), number(now_ms)),
            (":done".to_owned(), number(counters.done)),
            (":missing".to_owned(), number(counters.missing)),
            (":failed".to_owned(), number(counters.failed)),
            (":errors".to_owned(), text(errors)),
            (":error".to_owned(), text(error.as_deref().unwrap_or_default())),
        ])
    }

    /// Reads a job; `None` for what this release does not understand.
    fn of(state: &Item, body: Option<&Item>) -> Option<JobRecord> {
        let count = |name| number_of(state, name).unwrap_or_default();
        let body = body.and_then(|body| text_of(body, "body")).unwrap_or_default();
        let kind = text_of(state, "kind")?;
        let estimated = number_of(state, "estimated").zip(number_of(state, "completion"));
        let job = Job {
            id: text_of(state, "pk")?.strip_prefix(PREFIX)?.to_owned(),
            kind: kind.to_owned(),
            state: JobState::named(text_of(state, "state")?)?,
            counters: Counters { done: count("done"), missing: count("missing"), failed: count("failed") },
            created_ms: number_of(state, "created")?,
            updated_ms: number_of(state, "updated")?,
            run_at_ms: number_of(state, "run_at")?,
            started_ms: number_of(state, "started"),
            finished_ms: number_of(state, "finished"),
            estimate: estimated.map(|(keys, completion_ms)| Estimate { keys, completion_ms }),
            error: text_of(state, "error").filter(|error| !error.is_empty()).map(str::to_owned),
            errors: text_of(state, "errors").and_then(|errors| serde_json::from_str(errors).ok()).unwrap_or_default(),
            warm: Warm::read(body),
            removes: removed(kind, body),
        };
        let progress = text_of(state, "progress").unwrap_or_default().to_owned();
        Some(JobRecord { job, body: body.to_owned(), progress })
    }
}

/// What a job of that kind is to remove.
fn removed(kind: &str, body: &str) -> Option<Selector> {
    let meant = (kind == REMOVAL).then(|| Written::read(Position::ZERO, body))?;
    meant.map(|invalidation| invalidation.selector)
}

fn key(id: &str, sort: &str) -> Item {
    Item::from([("pk".to_owned(), text(format!("{PREFIX}{id}"))), ("sk".to_owned(), text(sort))])
}

fn undone_key(id: &str) -> Item {
    Item::from([("pk".to_owned(), text(UNDONE)), ("sk".to_owned(), text(id))])
}

/// Placeholders for attribute names, many of which are reserved words.
fn names(attributes: &[&str]) -> HashMap<String, String> {
    attributes.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect()
}
