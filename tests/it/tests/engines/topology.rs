//! A cluster whose slots move, which costs nothing, and whose primaries are replaced, which may bring back what was
//! removed.

use crate::support::{copy_name, eventually, get, put, put_tagged, shard, wait_out_the_window};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use strata_it::stack::{Cluster, Options, RedisEngine};
use strata_it::{Answer, Api, entry, patient};

/// A stack, and the cluster that is its L2.
struct Fleet {
    api: Api,
    cluster: Cluster,
}

const JOURNAL: &str = "strata:cache:{j}journal";
/// Keys that are read and never changed.
const HOT: usize = 40;

impl Fleet {
    /// Nobody but `entries` and `invalidate` asks Redis.
    async fn on(engine: RedisEngine) -> Fleet {
        Fleet::with(engine, patient()).await
    }

    async fn with(engine: RedisEngine, options: Options) -> Fleet {
        let cluster = Cluster::start(&engine, 3).await.unwrap();
        let options = options.functions(["authorizer", "entries", "invalidate"]).redis(RedisEngine::Url(cluster.url()));
        let fleet = Fleet { api: Api::with(options).await, cluster };
        // The first sync of all has begun the first epoch.
        fleet.get("entries-1", "nothing").await.expect(404);
        fleet
    }

    async fn get(&self, container: &str, key: &str) -> Answer {
        get(&self.api, container, key).await
    }

    /// Stores values that one container has in Redis, and the other in its memory as well.
    async fn warm_up(&self) {
        for i in 0..HOT {
            put(&self.api, "entries-1", &format!("hot:{i}"), "1").await.expect(201);
        }
        wait_out_the_window().await;
        for i in 0..HOT {
            self.get("entries-2", &format!("hot:{i}")).await.expect(200);
        }
    }

    /// Fails unless every value is in the second container's memory still.
    async fn expect_memory(&self, after: &str) {
        wait_out_the_window().await;
        for i in 0..HOT {
            let found = self.get("entries-2", &format!("hot:{i}")).await.expect(200);
            assert_eq!(found.level(), "L1_MEMORY", "hot:{i} after {after}: {found:?}");
        }
    }

    /// How many epochs have begun.
    async fn epochs(&self) -> usize {
        let slot = self.slot(JOURNAL).await;
        let journal = self.cluster.ask(slot, &format!("XRANGE {JOURNAL} - +")).await.unwrap();
        assert!(journal.starts_with('*'), "{journal}");
        journal.matches("\r\nepoch").count()
    }

    async fn slot(&self, key: &str) -> u16 {
        self.cluster.slot(key).await.unwrap()
    }

    /// Fails unless the next sync begins an epoch, after which Redis is not believed until L3 has confirmed it.
    async fn expect_epoch(&self, before: usize, after: &str) {
        eventually(after, async || {
            self.get("entries-2", "hot:0").await.expect(200);
            self.epochs().await > before
        })
        .await;
        wait_out_the_window().await;
        // One that was not asked for meanwhile, and so not read from L3 for want of Redis.
        assert_eq!(self.get("entries-2", "hot:1").await.expect(200).level(), "L3_DATABASE", "{after}");
    }

    async fn invalidate(&self, body: Value) -> Answer {
        self.api.request("POST", "/invalidate").body(body.to_string()).send().await
    }

    /// Changes entries and looks whether the other container sees it, until told to end.
    async fn change(&self, has_moved: &AtomicBool) {
        for round in 0.. {
            let (value, newer) = (round.to_string(), format!("1{round}"));
            let (put_key, deleted, tagged) =
                (format!("put:{}", round % 8), format!("del:{round}"), format!("tag:{round}"));
            put(&self.api, "entries-1", &put_key, &value).await.expect(if round < 8 { 201 } else { 200 });
            put(&self.api, "entries-1", &deleted, "1").await.expect(201);
            put_tagged(&self.api, &tagged, &[&tagged]).await;
            for key in [&put_key, &deleted, &tagged] {
                self.get("entries-2", key).await.expect(200);
            }
            let told = [
                put(&self.api, "entries-1", &put_key, &newer).await.expect(200),
                self.api.delete(&entry(&deleted)).pin("entries-1").send().await.expect(200),
                self.invalidate(json!({"tags": [tagged]})).await.expect(200),
            ];
            // Redis may not be told at the moment itself; then the bound is another.
            let is_degraded = told.iter().any(|answer| answer.json().get("degraded").is_some());
            let found = async || {
                let changed = self.get("entries-2", &put_key).await.value() == newer;
                let gone = [self.get("entries-2", &deleted).await.status, self.get("entries-2", &tagged).await.status];
                changed && gone == [404, 404]
            };
            wait_out_the_window().await;
            if is_degraded {
                eventually("what Redis was not told of", found).await;
            } else {
                assert!(found().await, "round {round}");
            }
            if has_moved.load(Relaxed) {
                break;
            }
        }
    }
}

