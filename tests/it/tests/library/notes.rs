//! Operations at once that all find that nobody has looked for outage notes lately.

use super::{cache, named, run};
use futures_util::future::join_all;
use strata_cache::Read;
use strata_it::stack::{Options, Stack};

/// How many at once.
const READS: usize = 40;

#[tokio::test]
async fn operations_at_once_look_for_notes_once() {
    let stack = Stack::start(Options::default().functions([""; 0])).await.unwrap();
    let before = stack.l3().consumed();
    run(&stack, "library::notes::reads").await;
    let requests = (stack.l3().consumed() - before).requests;
    // A row for each, and the few items that say whether there are notes.
    assert!(requests >= READS as f64 && requests < (READS + READS / 2) as f64, "{requests}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "the test above starts it, with engines"]
async fn reads() {
    let cache = cache();
    let keys: Vec<_> = (0..READS).map(|number| named(&format!("absent:{number}"))).collect();
    for found in join_all(keys.iter().map(|key| cache.get(key, Read::default()))).await {
        assert!(found.unwrap().hit.is_none());
    }
}
