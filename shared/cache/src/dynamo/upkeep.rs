//! What maintenance does with jobs: calls for them, and mends what the release before leaves of their rows.

use super::{
    client::Store,
    error::L3Error,
    job_queue::{self, Place, QueueState},
    jobs::{NewJob, STATE, deletes, key, updates},
    names, number, text,
};
use crate::job::{Job, JobState};
use aws_sdk_dynamodb::types::{Delete, TransactWriteItem, Update};

impl Store {
    /// Calls whoever reads the stream for a job that waits for its time, was called for before `unanswered_ms` and not
    /// heard of since, or whose runner has not been heard of since `silent_since_ms`; returns whether it did.
    pub(crate) async fn wake_job(
        &self,
        place: &Place,
        (unanswered_ms, silent_since_ms): (i64, i64),
    ) -> Result<bool, L3Error> {
        let now_ms = self.clock.now_ms();
        let state = Update::builder()
            .table_name(&self.control)
            .set_key(Some(key(&place.job, STATE)))
            .update_expression("SET #state = :ready, #updated = :now REMOVE #owner")
            .condition_expression(
                "#state = :scheduled OR (#state = :ready AND #updated < :unanswered) \
                 OR (#state = :running AND #updated < :silent)",
            )
            .set_expression_attribute_names(Some(names(&["state", "updated", "owner"])))
            .expression_attribute_values(":ready", text(JobState::Ready.name()))
            .expression_attribute_values(":scheduled", text(JobState::Scheduled.name()))
            .expression_attribute_values(":running", text(JobState::Running.name()))
            .expression_attribute_values(":unanswered", number(unanswered_ms))
            .expression_attribute_values(":silent", number(silent_since_ms))
            .expression_attribute_values(":now", number(now_ms));
        let row = job_queue::upsert(&self.control, place.run_at_ms, &place.job, QueueState::Called { now_ms });
        self.transact(updates([state.build().expect("all are given"), row])).await
    }

    /// Takes a job out of the line, and frees what it holds of its account, if it is over: who ended it was of the
    /// release before, and did not know of either.
    pub(crate) async fn forget_if_over(&self, place: &Place) -> Result<(), L3Error> {
        let record = self.job(&place.job).await?;
        let marks = match &record {
            Some(record) if record.job.is_over() => self.marks(record),
            Some(_) => return Ok(()),
            None => {
                let row = Delete::builder()
                    .table_name(&self.control)
                    .set_key(Some(job_queue::key(place.run_at_ms, &place.job)));
                vec![row.build().expect("both are given")]
            }
        };
        self.transact(deletes(marks)).await.map(drop)
    }

    /// Puts a job of the release before into the line, unless it is over.
    pub(crate) async fn line_up(&self, id: &str) -> Result<(), L3Error> {
        let record = self.job(id).await?.filter(|record| !record.job.is_over());
        let place = record.map(|record| {
            let Job { run_at_ms, updated_ms, ref kind, state, .. } = record.job;
            let called_ms = (state != JobState::Scheduled).then_some(updated_ms);
            let new = NewJob { run_at_ms, ..NewJob::ready(id, kind, "") };
            Place { called_ms, ..new.place(0) }.put(&self.control, kind)
        });
        let former = Delete::builder().table_name(&self.control).set_key(Some(job_queue::former_key(id)));
        let mut writes = deletes([former.build().expect("both are given")]);
        writes.extend(place.map(|put| TransactWriteItem::builder().put(put).build()));
        self.transact(writes).await.map(drop)
    }
}