#[tokio::test]
async fn slots_move_while_containers_serve() {
    let fleet = Fleet::on(RedisEngine::Valkey).await;
    fleet.warm_up().await;
    let before = fleet.epochs().await;
    let has_moved = AtomicBool::new(false);
    let moves = async {
        // Twice the same way, so that the second takes no epoch of the cluster; and to the one that has the journal.
        for tag in ["{e0}", "{e4}", "{j}", "{e0}", "{e1}", "{j}", "{e2}"] {
            fleet.cluster.move_slot(fleet.slot(tag).await).await.unwrap();
            wait_out_the_window().await;
        }
        has_moved.store(true, Relaxed);
    };
    futures_util::join!(moves, fleet.change(&has_moved));
    fleet.expect_memory("the slots have moved").await;
    assert_eq!(fleet.epochs().await, before);
    let found = fleet.get("entries-2", "hot:1").await;
    assert_eq!(found.level(), "L1_MEMORY", "{found:?}");

    // What has moved is watched where it is now.
    fleet.cluster.fail_over(fleet.slot("{e0}").await).await.unwrap();
    fleet.expect_epoch(before, "a failover of where a slot has moved to").await;
}

#[tokio::test]
async fn failovers_of_valkey() {
    failovers(RedisEngine::Valkey).await;
}

#[tokio::test]
async fn failovers_of_redis() {
    failovers(RedisEngine::Redis).await;
}

async fn failovers(engine: RedisEngine) {
    let fleet = Fleet::on(engine).await;
    fleet.warm_up().await;
    let (entries, journal) = (fleet.slot("{e2}").await, fleet.slot(JOURNAL).await);
    assert_eq!(entries / 5461, 1, "not where the journal is");

    let before = fleet.epochs().await;
    fleet.cluster.fail_over(entries).await.unwrap();
    fleet.expect_epoch(before, "a failover of entries").await;
    // The nodes are looked at for a while yet, and nothing else is found.
    fleet.expect_settled().await;

    // Nobody syncs in between: whose slots they are says nothing.
    let before = fleet.epochs().await;
    fleet.cluster.fail_over(entries).await.unwrap();
    fleet.cluster.fail_over(entries).await.unwrap();
    fleet.expect_epoch(before, "a failover of entries, and back").await;
    fleet.expect_settled().await;

    // As before, but the one that is back has been given a slot as well, which would explain its new epoch.
    let before = fleet.epochs().await;
    fleet.cluster.fail_over(entries).await.unwrap();
    fleet.cluster.move_slot(fleet.slot("{e0}").await).await.unwrap();
    fleet.cluster.fail_over(entries).await.unwrap();
    fleet.expect_epoch(before, "a failover of entries, a slot that comes to them, and back").await;
    fleet.expect_settled().await;

    let before = fleet.epochs().await;
    fleet.cluster.fail_over(journal).await.unwrap();
    fleet.expect_epoch(before, "a failover of the journal").await;
    fleet.expect_settled().await;

    // Replaced, and on its way before anybody looks.
    let before = fleet.epochs().await;
    fleet.cluster.fail_over(entries).await.unwrap();
    fleet.cluster.move_slot(entries).await.unwrap();
    fleet.expect_epoch(before, "a failover of entries that then move").await;
}

