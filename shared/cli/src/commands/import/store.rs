//! Storing one chunk.

use super::{
    chunks::Chunk,
    line::{Line, now_ms},
};
use crate::exit::Failure;
use std::{collections::BTreeMap, time::Duration};
use strata_client::{Client, Code, Error, Outcome};

/// Times that what was not stored is sent again, a little later each time.
const TIMES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What has become of lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub stored: u64,
    /// Not stored, because they had expired.
    pub expired: u64,
    pub failed: u64,
}

/// A chunk that is done with.
pub struct Done {
    pub number: u64,
    pub last_line: u64,
    pub taken: u64,
    pub tally: Tally,
    /// Some of it had to be sent again, for a level could not take it.
    pub was_refused: bool,
    /// What could not be stored, and why.
    pub messages: Vec<String>,
}

impl Done {
    fn fail(&mut self, message: String) {
        self.tally.failed += 1;
        self.messages.push(message);
    }
}

/// Stores a chunk. Values are right whenever they are stored, so what may have happened is done again.
pub async fn store(client: &Client, chunk: Chunk) -> Result<Done, Failure> {
    let Chunk { number, lines, wrong, last_line, taken, .. } = chunk;
    let (tally, messages, was_refused) = (Tally::default(), Vec::new(), false);
    let mut done = Done { number, last_line, taken, tally, was_refused, messages };
    for (line, why) in wrong {
        done.fail(format!("line {line}: {why}"));
    }
    let mut left = lines;
    let mut round = 0;
    loop {
        let before = done.tally;
        left = once(client, left, round == TIMES, &mut done).await?;
        if left.is_empty() {
            return Ok(done);
        }
        // Only where nothing came of it is it a matter of time.
        if done.tally == before {
            tokio::time::sleep((PAUSE * 2u32.pow(round)).min(LONGEST_PAUSE).mul_f64(0.5 + fastrand::f64())).await;
            round += 1;
        }
    }
}

/// Sends lines once; returns those that are worth another time.
async fn once(client: &Client, lines: Vec<Line>, is_last: bool, done: &mut Done) -> Result<Vec<Line>, Failure> {
    let now = now_ms();
    let (mut kept, mut operations) = (Vec::with_capacity(lines.len()), Vec::with_capacity(lines.len()));
    for line in lines {
        match line.operation(now) {
            Some(operation) => {
                operations.push(operation);
                kept.push(line);
            }
            None => done.tally.expired += 1,
        }
    }
    if operations.is_empty() {
        return Ok(Vec::new());
    }
    let outcomes = match client.batch(operations).repeat().await {
        Ok(outcomes) => outcomes,
        // What was not answered in time may be stored, and is stored again.
        Err(error) if error.may_have_happened() && !is_last => {
            done.was_refused = true;
            return Ok(kept);
        }
        // A batch is refused as a whole for what is wrong with some of it.
        Err(error) => return without_wrong(error, kept, done),
    };
    let mut again = Vec::new();
    for (line, outcome) in kept.into_iter().zip(outcomes) {
        match outcome {
            Outcome::Stored(_) => done.tally.stored += 1,
            Outcome::Failed(error) if error.status >= 500 && !is_last => again.push(line),
            Outcome::Unprocessed if !is_last => again.push(line),
            Outcome::Failed(error) => done.fail(format!("{}: {error}", line.key)),
            _ => done.fail(format!("{}: was not stored in time", line.key)),
        }
    }
    done.was_refused |= !again.is_empty();
    Ok(again)
}

/// The lines that nothing is said against; the error where nothing is said against any.
fn without_wrong(error: Error, lines: Vec<Line>, done: &mut Done) -> Result<Vec<Line>, Failure> {
    let wrong = wrong(&error);
    if !lines.iter().enumerate().any(|(at, _)| wrong.contains_key(&at)) {
        return Err(error.into());
    }
    let mut left = Vec::with_capacity(lines.len());
    for (at, line) in lines.into_iter().enumerate() {
        match wrong.get(&at) {
            Some(why) => done.fail(format!("{}: {why}", line.key)),
            None => left.push(line),
        }
    }
    Ok(left)
}

/// What is wrong with which operation: `operations[3].ttl_seconds`, and how it must be.
fn wrong(error: &Error) -> BTreeMap<usize, String> {
    let problems = error.api().filter(|said| said.code == Code::InvalidRequest).map(|said| &said.details["errors"]);
    let problems = problems.and_then(|problems| problems.as_array()).into_iter().flatten();
    let read = |problem: &serde_json::Value| {
        let (at, field) = problem["field"].as_str()?.strip_prefix("operations[")?.split_once(']')?;
        let message = problem["message"].as_str().unwrap_or_default();
        Some((at.parse().ok()?, format!("{} {message}", field.trim_start_matches('.'))))
    };
    problems.filter_map(read).collect()
}
