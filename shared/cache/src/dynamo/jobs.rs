//! Jobs in the control table, each in a partition of its own, so that the stream's order never makes one job wait for
//! another: an item of how far it is, which is written often and stays small, and one of what it is to do, which is
//! written once. Until it has ended it is in the [queue](super::job_queue) and counts for its [account](super::accounts).
//!
//! A runner owns a job by name: every write is conditional on still being the owner. If an owner has not been heard of for a
//! while, the job is free again.

use super::{
    Item, accounts,
    bulletin::{delete_open_invalidation, put_open_invalidation},
    client::Store,
    error::L3Error,
    job_queue::{self, Place, QueueState},
    names, number, number_of, text, text_of,
};
use crate::{
    job::{Counters, Estimate, Job, JobState, REMOVAL},
    selector::{Selector, WrittenInvalidation},
    version::Position,
    warm::Warm,
};
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};

/// How long a job that is over stays readable, in seconds: a week.
const KEEP_SECONDS: i64 = 7 * 86_400;
/// Stands before the id in a job's partition key, which the stream's filter knows as well.
const PREFIX: &str = "job#";
/// The sort keys of a job's two items.
pub(super) const STATE: &str = "-";
const BODY: &str = "body";

/// A job as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct JobRecord {
    pub job: Job,
    /// What it is to do, by its kind.
    pub body: String,
    /// How far it has come, by its kind; empty at the beginning.
    pub progress: String,
    /// On whose account it is; empty for nobody's.
    account: String,
    /// What it holds of that while it is not over.
    slot: String,
}

/// What became of a job to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Creation {
    /// It is accepted.
    Made,
    /// There is one of that name.
    Exists,
    /// Somebody else has its slot.
    SlotTaken,
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
    /// The open invalidation that stands until it is done.
    pub open_invalidation: Option<&'a str>,
    /// On whose account it is, and what it holds of that while it is not over; `None` for nobody's.
    pub account: Option<(&'a str, &'a str)>,
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
            open_invalidation: None,
            account: None,
        }
    }
}

impl Store {
    /// Accepts a job, and leaves its open invalidation, together or not at all.
    pub(crate) async fn create_job(&self, new: &NewJob<'_>) -> Result<Creation, L3Error> {
        let now_ms = self.clock.now_ms();
        let put = |item| Put::builder().table_name(&self.control).set_item(Some(item));
        let state = put(new.item(now_ms)).condition_expression("attribute_not_exists(pk)");
        let mut body = key(new.id, BODY);
        body.insert("body".to_owned(), text(new.body));
        let [state, body] = [state, put(body)].map(|put| put.build().expect("table and item are given"));
        let place = new.place(now_ms).put(&self.control, new.kind);
        let slot = new.account.map(|(account, slot)| accounts::hold(&self.control, account, slot, new.id));
        let open_invalidation = new
            .open_invalidation
            .map(|open_invalidation| put_open_invalidation(&self.control, new.id, open_invalidation));
        let puts = [state, body, place].into_iter().chain(open_invalidation).chain(slot);
        let writes: Vec<_> = puts.map(|put| TransactWriteItem::builder().put(put).build()).collect();
        let refused = self.refused_of(writes).await?;
        Ok(match refused.first() {
            None => Creation::Made,
            Some(0) => Creation::Exists,
            Some(_) => Creation::SlotTaken,
        })
    }

    /// What is known of a job, by a consistent read of both its items.
    pub(crate) async fn job(&self, id: &str) -> Result<Option<JobRecord>, L3Error> {
        let found = self.page(self.control_query(text(format!("{PREFIX}{id}"))).await?).await?;
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

    /// Makes `owner` the one who works on a job that is ready, or that has not been heard of since `silent_since_ms`, for
    /// no longer than until `until_ms`; `None` when it is neither.
    pub(crate) async fn take_job(
        &self,
        place: &Place,
        owner: &str,
        (silent_since_ms, until_ms): (i64, i64),
    ) -> Result<Option<JobRecord>, L3Error> {
        let set = "SET #state = :running, #owner = :owner, #updated = :now, #started = if_not_exists(#started, :now)";
        let state = Update::builder()
            .table_name(&self.control)
            .set_key(Some(key(&place.job, STATE)))
            .update_expression(set)
            .condition_expression("#state = :ready OR (#state = :running AND (#updated < :silent OR #owner = :owner))")
            .set_expression_attribute_names(Some(names(&["state", "owner", "updated", "started"])))
            .expression_attribute_values(":running", text(JobState::Running.name()))
            .expression_attribute_values(":ready", text(JobState::Ready.name()))
            .expression_attribute_values(":owner", text(owner))
            .expression_attribute_values(":now", number(self.clock.now_ms()))
            .expression_attribute_values(":silent", number(silent_since_ms));
        let row = job_queue::upsert(&self.control, place.run_at_ms, &place.job, QueueState::Taken { until_ms });
        let taken = self.transact(updates([state.build().expect("all are given"), row])).await?;
        if taken { self.job(&place.job).await } else { Ok(None) }
    }

    /// Writes down how far a job is, in the state it has in `record`; returns whether `owner` still holds it. In any
    /// state but running it is nobody's after, and waits in the line again.
    pub(crate) async fn save_job(&self, record: &JobRecord, owner: &str) -> Result<bool, L3Error> {
        let now_ms = self.clock.now_ms();
        let (release, queue_state) = match record.job.state {
            JobState::Running => ("", None),
            JobState::Ready => (" REMOVE #owner", Some(QueueState::Back { now_ms })),
            _ => (" REMOVE #owner", Some(QueueState::Parked)),
        };
        let set = "SET #state = :state, #progress = :progress, #updated = :now, #done = :done, #missing = :missing, \
                   #failed = :failed, #errors = :errors, #error = :error";
        let state = Update::builder()
            .table_name(&self.control)
            .set_key(Some(key(&record.job.id, STATE)))
            .update_expression(format!("{set}{release}"))
            .condition_expression("#owner = :owner")
            .set_expression_attribute_names(Some(names(&[
                "state", "progress", "updated", "done", "missing", "failed", "errors", "error", "owner",
            ])))
            .set_expression_attribute_values(Some(record.outcome(owner, now_ms)))
            .expression_attribute_values(":progress", text(&record.progress));
        let state = state.build().expect("all are given");
        let row =
            queue_state.map(|state| job_queue::upsert(&self.control, record.job.run_at_ms, &record.job.id, state));
        self.transact(updates([state].into_iter().chain(row))).await
    }

    /// Ends a job in the state it has in `record`, and lifts its open invalidation, together or not at all; returns
    /// whether `owner` still held it.
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
        self.end(record, state.build().expect("all are given")).await
    }

