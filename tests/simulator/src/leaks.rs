//! Whether anything is left when everything has been removed and the world is quiet: rows and chunks, rows of tags, members
//! of indexes, copies and tombstones, notes of outages, open invalidations, jobs and leases.

use crate::{ask::name, fleet::Fleet, world::ENTRIES};
use std::{sync::Arc, time::Duration};
use strata_cache::{Invalidate, Pattern, Read};
use tokio::time::{sleep, timeout};

/// How often maintenance comes in the first hour and a half, in which every value would still live, and in the days after;
/// and how long before it each time. Tombstones stay for an hour, jobs for a week.
const CALLS: (usize, usize) = (18, 9);
const PAUSES: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(86_400));
/// What is there once for the deployment, and does not grow with what was stored.
const STANDING: [&str; 4] = ["maintenance ", "note \"!document\"", "notes \"-\"", "deployment \"-\""];
/// How much time it has.
const TIME: Duration = Duration::from_secs(10);
/// How long it may take at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// Removes everything, waits for days, and says what is left.
pub(crate) async fn left(fleet: &Fleet) -> Vec<String> {
    let containers = fleet.containers().clone();
    let key = name(0);
    for container in &containers {
        // What it owes to others it tells them with its next sync.
        let read = container.cache.get(&key, Read { no_cache: true, ..Read::default() });
        let _ = timeout(PATIENCE, container.run(read)).await;
        // And index rows of what it has replaced are dropped beside its next write, the second of which replaces nothing.
        for _ in 0..2 {
            let delete = container.cache.delete(&key, "");
            let _ = timeout(PATIENCE, container.run(delete)).await;
        }
    }
    let first = &containers[0];
    let all = Invalidate::new(Pattern::new("*").expect("it is a pattern"));
    let removed = timeout(PATIENCE, first.run(first.cache.invalidate(&all))).await;
    if !matches!(removed, Ok(Ok(Ok(_)))) {
        return vec![format!("not everything could be removed: {removed:?}")];
    }
    for _ in 0..CALLS.0 {
        if let Err(failed) = keep_up(fleet, PAUSES.0).await {
            return vec![failed];
        }
    }
    // What was left by something that failed or was killed half-way goes when it expires.
    if fleet.mix.faults.is_empty() {
        let of_values = fleet.world.held().into_iter().filter(|held| is_of_value(held) && !is_standing(held));
        let of_values: Vec<String> = of_values.collect();
        if !of_values.is_empty() {
            return of_values;
        }
    }
    for _ in 0..CALLS.1 {
        if let Err(failed) = keep_up(fleet, PAUSES.1).await {
            return vec![failed];
        }
    }
    fleet.world.sweep();
    fleet.world.held().into_iter().filter(|held| !is_standing(held)).collect()
}

/// Whether it is one of those that are always there: rows by name; in Redis what stands beside the journal, and until when a
/// shard is written for the release before.
fn is_standing(held: &str) -> bool {
    match held.split_once(' ') {
        Some(("redis", name)) => name.contains("{j}") || name.contains("}both "),
        Some((_, row)) => STANDING.iter().any(|standing| row.starts_with(standing)),
        None => false,
    }
}

/// Lets time pass, and does what the warmer and DynamoDB do.
async fn keep_up(fleet: &Fleet, pause: Duration) -> Result<(), String> {
    sleep(pause).await;
    fleet.world.sweep();
    let container = Arc::clone(&fleet.containers()[0]);
    let upkeep = async {
        let maintained = container.cache.maintain(TIME).await;
        while let Ok(Some(_)) = container.cache.run_next(TIME).await {}
        maintained
    };
    let kept_up = timeout(PATIENCE, container.run(upkeep)).await;
    match kept_up {
        Ok(Ok(Ok(_))) => Ok(()),
        failed => Err(format!("maintenance failed although everything was well: {failed:?}")),
    }
}

/// Whether a row is a chunk or a row of a tag.
fn is_of_value(held: &str) -> bool {
    held.strip_prefix(ENTRIES).is_some_and(|row| !row.starts_with(" e#"))
}
