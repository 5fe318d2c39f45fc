//! What a DynamoDB stream and EventBridge schedules send, as far as it is read.

use crate::failure::Failure;
use serde::Deserialize;
use serde_json::Value;
use strata_api::warming;
use strata_cache::Warm;

/// Stands before a job's id in its partition key.
const JOB: &str = "job#";
/// Who is said to have asked for what a schedule warms.
const BY: &str = "schedule";

/// An event.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    /// Records of the control table's stream, oldest first.
    Stream(Vec<Record>),
    /// The schedule of maintenance fired.
    Tick,
    /// A schedule fired whose constant input says what is to be warmed.
    Warm(Warm),
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
    /// Reads an event that came at `now_ms`.
    ///
    /// # Errors
    /// When it is of no known kind, and when what is to be warmed is not said right; the message names what is expected
    /// and every field.
    pub(crate) fn read(event: Value, now_ms: i64) -> Result<Event, Failure> {
        if event["detail-type"] == "Scheduled Event" {
            return Ok(Event::Tick);
        }
        if event["Records"][0]["eventSource"] == "aws:dynamodb" {
            let batch: Batch = serde_json::from_value(event)
                .map_err(|error| Failure::Event(format!("an unreadable event of a DynamoDB stream: {error}")))?;
            return Ok(Event::Stream(batch.records.into_iter().map(record).collect()));
        }
        warming::read(&event.to_string(), BY, now_ms).map(Event::Warm).map_err(|problems| {
            let expected = "neither an event of a DynamoDB stream or of a schedule nor something to warm";
            Failure::Event(format!("{expected}: {problems}"))
        })
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
    use strata_cache::Strategy;

    #[test]
    fn jobs_are_read_out_of_a_batch() {
        let record = |pk: &str, number: &str| json!({"eventSource": "aws:dynamodb", "dynamodb": {"Keys": {"pk": {"S": pk}}, "SequenceNumber": number}});
        let read = Event::read(json!({"Records": [record("job#a", "1"), record("note", "2")]}), 0).unwrap();
        let expected = [(Some("a"), "1"), (None, "2")].map(|(job, sequence_number)| Record {
            sequence_number: sequence_number.to_owned(),
            job: job.map(str::to_owned),
        });
        assert_eq!(read, Event::Stream(expected.into()));
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        assert_eq!(Event::read(json!({"detail-type": "Scheduled Event"}), 0).unwrap(), Event::Tick);
        for event in [json!({}), json!(null), json!([1]), json!({"httpMethod": "GET"}), json!({"Records": []})] {
            let error = Event::read(event.clone(), 0).unwrap_err().to_string();
            assert!(error.contains("DynamoDB stream"), "{event}: {error}");
        }
    }

    #[test]
    fn what_is_to_be_warmed_is_read_as_a_request_is() {
        let input = json!({"keys": ["a"], "patterns": ["b:*"], "strategy": "LAZY", "batch_size": 7});
        let Event::Warm(warm) = Event::read(input, 0).unwrap() else { panic!("it is something to warm") };
        assert_eq!((warm.keys.len(), warm.patterns[0].as_str(), warm.batch_size), (1, "b:*", 7));
        assert_eq!((warm.strategy, warm.by.as_str()), (Strategy::Lazy, "schedule"));
        for (input, named) in [
            (json!({"keyz": ["a"]}), "keyz is not a known field; did you mean keys?"),
            (json!({"keys": [], "patterns": []}), "keys must name at least one key"),
            (json!({"keys": ["a", ""], "batch_size": 0}), "keys[1] must have at least 1 byte; batch_size must be"),
        ] {
            let error = Event::read(input, 0).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