    /// Cancels a job that has not ended; returns whether it had not.
    pub(crate) async fn cancel_job(&self, record: &JobRecord) -> Result<bool, L3Error> {
        let now_ms = self.clock.now_ms();
        let state = Update::builder()
            .table_name(&self.control)
            .set_key(Some(key(&record.job.id, STATE)))
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
        self.end(record, state.build().expect("all are given")).await
    }

    /// Ends a job by this update of its state; returns whether the update's condition held.
    async fn end(&self, record: &JobRecord, state: Update) -> Result<bool, L3Error> {
        let (id, now_ms) = (&record.job.id, self.clock.now_ms());
        let ttl = now_ms / 1000 + KEEP_SECONDS;
        let body = Update::builder()
            .table_name(&self.control)
            .set_key(Some(key(id, BODY)))
            .update_expression("SET #ttl = :ttl")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":ttl", number(ttl));
        let mut writes = updates([state, body.build().expect("all are given")]);
        writes.extend(deletes(self.marks(record).into_iter().chain([delete_open_invalidation(&self.control, id)])));
        if record.is_on_account() {
            let kept = accounts::keep(&self.control, &record.account, (id, now_ms, ttl));
            writes.push(TransactWriteItem::builder().put(kept).build());
        }
        self.transact(writes).await
    }

    /// The requests that take away what says that a job is not over.
    pub(super) fn marks(&self, record: &JobRecord) -> Vec<Delete> {
        let row = Delete::builder()
            .table_name(&self.control)
            .set_key(Some(job_queue::key(record.job.run_at_ms, &record.job.id)));
        let slot = record.is_on_account().then(|| accounts::free(&self.control, &record.account, &record.slot));
        [row.build().expect("both are given")].into_iter().chain(slot).collect()
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
        if let Some((account, slot)) = self.account {
            item.insert("account".to_owned(), text(account));
            item.insert("slot".to_owned(), text(slot));
        }
        if let Some(Estimate { keys, completion_ms }) = self.estimate {
            item.insert("estimated".to_owned(), number(keys));
            item.insert("completion".to_owned(), number(completion_ms));
        }
        item
    }

    pub(super) fn place(&self, now_ms: i64) -> Place {
        let run_at_ms = self.run_at_ms.max(now_ms);
        Place {
            job: self.id.to_owned(),
            run_at_ms,
            account: self.account.map_or(job_queue::NOBODY, |(account, _)| account).to_owned(),
            is_removal: self.kind == REMOVAL,
            since_ms: run_at_ms,
            called_ms: (self.state == JobState::Ready).then_some(now_ms),
            busy_until_ms: 0,
        }
    }
}

impl JobRecord {
    fn is_on_account(&self) -> bool {
        !self.account.is_empty()
    }

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
        let said = |name| text_of(state, name).unwrap_or_default().to_owned();
        let (progress, account, slot) = (said("progress"), said("account"), said("slot"));
        Some(JobRecord { job, body: body.to_owned(), progress, account, slot })
    }
}

/// What a job of that kind is to remove.
fn removed(kind: &str, body: &str) -> Option<Selector> {
    let meant = (kind == REMOVAL).then(|| WrittenInvalidation::read(Position::ZERO, body))?;
    meant.map(|invalidation| invalidation.selector)
}

pub(super) fn key(id: &str, sort: &str) -> Item {
    Item::from([("pk".to_owned(), text(format!("{PREFIX}{id}"))), ("sk".to_owned(), text(sort))])
}

pub(super) fn updates(updates: impl IntoIterator<Item = Update>) -> Vec<TransactWriteItem> {
    updates.into_iter().map(|update| TransactWriteItem::builder().update(update).build()).collect()
}

pub(super) fn deletes(deletes: impl IntoIterator<Item = Delete>) -> Vec<TransactWriteItem> {
    deletes.into_iter().map(|delete| TransactWriteItem::builder().delete(delete).build()).collect()
}
