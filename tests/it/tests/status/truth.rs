//! What the status says is true: of what was just acknowledged, of what has expired, of levels that it cannot count one by
//! one, and of a level whose neighbour is slow to start.

use super::{L1, L2, L3, ready, settle, start, status};
use crate::support::{command, flush, invalidate, put};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use strata_it::{Api, configured, entry};

#[tokio::test]
async fn what_a_mutation_did_counts_when_it_is_acknowledged() {
    let options = configured(json!({})).functions(["authorizer", "entries", "invalidate", "status"]);
    let api = ready(options).await;
    let rows = async || status(&api).await["levels"][L3]["entries"].as_u64().unwrap();
    for number in 0..10 {
        put(&api, "entries-1", &format!("k:{number}"), "1").await.expect(201);
        assert_eq!(rows().await, number + 1);
    }
    // Nobody is asked again before it is counted.
    put(&api, "entries-2", "other", "1").await.expect(201);
    assert_eq!(rows().await, 11);
    put(&api, "entries-2", "other", "2").await.expect(200);
    assert_eq!(rows().await, 11);
    api.delete(&entry("k:0")).pin("entries-2").send().await.expect(200);
    assert_eq!(rows().await, 10);
    let done = invalidate(&api, json!({"pattern": "k:*"})).await.expect(200);
    assert_eq!((&done.json()["invalidated_count"], rows().await), (&json!(9), 1));
    command::<()>(&api, &["HDEL", "strata:cache:{j}stats", "census"]).await;
    assert_eq!(rows().await, 1, "what is told is what a count finds");
}

#[tokio::test]
async fn a_copy_in_memory_that_has_expired_counts_no_more() {
    let api = start(json!({})).await;
    for (number, ttl_seconds) in [(0, 6), (1, 6), (2, 3600)] {
        let body = json!({"value": 1, "ttl_seconds": ttl_seconds}).to_string();
        api.put(&entry(&format!("k{number}")), body).pin("entries-1").send().await.expect(201);
    }
    settle(&api).await;
    // Its container is not asked again.
    tokio::time::sleep(Duration::from_secs(7)).await;
    let levels = status(&api).await["levels"].take();
    assert_eq!((&levels[L1]["entries"], &levels[L1]["size"]), (&json!(1), &json!(1)), "{levels}");
    settle(&api).await;
    assert_eq!(status(&api).await["levels"][L1]["entries"], 1, "nor when it is");
}

/// Fills the index of each shard with so many keys, of which each of so many has a copy, whose envelope has 1 to 1,000 bytes.
async fn index(api: &Api, keys: usize, one_of: usize) -> u64 {
    const FILL: &str = "local bytes = 0
        for i = 1, ARGV[2] do
          redis.call('ZADD', KEYS[1], 0, 'm' .. i)
          if i % ARGV[3] == 0 then
            local size = math.random(1000)
            bytes = bytes + size
            local head = string.char(193) .. string.rep('\\0', 38) .. struct.pack('>I4', size)
            redis.call('SET', ARGV[1] .. 'm' .. i, head .. string.rep('x', size))
          end
        end
        return bytes";
    let mut bytes = 0;
    for shard in 0..16 {
        let names = ["index", "c:"].map(|name| format!("strata:cache:{{e{shard:x}}}{name}"));
        let numbers = [keys, one_of].map(|number| number.to_string());
        let words = ["EVAL", FILL, "1", &names[0], &names[1], &numbers[0], &numbers[1]];
        bytes += command::<u64>(api, &words).await;
    }
    bytes
}

#[tokio::test]
async fn what_l2_holds_is_estimated_as_well_as_it_is_said_to_be() {
    const ANSWERS: i32 = 40;
    let api = start(json!({})).await;
    // Six of seven members have expired and were not swept: 280 of 1,960 in each shard are copies.
    let bytes = index(&api, 1_960, 7).await;
    let (mut entries_off, mut bytes_off) = (0.0, 0.0);
    for _ in 0..ANSWERS {
        let l2 = status(&api).await["levels"][L2].take();
        let off = |said: &Value, is: f64| (said.as_f64().unwrap() / is - 1.0).powi(2);
        entries_off += off(&l2["entries"], 16.0 * 280.0);
        #[allow(clippy::cast_precision_loss, reason = "a few megabytes")]
        let is = bytes as f64;
        bytes_off += off(&l2["size"], is);
    }
    // Standard errors: 2.9 % of the number, and 3.4 % of the bytes, as sizes spread here by 0.58 of their mean. That 40
    // answers are off by 1.6 times as much happens once in ten million runs.
    let [entries_off, bytes_off] = [entries_off, bytes_off].map(|sum| (sum / f64::from(ANSWERS)).sqrt());
    assert!(entries_off < 0.046, "{entries_off}");
    assert!(bytes_off < 0.055, "{bytes_off}");
    flush(&api).await;
    let bytes = index(&api, 64, 2).await;
    let l2 = status(&api).await["levels"][L2].take();
    assert_eq!((&l2["entries"], &l2["size"]), (&json!(16 * 32), &json!(bytes)), "few are counted");
}

/// The file in which the AWS SDK looks for its profile, which it reads on the function's only thread: a pipe, from which
/// nothing comes for as long as it is said to.
struct SlowProfile {
    path: PathBuf,
    hold_ms: Arc<AtomicU64>,
}

impl SlowProfile {
    fn new() -> SlowProfile {
        let path = std::env::temp_dir().join(format!("strata-profile-{}", std::process::id()));
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
        assert!(made.success());
        let hold_ms = Arc::new(AtomicU64::new(0));
        let profile = SlowProfile { path: path.clone(), hold_ms: Arc::clone(&hold_ms) };
        // Waits for a reader at the end, when there are none any more.
        std::thread::spawn(move || {
            while let Ok(pipe) = std::fs::OpenOptions::new().write(true).open(&path) {
                std::thread::sleep(Duration::from_millis(hold_ms.load(Ordering::Relaxed)));
                drop(pipe);
                // Opened again before the reader has seen the end, it would go on waiting.
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        profile
    }
}

impl Drop for SlowProfile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[tokio::test]
async fn the_start_of_one_level_is_not_the_illness_of_the_other() {
    let profile = SlowProfile::new();
    let times = json!({"l2_config": {"timeout_ms": 2_000}, "l3_config": {"timeout_ms": 20_000}});
    let options = configured(times).env("AWS_CONFIG_FILE", profile.path.to_str().unwrap());
    let api = Api::with(options.functions(["authorizer", "entries", "status"])).await;
    // The first answer makes the client, which takes twice as long as Redis may.
    profile.hold_ms.store(4_000, Ordering::Relaxed);
    let found = status(&api).await;
    let said = [L2, L3].map(|level| found["levels"][level]["status"].clone());
    assert_eq!(said, ["healthy", "healthy"], "{found}");
}
