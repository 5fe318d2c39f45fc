//! What Redis answers when something is wrong with it, and what users see then: the rows of `docs/redis-answers.md`, each
//! on real servers that are put into that state.

mod rows;

use self::rows::{AS_EVER, AWAY, DEGRADED, FROM_L2, FROM_L3, JOB, MISSING, ODD, REFUSING, Row};
use crate::{
    engines::servers::{PASSWORD, Servers, say},
    support::{copy_name, eventually, get, invalidate, put, shard, wait_out_the_window},
};
use redis::{FromRedisValue, aio::MultiplexedConnection};
use serde_json::{Value, json};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use strata_it::{
    Api, entry, patient,
    stack::{RedisEngine, repository},
};

/// How long others may return what a `degraded` mutation replaced.
const LAMBDA: Duration = Duration::from_secs(10);

/// A stack, and a way to its server that no state bars.
struct Rig {
    api: Api,
    server: MultiplexedConnection,
    /// What a state needs of others.
    master: Option<Servers>,
}

impl Rig {
    async fn start(engine: RedisEngine) -> Rig {
        let api = Api::with(patient().redis(engine)).await;
        let url = api.stack.redis().url().to_owned();
        crate::support::command::<()>(&api, &["ACL", "SETUSER", "admin", "on", ">admin", "~*", "&*", "+@all"]).await;
        let client = redis::Client::open(url.replace("redis://", "redis://admin:admin@")).unwrap();
        let server = client.get_multiplexed_async_connection().await.unwrap();
        Rig { api, server, master: None }
    }