impl Fleet {
    /// Waits until L1 and L2 are believed again, and fails if another epoch begins.
    async fn expect_settled(&self) {
        let epochs = self.epochs().await;
        // A new epoch is ahead of the clock, so that for some seconds nothing can be certified.
        eventually("memory is believed", async || {
            self.get("entries-2", "hot:0").await.expect(200);
            wait_out_the_window().await;
            self.get("entries-2", "hot:0").await.level() == "L1_MEMORY"
        })
        .await;
        assert_eq!(self.epochs().await, epochs);
    }
}

#[tokio::test]
async fn a_removed_copy_comes_back_with_a_replica() {
    let fleet = Fleet::on(RedisEngine::Valkey).await;
    fleet.warm_up().await;
    let before = fleet.epochs().await;
    let slot = fleet.slot(&copy_name("lost")).await;
    put(&fleet.api, "entries-1", "lost", "1").await.expect(201);
    fleet.get("entries-2", "lost").await.expect(200);
    let copy = format!("EXISTS {}", copy_name("lost"));
    assert_eq!(fleet.cluster.ask(slot, "WAIT 1 1000").await.unwrap(), ":1");

    fleet.cluster.sever(slot).await.unwrap();
    fleet.api.delete(&entry("lost")).pin("entries-1").send().await.expect(200);
    assert_eq!(fleet.cluster.ask(slot, &copy).await.unwrap(), ":0");
    fleet.cluster.lose(slot).await.unwrap();
    assert_eq!(fleet.cluster.ask(slot, &copy).await.unwrap(), ":1", "the replica has it still");

    fleet.get("entries-2", "lost").await.expect(404);
    fleet.expect_epoch(before, "the loss of a primary").await;
    fleet.get("entries-1", "lost").await.expect(404);

    // And the one that is back is watched again.
    fleet.cluster.mend().await.unwrap();
    fleet.expect_settled().await;
    let before = fleet.epochs().await;
    fleet.cluster.lose(slot).await.unwrap();
    fleet.expect_epoch(before, "another loss").await;
}

/// Some of what a script touches is elsewhere meanwhile: the engine stops it, and whoever sent it lets others know.
#[tokio::test]
async fn keys_move_one_by_one() {
    let fleet = Fleet::on(RedisEngine::Redis).await;
    let before = fleet.epochs().await;
    let keys: Vec<String> = (0..).map(|i| format!("moving:{i}")).filter(|key| shard(key) == "3").take(12).collect();
    for key in &keys {
        put_tagged(&fleet.api, key, &["moving"]).await;
    }
    let slot = fleet.slot("{e3}").await;
    let moving = fleet.cluster.begin_moving(slot).await.unwrap();
    assert_eq!(moving.keys("}c:").await.unwrap(), keys.len(), "the copies are elsewhere, and what finds them is not");
    put(&fleet.api, "entries-1", &keys[0], "\"new\"").await.expect(200);
    fleet.api.delete(&entry(&keys[1])).pin("entries-1").send().await.expect(200);
    let told = fleet.invalidate(json!({"tags": ["moving"]})).await;
    let refused = fleet.cluster.ask(slot, "INFO errorstats").await.unwrap();
    assert!(["errorstat_TRYAGAIN", "errorstat_ASK"].iter().any(|said| refused.contains(said)), "{refused}");
    moving.finish().await.unwrap();
    // What was refused is asked for again; what is left to a job, whose runner is not here, is done by the same request.
    if told.status != 200 || told.json()["reclaim"] == "in_progress" {
        fleet.invalidate(json!({"tags": ["moving"]})).await.expect(200);
    }

    // Before anybody reads them, who would find out that they are old.
    for key in &keys[1..] {
        let copy = format!("EXISTS {}", copy_name(key));
        eventually("the copies are removed", async || {
            fleet.get("entries-2", "nothing").await.expect(404);
            fleet.cluster.ask(slot, &copy).await.unwrap() == ":0"
        })
        .await;
    }
    wait_out_the_window().await;
    assert_eq!(fleet.get("entries-2", &keys[0]).await.expect(200).value(), "\"new\"");
    for key in &keys[1..] {
        fleet.get("entries-2", key).await.expect(404);
    }
    assert_eq!(fleet.epochs().await, before);
}
