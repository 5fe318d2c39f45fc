//! What Lambda does with a table's stream: polls it, filters, hands batches to the function, and repeats what failed.
//!
//! Records of one key are in one lane and come in order; lanes do not wait for each other. A batch that fails is cut in
//! two, where the template says so, until what fails is alone; then it is tried as often as the template says, and goes
//! to the failure destination: a log of its name.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::filter::Filter;
use crate::logs::Logs;
use crate::pool::Pool;
use crate::stream::Stream;

/// How often a stream is polled; Lambda does so about four times a second.
const POLL: Duration = Duration::from_millis(100);
/// The pause before a batch is tried again, doubled each time.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A function's subscription to a table's stream, as the template has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source {
    /// The logical id of the table.
    pub(crate) table: String,
    pub(crate) batch_size: usize,
    pub(crate) lanes: usize,
    pub(crate) filters: Vec<Filter>,
    pub(crate) retries: u32,
    pub(crate) bisect: bool,
    /// Whether the function names the records that failed.
    pub(crate) partial: bool,
    /// The logical id of the failure destination.
    pub(crate) failures: Option<String>,
}

/// Delivers the records of one stream to one function.
pub(crate) struct Mapping {
    pub(crate) source: Source,
    pub(crate) pool: Arc<Pool>,
    pub(crate) logs: Arc<Logs>,
}

impl Mapping {
    /// Polls until the task is aborted.
    pub(crate) async fn run(self, mut stream: Stream) {
        let mapping = Arc::new(self);
        let lanes: Vec<_> = (0..mapping.source.lanes.max(1)).map(|_| mapping.clone().open_lane()).collect();
        loop {
            // An engine that does not answer is asked again.
            for mut record in stream.records().await.unwrap_or_default() {
                if mapping.admits(&record) {
                    record["eventSourceARN"] = Value::from(stream.arn.as_str());
                    // A lane ends with the stack only.
                    let _ = lanes[lane(&record, lanes.len())].send(record);
                }
            }
            sleep(POLL).await;
        }
    }

    fn admits(&self, record: &Value) -> bool {
        let filters = &self.source.filters;
        filters.is_empty() || filters.iter().any(|filter| filter.admits(record))
    }

    fn open_lane(self: Arc<Self>) -> mpsc::UnboundedSender<Value> {
        let (sender, mut records) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while records.recv_many(&mut batch, self.source.batch_size.max(1)).await > 0 {
                self.deliver(std::mem::take(&mut batch)).await;
            }
        });
        sender
    }

    /// Delivers a batch until every record of it is done or given up.
    async fn deliver(&self, batch: Vec<Value>) {
        let mut left = VecDeque::from([(batch, 0)]);
        while let Some((mut batch, tries)) = left.pop_front() {
            let Some(first) = self.first_failure(&batch).await else { continue };
            let mut rest = batch.split_off(first);
            if first == 0 && self.source.bisect && rest.len() > 1 {
                // Cutting in two does not count as a try.
                let second = rest.split_off(rest.len() / 2);
                left.push_front((second, tries));
                left.push_front((rest, tries));
            } else if tries < self.source.retries {
                sleep(RETRY_PAUSE * 2u32.saturating_pow(tries.min(6))).await;
                left.push_front((rest, tries + 1));
            } else {
                self.give_up(&rest);
            }
        }
    }

    /// Hands a batch to the function; returns the first record that it did not do.
    async fn first_failure(&self, batch: &[Value]) -> Option<usize> {
        let event = Bytes::from(json!({ "Records": batch }).to_string());
        let (_, answer) = self.pool.invoke(event, None).await;
        let Ok(answer) = answer else { return Some(0) };
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        let failed = answer["batchItemFailures"].as_array().filter(|_| self.source.partial)?;
        let numbers = failed.iter().map(|failure| &failure["itemIdentifier"]);
        // A number that is not in the batch fails the whole batch.
        let position = |number: &Value| batch.iter().position(|record| record["dynamodb"]["SequenceNumber"] == *number);
        numbers.map(|number| position(number).unwrap_or(0)).min()
    }

    fn give_up(&self, records: &[Value]) {
        if let Some(destination) = &self.source.failures {
            let numbers: Vec<&Value> = records.iter().map(|record| &record["dynamodb"]["SequenceNumber"]).collect();
            self.logs.append(destination, &json!({ "DDBStreamBatchInfo": { "sequenceNumbers": numbers } }).to_string());
        }
    }
}

fn lane(record: &Value, lanes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    record["dynamodb"]["Keys"].to_string().hash(&mut hasher);
    usize::try_from(hasher.finish() % lanes as u64).unwrap_or_default()
}
