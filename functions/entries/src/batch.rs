//! POST `/batch`: many operations of one key each, in one request, which costs the gateway no more than one.
//!
//! Reads are made together, as of one position of the journal. Mutations run side by side: each is as safe as on its own, and
//! there is no transaction. What was not begun in time, and values that do not fit into one answer, are left to another
//! request. If any operation is not allowed, none is done.

use crate::{
    batch_answer::{self as answer, Outcome},
    batch_request::{self as request, Ask, Operation},
    conditions,
};
use std::time::Duration;
use strata_api::{
    Answer, ApiError, Call, Class, Problem, Query, Scope, Times, answer_size::MAX_ANSWER_BYTES, body::Body,
    cache_control,
};
use strata_cache::{Attempt, CacheError, Key, Lookup, Mutate, Patience, Read};
use tokio::time::{Instant, timeout_at};

/// How long after the request came an operation may begin, and how long before the end of the invocation, in ms.
const BEGIN_MS: i64 = 20_000;
const BEGIN_BEFORE_END_MS: i64 = 3_000;
/// The same of the end of one: the gateway waits for 29 s.
const END_MS: i64 = 25_000;
const END_BEFORE_END_MS: i64 = 1_000;

/// Does what the request's body lists.
pub async fn handle(mut call: Call<'_>) -> Answer {
    let may_read = call.principal.require(Scope::Read);
    may_read.or_else(|refused| call.principal.require(Scope::Write).map_err(|_| refused))?;
    let (operations, how) = match read(&mut call) {
        Ok(read) => read,
        // What cannot be done counts as well, as with every other request.
        Err(error) => {
            call.admit([(Class::Write, 0), (Class::Read, 1)]).await?;
            return Err(error);
        }
    };
    call.admit(needs(&operations)).await?;
    call.trace.operations = Some(operations.len());
    let (keys, outcomes) = carry_out(&call, operations, how).await;
    answer::of(&mut call, &keys, outcomes)
}

/// The operations, all of which the caller may ask for, and how to read.
fn read(call: &mut Call<'_>) -> Result<(Vec<Operation>, Read), ApiError> {
    conditions::none_of_batch(&call.event.headers)?;
    Query::none(&call.event, &["operations"])?;
    let how = Read { at_least: call.seen()?, ..cache_control::read(&call.event.headers)? };
    let body = Body::of(&mut call.event)?;
    let mut operations = request::read(&body, &call.principal)?;
    for operation in &mut operations {
        if let Ask::Mutate(Mutate::Put(_, put)) = &mut operation.ask {
            put.api_key.clone_from(&call.principal.api_key);
        }
    }
    let needs = needs(&operations);
    for ((class, operations), scope) in needs.into_iter().zip([Scope::Write, Scope::Read]) {
        if operations > 0 {
            call.principal.require(scope)?;
        }
        if let Some(limit) = call.cache.limit(class).filter(|limit| operations > *limit) {
            let message = format!("must have at most {limit} of the class {}, has {operations}", class.name());
            return Err(Problem::new("operations", message).into());
        }
    }
    operations.iter().try_for_each(|operation| call.principal.may_touch(&operation.key))?;
    Ok((operations, how))
}

/// How many operations of each class there are; of the one first whose limit is reached sooner.
fn needs(operations: &[Operation]) -> [(Class, u32); 2] {
    let reads = operations.iter().filter(|operation| operation.ask.is_read()).count();
    let count = |operations: usize| u32::try_from(operations).unwrap_or(u32::MAX);
    [(Class::Write, count(operations.len() - reads)), (Class::Read, count(reads))]
}

/// Reads and mutates side by side. Returns the operations as far as their results need them, and what came of each.
async fn carry_out(call: &Call<'_>, operations: Vec<Operation>, how: Read) -> (Vec<Operation>, Vec<Outcome>) {
    let patience = patience(call.times, call.cache.clock().now_ms());
    let (mut kept, mut keys, mut mutations) = (Vec::with_capacity(operations.len()), Vec::new(), Vec::new());
    for Operation { key, ask } in operations {
        let ask = match ask {
            Ask::Get { .. } => {
                keys.push(key.clone());
                ask
            }
            Ask::Mutate(mutation) => {
                mutations.push(mutation);
                Ask::Made
            }
            Ask::Refused(_) | Ask::Made => ask,
        };
        kept.push(Operation { key, ask });
    }
    let (found, attempts) = tokio::join!(get(call, &keys, how, patience), mutate(call, &mutations, patience));
    let (mut found, mut attempts) = (found.into_iter(), attempts.into_iter());
    let outcome = |operation: &mut Operation| match &mut operation.ask {
        Ask::Get { .. } => Outcome::Read(found.next().flatten()),
        Ask::Mutate(_) | Ask::Made => Outcome::Mutated(attempts.next().unwrap_or(Attempt::NotBegun)),
        Ask::Refused(error) => Outcome::Refused(error.take().unwrap_or(ApiError::Unanswered)),
    };
    let outcomes = kept.iter_mut().map(outcome).collect();
    (kept, outcomes)
}

async fn get(call: &Call<'_>, keys: &[Key], read: Read, patience: Patience) -> Vec<Option<Result<Lookup, CacheError>>> {
    if keys.is_empty() || Instant::now() >= patience.begin_until {
        return Vec::new();
    }
    let found = timeout_at(patience.end_until, call.cache.get_many(keys, read, MAX_ANSWER_BYTES)).await;
    found.unwrap_or_default()
}

async fn mutate(call: &Call<'_>, mutations: &[Mutate], patience: Patience) -> Vec<Attempt> {
    if mutations.is_empty() { Vec::new() } else { call.cache.mutate_many(mutations, patience).await }
}

fn patience(times: Times, now_ms: i64) -> Patience {
    let [begin, end] = left(times, now_ms);
    let now = Instant::now();
    Patience { begin_until: now + begin, end_until: now + end }
}

/// How long operations may still begin, and end.
fn left(Times { began_ms, deadline_ms }: Times, now_ms: i64) -> [Duration; 2] {
    [(BEGIN_MS, BEGIN_BEFORE_END_MS), (END_MS, END_BEFORE_END_MS)].map(|(since_began, before_end)| {
        let until_ms = began_ms.saturating_add(since_began).min(deadline_ms.saturating_sub(before_end));
        Duration::from_millis(until_ms.saturating_sub(now_ms).max(0).unsigned_abs())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_request_and_that_of_the_invocation_count() {
        let left =
            |now_ms, deadline_ms| super::left(Times { began_ms: 0, deadline_ms }, now_ms).map(|left| left.as_millis());
        assert_eq!(left(0, 30_000), [20_000, 25_000]);
        assert_eq!(left(19_000, i64::MAX), [1_000, 6_000], "it has waited for a container");
        assert_eq!(left(20_500, 60_000), [0, 4_500]);
        assert_eq!(left(0, 10_000), [7_000, 9_000], "Lambda ends it sooner");
        assert_eq!(left(0, 500), [0, 0]);
    }
}
