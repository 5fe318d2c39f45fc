//! What a DynamoDB stream and an EventBridge schedule send, as far as it is read.

use serde::Deserialize;
use serde_json::Value;
use strata_api::Error;

/// Stands before a job's id in its partition key.
const JOB: &str = "job#";

/// An event.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    /// Records of the control table's stream, oldest first.
    Stream(Vec<Record>),
    /// The schedule fired.
    Tick,
}

/// One record of the stream.
#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    /// Its number, by which its failure is reported.
    pub sequence_number: String,
    /// The job whose item was written; `None` for any other item.
    pub job: Option<String>,
}

#[derive(Deserialize)]
struct Batch {
    #[serde(rename = "Records")]
    records: Vec<RawRecord>,
}

#[derive(Deserialize)]
struct RawRecord {
    dynamodb: Change,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    sequence_number: String,
    keys: Value,
}

impl Event {
    /// Reads an event.
    ///
    /// # Errors
    /// When it is of neither kind; the message names what is expected.
    pub(crate) fn read(event: Value) -> Result<Event, Error> {
        if event["detail-type"] == "Scheduled Event" {
            return Ok(Event::Tick);
        }
        if event["Records"][0]["eventSource"] != "aws:dynamodb" {
            return Err("the warmer takes events of a DynamoDB stream or of an EventBridge schedule".into());
        }
        let batch: Batch = serde_json::from_value(event)?;
        Ok(Event::Stream(batch.records.into_iter().map(record).collect()))
    }
}

fn record(raw: RawRecord) -> Record {
    let job = raw.dynamodb.keys["pk"]["S"].as_str().and_then(|pk| pk.strip_prefix(JOB)).map(str::to_owned);
    Record { sequence_number: raw.dynamodb.sequence_number, job }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn jobs_are_read_out_of_a_batch() {
        let record = |pk: &str, number: &str| json!({"eventSource": "aws:dynamodb", "dynamodb": {"Keys": {"pk": {"S": pk}}, "SequenceNumber": number}});
        let read = Event::read(json!({"Records": [record("job#a", "1"), record("note", "2")]})).unwrap();
        let expected = [(Some("a"), "1"), (None, "2")].map(|(job, sequence_number)| Record {
            sequence_number: sequence_number.to_owned(),
            job: job.map(str::to_owned),
        });
        assert_eq!(read, Event::Stream(expected.into()));
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        assert_eq!(Event::read(json!({"detail-type": "Scheduled Event"})).unwrap(), Event::Tick);
        for event in [json!({}), json!(null), json!([1]), json!({"httpMethod": "GET"}), json!({"Records": []})] {
            let error = Event::read(event.clone()).unwrap_err().to_string();
            assert!(error.contains("DynamoDB stream"), "{event}: {error}");
        }
    }
}