    async fn say<T: FromRedisValue>(&mut self, words: &[&str]) -> T {
        let said = redis::cmd(words[0]).arg(&words[1..]).query_async(&mut self.server).await;
        said.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    async fn all(&mut self, commands: &[&[&str]], copy: &str) {
        let index = format!("strata:cache:{{e{}}}index", shard(copy));
        for words in commands {
            let words = words.iter().map(|word| {
                word.replace("{COPY}", &copy_name(copy))
                    .replace("{INDEX}", &index)
                    .replace("{JOURNAL}", "strata:cache:{j}journal")
                    .replace("{META}", "strata:cache:{j}meta")
                    .replace("{OPEN}", "strata:cache:{j}open")
                    .replace("{MB}", &"x".repeat(2 << 20))
            });
            let words: Vec<String> = words.collect();
            match words[0].as_str() {
                "{NO DUMP}" => self.spoil_dumps().await,
                "{BGSAVE}" => self.await_info("persistence", "rdb_last_bgsave_status:err").await,
                "{SCRIPT}" => self.occupy().await,
                "{LOAD}" => self.load().await,
                "{LOADED}" => self.await_info("replication", "master_link_status:up").await,
                _ => self.say(&words.iter().map(String::as_str).collect::<Vec<_>>()).await,
            }
        }
    }

    async fn await_info(&mut self, section: &str, line: &str) {
        for _ in 0..600 {
            // Nothing else is answered while it loads.
            let said: String = self.say(&["INFO", section]).await;
            if said.lines().any(|said| said == line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no {line}");
    }

    /// A folder in the place of the dump cannot be replaced by a file.
    async fn spoil_dumps(&mut self) {
        let told: Vec<String> = self.say(&["CONFIG", "GET", "dir"]).await;
        std::fs::create_dir_all(Path::new(&told[1]).join("dump.rdb/full")).unwrap();
    }

    async fn occupy(&self) {
        let mut other = self.server.clone();
        let client = redis::Client::open(self.api.stack.redis().url()).unwrap();
        let mut script = client.get_multiplexed_async_connection().await.unwrap();
        tokio::spawn(async move {
            let said = redis::cmd("EVAL").arg("while true do end").arg(0).query_async::<()>(&mut script).await;
            assert!(said.is_err(), "it is killed");
        });
        loop {
            let said = redis::cmd("PING").query_async::<()>(&mut other).await;
            if said.is_err_and(|error| error.code() == Some("BUSY")) {
                return;
            }
        }
    }

    /// Makes it load what another server has, slowly.
    async fn load(&mut self) {
        let master = Servers::single("rdbcompression no\n").await;
        let node = &master.nodes[0];
        let fill = "for i = 1, 3000 do redis.call('SET', i, string.rep('x', 600)) end";
        say(&node.admin_url(), &["EVAL", fill, "0"]).await;
        let port = node.port.to_string();
        for words in [
            ["CONFIG", "SET", "masterauth", PASSWORD].as_slice(),
            &["CONFIG", "SET", "key-load-delay", "5000"],
            &["CONFIG", "SET", "loading-process-events-interval-bytes", "1024"],
            &["REPLICAOF", "127.0.0.1", &port],
        ] {
            self.say::<()>(words).await;
        }
        self.await_info("persistence", "loading:1").await;
        self.master = Some(master);
    }
}

/// Puts the server into each state, one after the other.
async fn holds_in(engine: RedisEngine, rows: &[Row]) {
    let mut rig = Rig::start(engine).await;
    for (number, row) in rows.iter().enumerate() {
        eprintln!("{}", row.line());
        let keys = Keys::of(number);
        keys.prepare(&rig.api).await;
        rig.all(row.begin, &keys.odd).await;
        wait_out_the_window().await;
        keys.ask(&rig.api, row).await;
        rig.all(row.end, &keys.odd).await;
        keys.ends(&rig.api, row).await;
    }
}

/// The keys that a row is tried with.
struct Keys {
    /// Is put, read and put again; its copy is the odd one.
    odd: String,
    deleted: String,
    /// What is invalidated, and the pattern that means it.
    meant: String,
    pattern: String,
    other: String,
}

impl Keys {
    /// All in one shard.
    fn of(row: usize) -> Keys {
        let key = |name: &str| {
            let mut all = (0..).map(|i| format!("{row}:{name}:{i}"));
            all.find(|key| shard(key) == "3").unwrap()
        };
        let pattern = format!("{row}:meant:*");
        Keys { odd: key("odd"), deleted: key("deleted"), meant: key("meant"), pattern, other: key("other") }
    }

    async fn prepare(&self, api: &Api) {
        // Notes of the state before are told.
        eventually("redis", async || {
            let told = put(api, "entries-1", &self.odd, "0").await;
            told.status < 300 && told.json().get("degraded").is_none()
        })
        .await;
        for key in [&self.odd, &self.deleted, &self.meant, &self.other] {
            put(api, "entries-1", key, "1").await;
        }
        get(api, "entries-2", &self.other).await.expect(200);
        eventually("the status", async || l2_status(api).await == "healthy").await;
    }

    /// What users see in that state.
    async fn ask(&self, api: &Api, row: &Row) {
        let what = row.line();
        let found = get(api, "entries-2", &self.odd).await.expect(200);
        let from = if found.level() == "L2_REDIS" { FROM_L2 } else { FROM_L3 };
        assert_eq!((found.value(), from), ("1", row.get), "{what}");
        get(api, "entries-2", &self.other).await.expect(200);
        let changed = put(api, "entries-1", &self.odd, "2").await.expect(200).json();
        assert_eq!(said(&changed), row.change, "{what}: {changed}");
        let deleted = api.delete(&entry(&self.deleted)).pin("entries-1").send().await.expect(200).json();
        assert_eq!(said(&deleted), row.change, "{what}: {deleted}");
        let meant = invalidate(api, json!({"pattern": self.pattern, "dry_run": true})).await.expect(200).json();
        assert_eq!(meant["invalidated_count"], 1, "{what}: {meant}");
        let limited = |most: u64| invalidate(api, json!({"pattern": self.pattern, "max_affected": most}));
        limited(0).await.expect_error(409, "TOO_MANY_MATCHES");
        let done = limited(1).await.expect(200).json();
        assert_eq!(said(&done), row.invalidate, "{what}: {done}");
        assert_eq!(l2_status(api).await, row.status, "{what}");
        // Within Λ, whatever Redis still says.
        let began = Instant::now();
        eventually(&what, async || self.are_as_they_should(api).await).await;
        assert!(began.elapsed() < 2 * LAMBDA, "{what}: {:?}", began.elapsed());
        assert_eq!(get(api, "entries-1", &self.odd).await.expect(200).value(), "2", "{what}");
    }

    /// All is told once the state has ended, and nothing comes back.
    async fn ends(&self, api: &Api, row: &Row) {
        let what = row.line();
        eventually(&what, async || {
            let told = put(api, "entries-1", &self.other, "3").await.expect(200).json();
            told.get("degraded").is_none() && told["metadata"]["levels_stored"].to_string().contains("L2")
        })
        .await;
        wait_out_the_window().await;
        assert!(self.are_as_they_should(api).await, "{what}");
        assert_eq!(get(api, "entries-2", &self.other).await.expect(200).value(), "3", "{what}");
    }

    async fn are_as_they_should(&self, api: &Api) -> bool {
        let value = get(api, "entries-2", &self.odd).await.expect(200).value() == "2";
        let deleted = get(api, "entries-2", &self.deleted).await.status == 404;
        value && deleted && get(api, "entries-2", &self.meant).await.status == 404
    }
}

async fn l2_status(api: &Api) -> String {
    let status = api.get("/status").send().await.expect(200).json();
    status["levels"][1]["status"].as_str().unwrap().to_owned()
}

/// What an answer says of how it was done.
fn said(answer: &Value) -> &'static str {
    match (answer.get("degraded"), answer.get("job_id")) {
        (Some(_), _) => DEGRADED,
        (None, Some(_)) => JOB,
        (None, None) => AS_EVER,
    }
}

/// As one that does not answer is.
#[tokio::test]
async fn a_redis_that_takes_no_writes_is_spared_them() {
    let mut rig = Rig::start(RedisEngine::Any).await;
    rig.all(REFUSING[2].begin, "").await;
    let began = Instant::now();
    for i in 0..3 {
        put(&rig.api, "entries-1", &format!("k{i}"), "1").await;
    }
    for i in 0..100 {
        get(&rig.api, "entries-1", &format!("k{}", i % 3)).await.expect(200);
    }
    // Once a second, and with each note that there is.
    let most = 16 * (began.elapsed().as_secs() + 1);
    let said: String = rig.say(&["INFO", "errorstats"]).await;
    let refused = said.lines().find_map(|line| line.strip_prefix("errorstat_NOREPLICAS:count=")).unwrap_or("0");
    assert!((1..=most).contains(&refused.trim().parse().unwrap()), "{refused} of at most {most}");
}

#[tokio::test]
async fn jobs_and_the_configuration_do_without_writes() {
    let mut rig = Rig::start(RedisEngine::Any).await;
    put(&rig.api, "entries-1", "k", "1").await.expect(201);
    rig.say::<()>(&["DEL", &copy_name("k")]).await;
    rig.all(REFUSING[2].begin, "").await;
    let begun = rig.api.request("POST", "/warm").body(r#"{"keys":["k"]}"#).send().await.expect(202).json();
    let report = format!("/warm/{}", begun["warming_job_id"].as_str().unwrap());
    let state = async |api: &Api| api.get(&report).send().await.expect(200).json()["state"].clone();
    eventually("the job", async || state(&rig.api).await == "scheduled").await;
    let told = rig.api.put("/config", r#"{"l1_config":{"ttl_minutes":90}}"#).send().await.expect(200).json();
    assert_eq!(told["degraded"], true, "{told}");
    rig.all(REFUSING[2].end, "").await;
    eventually("the job", async || {
        rig.api.stack.tick().await.ok();
        state(&rig.api).await == "done"
    })
    .await;
    assert!(rig.say::<bool>(&["EXISTS", &copy_name("k")]).await);
}

#[tokio::test]
async fn redis_takes_no_writes() {
    holds_in(RedisEngine::Redis, &REFUSING).await;
}

#[tokio::test]
async fn valkey_takes_no_writes() {
    holds_in(RedisEngine::Valkey, &REFUSING).await;
}

#[tokio::test]
async fn redis_cannot_be_asked() {
    holds_in(RedisEngine::Redis, &AWAY).await;
}

#[tokio::test]
async fn valkey_cannot_be_asked() {
    holds_in(RedisEngine::Valkey, &AWAY).await;
}

#[tokio::test]
async fn redis_has_something_odd() {
    holds_in(RedisEngine::Redis, &ODD).await;
}

#[tokio::test]
async fn valkey_has_something_odd() {
    holds_in(RedisEngine::Valkey, &ODD).await;
}

#[tokio::test]
async fn slots_are_missing() {
    let servers = Servers::cluster("").await;
    let url = format!("redis+cluster://:{PASSWORD}@127.0.0.1:{}", servers.nodes[0].port);
    let api = Api::with(patient().redis(RedisEngine::Url(url))).await;
    let keys = Keys::of(0);
    keys.prepare(&api).await;
    for node in &servers.nodes {
        say(&node.admin_url(), &["CLUSTER", "DELSLOTSRANGE", "16000", "16383"]).await;
        eventually("a cluster that is down", async || {
            say(&node.admin_url(), &["CLUSTER", "INFO"]).await.contains("cluster_state:fail")
        })
        .await;
    }
    wait_out_the_window().await;
    keys.ask(&api, &MISSING).await;
    say(&servers.nodes[2].admin_url(), &["CLUSTER", "ADDSLOTSRANGE", "16000", "16383"]).await;
    keys.ends(&api, &MISSING).await;
}

#[test]
fn the_page_has_every_row() {
    let page = std::fs::read_to_string(repository().join("docs/redis-answers.md")).unwrap();
    let rows = REFUSING.iter().chain(&AWAY).chain(&ODD).chain([&MISSING]);
    let (said, expected): (Vec<&str>, Vec<String>) =
        (page.lines().filter(|line| line.starts_with("| `")).collect(), rows.map(Row::line).collect());
    let missing: Vec<_> = expected.iter().filter(|line| !said.contains(&line.as_str())).collect();
    assert!(missing.is_empty(), "not on the page: {missing:#?}");
    assert_eq!(said.len(), expected.len(), "and no other");
}
