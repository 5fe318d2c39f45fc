//! The queue of unfinished jobs: one row each, sorted by the time at which it is to begin, so that what is due is the
//! beginning of one partition, however much waits for later. A row is written in the same transaction as the job's state and
//! holds only what a runner that looks for work must know; who works on a job is decided by the job's state alone.
//!
//! Next to it is when each account was last served, which only decides whose turn it is and may be lost.

use super::{Item, client::Store, error::L3Error, names, number, number_of, text, text_of};
use crate::job::REMOVAL;
use aws_sdk_dynamodb::types::{Put, Update};
use futures_util::future::try_join;
use std::collections::HashMap;

/// The partition of the rows.
pub(super) const LINE: &str = "jobs";
/// The partition that says when each account was served last.
const TURNS: &str = "turns";
/// How long that is known, in seconds: much longer than anybody waits for a turn.
const KEEP_TURN_SECONDS: i64 = 3600;
/// Most pages of the line, of a megabyte each, that are read at a time: over twenty thousand jobs that are due.
const MOST_PAGES: usize = 4;
/// Whose turn it is where a job is on no account.
pub(super) const NOBODY: &str = "-";
/// Sorts after every row of this release, and before those of the release before, which begin with the job's name.
const END: &str = ":";

/// A job that is due and not over, as its row has it. Times are in ms since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub job: String,
    /// When it was to begin.
    pub run_at_ms: i64,
    /// On whose account it is worked on, or [`NOBODY`]'s.
    pub account: String,
    pub is_removal: bool,
    /// Since when it waits for a turn.
    pub since_ms: i64,
    /// When somebody was called for it last; `None` where it waits for maintenance.
    pub called_ms: Option<i64>,
    /// Until when whoever works on it may do so without being heard of.
    pub busy_until_ms: i64,
}

/// What is due, and when each account was served last.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub places: Vec<Place>,
    pub served_ms: HashMap<String, i64>,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum QueueState {
    /// Somebody works on the job, and need not be heard of until then.
    Taken { until_ms: i64 },
    /// It waits for another turn, and somebody was called.
    Back { now_ms: i64 },
    /// It waits for maintenance.
    Parked,
    /// Somebody was called again; it has waited all the time.
    Called { now_ms: i64 },
}

impl Store {
    /// The jobs that are due, and who was served when.
    pub(crate) async fn line(&self) -> Result<Line, L3Error> {
        let until = format!("{}$", at(self.clock.now_ms()));
        let places =
            async { Ok(self.rows_at(LINE, "sk <= :key", &until).await?.iter().filter_map(Place::of).collect()) };
        let served = async {
            let items = self.rows_at(TURNS, "sk >= :key", "!").await?;
            let turn = |item| Some((text_of(item, "sk")?.to_owned(), number_of(item, "served")?));
            Ok(items.iter().filter_map(turn).collect())
        };
        let (places, served_ms) = try_join(places, served).await?;
        Ok(Line { places, served_ms })
    }

    /// The names of jobs of the release before, whose rows say no more than that they are not over.
    pub(crate) async fn rows_of_the_release_before(&self) -> Result<Vec<String>, L3Error> {
        let items = self.rows_at(LINE, "sk > :key", END).await?;
        Ok(items.iter().filter_map(|item| text_of(item, "sk")).map(str::to_owned).collect())
    }

    async fn rows_at(&self, partition: &str, which: &str, key: &str) -> Result<Vec<Item>, L3Error> {
        let (mut items, mut after) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let query = self
                .control_query(text(partition))
                .await?
                .key_condition_expression(format!("pk = :pk AND {which}"))
                .expression_attribute_values(":key", text(key))
                .set_exclusive_start_key(after);
            let page = self.page(query).await?;
            items.extend(page.items.unwrap_or_default());
            after = page.last_evaluated_key;
            if after.is_none() {
                break;
            }
        }
        Ok(items)
    }

    /// Writes down that an account is served now.
    pub(crate) async fn note_turn(&self, account: &str) -> Result<(), L3Error> {
        let now_ms = self.clock.now_ms();
        let put = self.client().await?.put_item().table_name(&self.control);
        let put = put
            .item("pk", text(TURNS))
            .item("sk", text(account))
            .item("served", number(now_ms))
            .item("ttl", number(now_ms / 1000 + KEEP_TURN_SECONDS));
        put.send().await.map_err(|error| self.failed(error))?;
        Ok(())
    }
}

impl Place {
    /// Whether somebody works on it, as far as the row says.
    pub(crate) fn is_busy(&self, now_ms: i64) -> bool {
        self.busy_until_ms > now_ms
    }

    /// Whether it waits for whoever was called.
    pub(crate) fn waits(&self, now_ms: i64) -> bool {
        self.called_ms.is_some() && !self.is_busy(now_ms)
    }

    fn of(item: &Item) -> Option<Place> {
        let (at, job) = text_of(item, "sk")?.split_once('#')?;
        let run_at_ms = at.parse().ok()?;
        Some(Place {
            job: job.to_owned(),
            run_at_ms,
            account: text_of(item, "account").unwrap_or(NOBODY).to_owned(),
            is_removal: text_of(item, "kind") == Some(REMOVAL),
            since_ms: number_of(item, "since").unwrap_or(run_at_ms),
            called_ms: number_of(item, "called"),
            busy_until_ms: number_of(item, "until").unwrap_or_default(),
        })
    }

    /// The request that puts a job into the line, for a transaction.
    pub(super) fn put(&self, table: &str, kind: &str) -> Put {
        let mut item = key(self.run_at_ms, &self.job);
        item.insert("kind".to_owned(), text(kind));
        item.insert("account".to_owned(), text(self.account.as_str()));
        item.insert("since".to_owned(), number(self.since_ms));
        if let Some(called_ms) = self.called_ms {
            item.insert("called".to_owned(), number(called_ms));
        }
        Put::builder().table_name(table).set_item(Some(item)).build().expect("table and item are given")
    }
}

/// The request that changes a row, for a transaction. A job that is over has none, and gets none.
pub(super) fn upsert(table: &str, run_at_ms: i64, job: &str, state: QueueState) -> Update {
    let (update, written, value) = match state {
        QueueState::Taken { until_ms } => ("SET #until = :value", &["until"][..], Some(until_ms)),
        QueueState::Back { now_ms } => {
            ("SET #since = :value, #called = :value REMOVE #until", &["since", "called", "until"][..], Some(now_ms))
        }
        QueueState::Parked => ("REMOVE #called, #until", &["called", "until"][..], None),
        QueueState::Called { now_ms } => ("SET #called = :value REMOVE #until", &["called", "until"][..], Some(now_ms)),
    };
    let values = value.map(|value| HashMap::from([(":value".to_owned(), number(value))]));
    Update::builder()
        .table_name(table)
        .set_key(Some(key(run_at_ms, job)))
        .update_expression(update)
        .condition_expression("attribute_exists(pk)")
        .set_expression_attribute_names(Some(names(written)))
        .set_expression_attribute_values(values)
        .build()
        .expect("all are given")
}

/// The key of a row.
pub(super) fn key(run_at_ms: i64, job: &str) -> Item {
    Item::from([("pk".to_owned(), text(LINE)), ("sk".to_owned(), text(format!("{}#{job}", at(run_at_ms))))])
}

/// The key of a row of the release before.
pub(super) fn former_key(job: &str) -> Item {
    Item::from([("pk".to_owned(), text(LINE)), ("sk".to_owned(), text(job))])
}

/// A time as text that sorts as it does.
pub(super) fn at(time_ms: i64) -> String {
    format!("{:013}", time_ms.max(0))
}
