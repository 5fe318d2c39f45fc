#!/usr/bin/env bash
# mini-moka 0.10.3 (crates.io, the newest when this was written): its housekeeper keeps house when it is not due, and
# does not when it is.
#
# Expected (documentation: "in batch, when there are a certain number of operations, or periodically"): what was inserted
# is taken into account at the latest with the first operation after 300 ms.
# Guess before the run: the first insert after a pause applies what waits, and those right after it are batched.
# Seen: the other way round. For 300 ms after a sync each insert applies those before it; after a pause of more than that
# nothing is applied until the log has 64 entries: 60 inserts, half of them after a second and half after another, leave
# `entry_count()` where it was. `should_apply` compares `sync_after >= now`, where the time has come when
# `sync_after <= now`.
#
# So a busy cache pays for its maintenance at every write, and one that is asked seldom evicts, expires and counts late.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"

[dependencies]
mini-moka = { version = "=0.10.3", default-features = false, features = ["sync"] }
TOML
cat >"$folder/src/main.rs" <<'RUST'
use mini_moka::sync::{Cache, ConcurrentCacheExt};
use std::{thread::sleep, time::Duration};

fn main() {
    let cache = Cache::new(10_000);
    cache.sync();
    // Half of what makes the log long enough.
    for key in 0..30 {
        cache.insert(key, key);
    }
    println!("inserted 30 at once: {} counted", cache.entry_count());
    sleep(Duration::from_secs(1));
    for key in 100..130 {
        cache.insert(key, key);
    }
    sleep(Duration::from_secs(1));
    for key in 200..230 {
        cache.insert(key, key);
    }
    println!("inserted 60 more, each 30 after a second: {} counted", cache.entry_count());
    cache.sync();
    println!("asked to: {} counted", cache.entry_count());
}
RUST

seen=$(cd "$folder" && cargo run --quiet)
echo "$seen"
diff <(echo "$seen") - <<'SEEN'
inserted 30 at once: 29 counted
inserted 60 more, each 30 after a second: 29 counted
asked to: 90 counted
SEEN
