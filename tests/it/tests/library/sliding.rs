//! Reads of many entries at once whose lives slide.

use super::{named, open, run};
use std::time::{SystemTime, UNIX_EPOCH};
use strata_cache::{Clock, Json, Key, Put, Read};
use strata_it::stack::{Options, Stack};

const ENTRIES: usize = 40;
/// An entry expires 90 s after it was read last.
const IDLE_SECONDS: u32 = 80;

#[tokio::test]
async fn a_batch_keeps_alive_what_it_reads() {
    let stack = Stack::start(Options::default().functions([""; 0])).await.unwrap();
    run(&stack, "library::sliding::reads").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "the test above starts it, with engines"]
async fn reads() {
    let start_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let clock = Clock::manual(start_ms);
    let cache = open(true, clock.clone());
    let keys: Vec<Key> = (0..ENTRIES).map(|number| named(&format!("session:{number}"))).collect();
    for key in &keys {
        cache.put(key, session()).await.unwrap();
    }
    let ends = async |seconds: i64| -> Vec<Option<i64>> {
        clock.set(start_ms + seconds * 1000);
        let found = cache.get_many(&keys, Read::default(), usize::MAX).await;
        let end = |hit: strata_cache::Hit| (hit.entry.expires_at_ms - start_ms) / 1000;
        found.into_iter().map(|found| found.unwrap().unwrap().hit.map(end)).collect()
    };
    assert_eq!(ends(5).await, [Some(90); ENTRIES], "there is time enough");
    assert_eq!(ends(60).await, [Some(150); ENTRIES]);
    assert_eq!(ends(139).await, [Some(229); ENTRIES]);
    assert_eq!(ends(230).await, [None; ENTRIES]);
}

fn session() -> Put {
    Put::new(Json::of(&7).unwrap(), 86_400).idle(IDLE_SECONDS)
}
