//! Whether anything is left when everything has been removed and the world is quiet: rows and chunks, rows of tags, members
//! of indexes, copies and tombstones, notes of outages, open invalidations, jobs and leases.

use crate::{ask::name, client::Fleet};
use std::time::Duration;
use strata_cache::{Invalidate, Levels, Pattern, Read, Selector};
use tokio::time::{sleep, timeout};

/// How often maintenance comes meanwhile, and how long before it each time: tombstones stay for hours, jobs for a day.
const CALLS: [(usize, Duration); 2] = [(40, Duration::from_secs(300)), (26, Duration::from_secs(3600))];
/// How much time it has.
const TIME: Duration = Duration::from_secs(10);
/// How long it may take at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// Removes everything, waits for a day, and says what is left.
pub(crate) async fn left(fleet: &Fleet) -> Vec<String> {
    let containers = fleet.containers().clone();
    for container in &containers {
        // What it owes to others it tells them with its next sync.
        let read = container.cache.get(&name(0), Read { no_cache: true, ..Read::default() });
        let _ = timeout(PATIENCE, container.run(read)).await;
    }
    let first = &containers[0];
    let all = Invalidate {
        selector: Selector::Pattern(Pattern::new("*").expect("it is a pattern")),
        levels: Levels::ALL,
        reason: None,
        by: None,
        account: None,
        dry_run: false,
        max_affected: None,
        undo_seconds: None,
    };
    let removed = timeout(PATIENCE, first.run(first.cache.invalidate(&all))).await;
    if !matches!(removed, Ok(Ok(Ok(_)))) {
        return vec![format!("not everything could be removed: {removed:?}")];
    }
    for (calls, pause) in CALLS {
        for _ in 0..calls {
            sleep(pause).await;
            fleet.world.sweep();
            let upkeep = async {
                let maintained = first.cache.maintain(TIME).await;
                while let Ok(Some(_)) = first.cache.run_next(TIME).await {}
                maintained
            };
            let kept_up = timeout(PATIENCE, first.run(upkeep)).await;
            if !matches!(kept_up, Ok(Ok(Ok(_)))) {
                return vec![format!("maintenance failed although everything was well: {kept_up:?}")];
            }
        }
    }
    fleet.world.sweep();
    fleet.world.held()
}
