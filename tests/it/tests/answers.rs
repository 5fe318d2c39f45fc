//! What Redis answers when something is wrong with it, and what users see then: the rows of `docs/redis-answers.md`, each
//! on real servers that are put into that state.

use crate::{
    engines::servers::{PASSWORD, Servers, say},
    support::{copy_name, eventually, get, invalidate, put, shard, wait_out_the_window},
};
use redis::{FromRedisValue, aio::MultiplexedConnection};
use serde_json::{Value, json};
use std::path::Path;
use strata_it::{
    Api, entry, patient,
    stack::{RedisEngine, repository},
};

/// What an operation is in a state, as the page says it.
const FROM_L2: &str = "L2";
const FROM_L3: &str = "L3";
const AS_EVER: &str = "as ever";
const DEGRADED: &str = "`degraded`";
const JOB: &str = "200, a job";

/// A state of Redis, and what users see of it.
struct Row {
    /// What Redis says.
    code: &'static str,
    /// When it does.
    when: &'static str,
    /// Where a value comes from that memory does not have.
    get: &'static str,
    /// PUT and DELETE.
    change: &'static str,
    /// POST /invalidate.
    invalidate: &'static str,
    /// What the status says of L2.
    status: &'static str,
    begin: &'static [&'static [&'static str]],
    end: &'static [&'static [&'static str]],
}

impl Row {
    /// Redis is of no use: as if it were cut off.
    const fn cut_off(code: &'static str, when: &'static str) -> Row {
        Row { get: FROM_L3, change: DEGRADED, invalidate: DEGRADED, status: "unhealthy", ..Row::healthy(code, when) }
    }

    /// Redis is read from.
    const fn read_only(code: &'static str, when: &'static str) -> Row {
        Row { get: FROM_L2, status: "degraded", ..Row::cut_off(code, when) }
    }

    /// Nobody but one key is concerned.
    const fn healthy(code: &'static str, when: &'static str) -> Row {
        Row { code, when, get: FROM_L3, change: AS_EVER, invalidate: AS_EVER, status: "healthy", begin: &[], end: &[] }
    }

    /// As the page has it.
    fn line(&self) -> String {
        let Row { code, when, get, change, invalidate, status, .. } = self;
        format!("| `{code}` | {when} | {get} | {change} | {invalidate} | `{status}` |")
    }
}

const MEMORY_FULL: &[&[&str]] = &[&["SET", "permanent", "{MB}"], &["CONFIG", "SET", "maxmemory", "1mb"]];
const MEMORY_FREE: &[&[&str]] = &[&["CONFIG", "SET", "maxmemory", "0"], &["DEL", "permanent"]];
const MASTER_AGAIN: &[&[&str]] = &[&["REPLICAOF", "NO", "ONE"], &["CONFIG", "SET", "replica-serve-stale-data", "yes"]];
const ALL_RIGHTS: &[&[&str]] = &[&["ACL", "SETUSER", "default", "+@all"]];

/// It answers, and takes no writes.
const REFUSING: [Row; 4] = [
    Row {
        begin: &[MEMORY_FULL[0], &["CONFIG", "SET", "maxmemory-policy", "noeviction"], MEMORY_FULL[1]],
        end: MEMORY_FREE,
        ..Row::read_only("OOM", "memory is full, `noeviction`")
    },
    Row {
        begin: &[MEMORY_FULL[0], &["CONFIG", "SET", "maxmemory-policy", "volatile-lru"], MEMORY_FULL[1]],
        end: MEMORY_FREE,
        // What may go is gone.
        ..Row { get: FROM_L3, ..Row::read_only("OOM", "memory is full of what may not go, `volatile-lru`") }
    },
    Row {
        begin: &[&["CONFIG", "SET", "min-replicas-to-write", "1"]],
        end: &[&["CONFIG", "SET", "min-replicas-to-write", "0"]],
        ..Row::read_only("NOREPLICAS", "fewer replicas than `min-replicas-to-write`")
    },
    Row {
        begin: &[&["CONFIG", "SET", "save", "3600 1"], &["{NO DUMP}"], &["BGSAVE"], &["{BGSAVE}"]],
        end: &[&["CONFIG", "SET", "save", ""]],
        ..Row::read_only("MISCONF", "a snapshot failed, `stop-writes-on-bgsave-error`")
    },
];

/// It cannot be asked.
const AWAY: [Row; 7] = [
    Row {
        begin: &[&["CONFIG", "SET", "busy-reply-threshold", "50"], &["{SCRIPT}"]],
        end: &[&["SCRIPT", "KILL"]],
        ..Row::cut_off("BUSY", "somebody's script runs for long")
    },
    Row {
        begin: &[&["REPLICAOF", "127.0.0.1", "1"]],
        end: MASTER_AGAIN,
        ..Row::cut_off("READONLY", "it is a replica now")
    },
    Row {
        begin: &[&["CONFIG", "SET", "replica-serve-stale-data", "no"], &["REPLICAOF", "127.0.0.1", "1"]],
        end: MASTER_AGAIN,
        ..Row::cut_off("MASTERDOWN", "a replica without its master, `replica-serve-stale-data no`")
    },
    Row {
        begin: &[&["{LOAD}"]],
        end: &[&["CONFIG", "SET", "key-load-delay", "0"], &["{LOADED}"], MASTER_AGAIN[0]],
        ..Row::cut_off("LOADING", "it loads its data")
    },
    Row {
        begin: &[&["ACL", "SETUSER", "default", "resetpass", ">other"], &["CLIENT", "KILL", "TYPE", "normal"]],
        end: &[&["ACL", "SETUSER", "default", "nopass"]],
        ..Row::cut_off("NOAUTH", "the password is another one")
    },
    Row {
        begin: &[&["ACL", "SETUSER", "default", "-evalsha"]],
        end: ALL_RIGHTS,
        ..Row::cut_off("NOPERM", "the user may not run scripts")
    },
    Row {
        begin: &[&["ACL", "SETUSER", "default", "-hmget"]],
        end: ALL_RIGHTS,
        ..Row::cut_off("ERR", "the user may not run a command of the sync")
    },
];

/// One right, or one key, is not as it should be.
const ODD: [Row; 6] = [
    Row {
        begin: &[&["ACL", "SETUSER", "default", "-xadd"]],
        end: ALL_RIGHTS,
        // No other write is refused.
        ..Row { status: "healthy", ..Row::read_only("ERR", "the user may not append to the journal") }
    },
    Row {
        begin: &[&["DEL", "{COPY}"], &["SET", "{COPY}", "odd"]],
        ..Row::healthy("WRONGTYPE", "something else has the name of a copy")
    },
    Row {
        begin: &[&["RENAME", "{INDEX}", "{INDEX}:kept"], &["SET", "{INDEX}", "odd"]],
        end: &[&["RENAME", "{INDEX}:kept", "{INDEX}"]],
        ..Row {
            get: FROM_L2,
            change: DEGRADED,
            invalidate: JOB,
            status: "unhealthy",
            ..Row::healthy("WRONGTYPE", "… of the index of a shard")
        }
    },
    Row {
        begin: &[&["DEL", "{JOURNAL}"], &["SET", "{JOURNAL}", "odd"]],
        end: &[&["DEL", "{JOURNAL}"]],
        ..Row::cut_off("WRONGTYPE", "… of the journal")
    },
    Row {
        begin: &[&["DEL", "{META}"], &["SET", "{META}", "odd"]],
        end: &[&["DEL", "{META}"]],
        ..Row::cut_off("WRONGTYPE", "… of what stands beside the journal")
    },
    Row {
        begin: &[&["DEL", "{OPEN}"], &["SET", "{OPEN}", "odd"]],
        end: &[&["DEL", "{OPEN}"]],
        ..Row::cut_off("WRONGTYPE", "… of the open invalidations")
    },
];

/// The one of a cluster: see [`slots_are_missing`].
const MISSING: Row = Row::cut_off("CLUSTERDOWN", "slots of a cluster are nobody's");

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
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
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
        let done = invalidate(api, json!({"pattern": self.pattern})).await.expect(200).json();
        assert_eq!(said(&done), row.invalidate, "{what}: {done}");
        assert_eq!(l2_status(api).await, row.status, "{what}");
        // Within Λ, whatever Redis still says.
        eventually(&what, async || self.are_as_they_should(api).await).await;
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
