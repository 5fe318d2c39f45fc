//! When each task of maintenance is due, in the control table, so that one container of the fleet does it at a time; and
//! what was measured of warm jobs.

use super::{Item, client::Store, error::L3Error, number, number_of, text, text_of};
use aws_sdk_dynamodb::types::ReturnValue;

/// The sort key of what was measured of warm jobs.
const WARMING: &str = "warming";

/// What is done every so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// The sweep of the indexes of L2.
    Sweep,
    /// The count of what L3 holds.
    Census,
}

/// What a container is told when it may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    task: Task,
    /// Where the turn before was cut off; empty when it came to the end.
    pub progress: String,
    /// Until when nobody else does it, in ms; names the container as well.
    until_ms: i64,
}

impl Store {
    /// Claims a task until `until_ms`, if it is due by `due_by_ms`; one that somebody else is at is due when that claim
    /// ends.
    pub(crate) async fn claim(&self, task: Task, due_by_ms: i64, until_ms: i64) -> Result<Option<Due>, L3Error> {
        let update = self
            .control_update(key(task.name()))
            .await?
            .update_expression("SET next_at = :until")
            .condition_expression("attribute_not_exists(next_at) OR next_at <= :due")
            .expression_attribute_values(":until", number(until_ms))
            .expression_attribute_values(":due", number(due_by_ms))
            .return_values(ReturnValue::AllNew);
        let claimed = self.update(update).await?;
        Ok(claimed.map(|claimed| {
            let progress = claimed.attributes.as_ref().and_then(|item| text_of(item, "progress"));
            Due { task, progress: progress.unwrap_or_default().to_owned(), until_ms }
        }))
    }

    /// Writes down how far a task has come, and when it is due again, unless somebody else has begun meanwhile.
    pub(crate) async fn end_turn(&self, due: &Due, progress: &str, next_at_ms: i64) -> Result<(), L3Error> {
        let update = self
            .control_update(key(due.task.name()))
            .await?
            .update_expression("SET next_at = :next, #progress = :progress")
            .condition_expression("next_at = :until")
            .expression_attribute_names("#progress", "progress")
            .expression_attribute_values(":next", number(next_at_ms))
            .expression_attribute_values(":progress", text(progress))
            .expression_attribute_values(":until", number(due.until_ms));
        self.update(update).await.map(drop)
    }

    /// How many keys a second the last warm job loaded; `None` before the first one.
    pub(crate) async fn warm_rate(&self) -> Result<Option<u64>, L3Error> {
        let found = self.control_item(key(WARMING)).await?;
        Ok(found.and_then(|found| number_of(&found, "keys_per_second")))
    }

    /// Remembers how many keys a second a warm job loaded.
    pub(crate) async fn learn_warm_rate(&self, keys_per_second: u64) -> Result<(), L3Error> {
        let update = self
            .control_update(key(WARMING))
            .await?
            .update_expression("SET keys_per_second = :rate")
            .expression_attribute_values(":rate", number(keys_per_second));
        self.update(update).await.map(drop)
    }
}

impl Task {
    const fn name(self) -> &'static str {
        match self {
            Task::Sweep => "index",
            Task::Census => "census",
        }
    }
}

fn key(name: &str) -> Item {
    Item::from([("pk".to_owned(), text("maintenance")), ("sk".to_owned(), text(name))])
}
