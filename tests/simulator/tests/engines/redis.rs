//! Redis: the same commands and scripts to the engine and to a real server, Redis or Valkey.

#![allow(clippy::unwrap_used)]

use fastrand::Rng;
use redis::{Cmd, Connection, ConnectionLike, Value, cmd};
use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use strata_engines::redis::Redis;

/// How many commands each run sends.
const COMMANDS: usize = 6000;
/// Lives of names are so long that none ends in a run, or over already.
const LIFE_MS: [&str; 2] = ["3600000", "7200000"];

/// A server on a socket of its own, ended when dropped.
struct Server {
    child: Child,
    folder: PathBuf,
}

impl Server {
    /// That engine, where there is one.
    fn start(engine: &str) -> Option<Server> {
        let folder = std::env::temp_dir().join(format!("strata-engines-{:016x}", fastrand::u64(..)));
        std::fs::create_dir(&folder).unwrap();
        let arguments = ["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket", "s"];
        // About a length is then exactly that length.
        let nodes = ["--stream-node-max-entries", "1", "--dir"];
        let child = Command::new(engine)
            .args(arguments)
            .args(nodes)
            .arg(&folder)
            .current_dir(&folder)
            .stdout(Stdio::null())
            .spawn();
        Some(Server { child: child.ok()?, folder })
    }

    fn connect(&self) -> Connection {
        let client = redis::Client::open(format!("unix://{}", self.folder.join("s").display())).unwrap();
        let began = Instant::now();
        loop {
            match client.get_connection() {
                Ok(connection) => return connection,
                Err(error) => assert!(began.elapsed() < Duration::from_secs(10), "{error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// One of the names of a kind; one in twenty is of another kind.
fn name(rng: &mut Rng, kind: &str) -> String {
    let kind = if rng.u8(..20) == 0 { ["s", "h", "e", "z", "x"][rng.usize(..5)] } else { kind };
    format!("{kind}{}", rng.u8(..3))
}

fn word(rng: &mut Rng) -> String {
    ["a", "b", "aa", "ab", "ß", "é/1", "", "12", "-3", "t\n"][rng.usize(..10)].to_owned()
}

fn number(rng: &mut Rng) -> String {
    rng.i32(-4..12).to_string()
}

/// What a position of a stream may be asked for as.
fn position(rng: &mut Rng) -> String {
    match rng.u8(..6) {
        0 => "-".to_owned(),
        1 => "+".to_owned(),
        2 => format!("({}-{}", rng.u8(1..40), rng.u8(..3)),
        3 => rng.u8(1..40).to_string(),
        _ => format!("{}-{}", rng.u8(1..40), rng.u8(..3)),
    }
}

fn bound(rng: &mut Rng) -> String {
    match rng.u8(..4) {
        0 => ["-", "+"][rng.usize(..2)].to_owned(),
        1 => format!("({}", word(rng)),
        _ => format!("[{}", word(rng)),
    }
}

fn draw(rng: &mut Rng) -> Vec<String> {
    let texts = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
    let mut command = match rng.u8(..12) {
        0 => names(rng),
        1 | 2 => strings(rng),
        3..=5 => hashes(rng),
        6 => match rng.u8(..3) {
            0 => vec!["SADD".into(), name(rng, "e"), word(rng), word(rng)],
            1 => vec!["SREM".into(), name(rng, "e"), word(rng)],
            _ => vec!["SMEMBERS".into(), name(rng, "e")],
        },
        7..=9 => sorted(rng),
        _ => streams(rng),
    };
    if rng.u16(..1500) == 0 {
        command = texts(&["FLUSHALL"]);
    }
    command
}

fn names(rng: &mut Rng) -> Vec<String> {
    let kind = ["s", "h", "e", "z", "x"][rng.usize(..5)];
    let life = LIFE_MS[rng.usize(..2)].to_owned();
    match rng.u8(..7) {
        0 => vec!["DEL".into(), name(rng, kind), name(rng, kind)],
        1 => vec!["EXISTS".into(), name(rng, kind), name(rng, kind)],
        2 => vec!["PEXPIRE".into(), name(rng, kind), life],
        3 => vec!["PEXPIREAT".into(), name(rng, kind), "1000".into()],
        4 => vec!["RENAME".into(), name(rng, kind), name(rng, kind)],
        5 => vec!["PERSIST".into(), name(rng, kind)],
        _ => vec!["TYPE".into(), name(rng, kind)],
    }
}

fn strings(rng: &mut Rng) -> Vec<String> {
    let (key, life) = (name(rng, "s"), LIFE_MS[rng.usize(..2)].to_owned());
    match rng.u8(..9) {
        0 => vec!["GET".into(), key],
        1 => vec!["SET".into(), key, word(rng)],
        2 => vec!["SET".into(), key, word(rng), "NX".into(), "PX".into(), life],
        3 => vec!["GETRANGE".into(), key, number(rng), number(rng)],
        4 => vec!["SETRANGE".into(), key, rng.u8(..9).to_string(), word(rng)],
        5 => vec!["STRLEN".into(), key],
        6 => vec!["APPEND".into(), key, word(rng)],
        7 => vec!["MGET".into(), key, name(rng, "s")],
        _ => vec!["INCRBY".into(), key, number(rng)],
    }
}

fn hashes(rng: &mut Rng) -> Vec<String> {
    let (key, field) = (name(rng, "h"), word(rng));
    match rng.u8(..11) {
        0 | 1 => vec!["HSET".into(), key, field, word(rng), word(rng), word(rng)],
        2 => vec!["HGET".into(), key, field],
        3 => vec!["HMGET".into(), key, field, word(rng)],
        4 => vec!["HGETALL".into(), key],
        5 => vec!["HDEL".into(), key, field, word(rng)],
        6 => vec!["HINCRBY".into(), key, field, number(rng)],
        7 => vec!["HSETNX".into(), key, field, word(rng)],
        8 => vec!["HSTRLEN".into(), key, field],
        9 => vec!["HLEN".into(), key],
        _ => vec!["HEXISTS".into(), key, field],
    }
}

fn sorted(rng: &mut Rng) -> Vec<String> {
    let key = name(rng, "z");
    // By name where all have one score; by score elsewhere.
    let scored = rng.bool();
    let key = if scored { key.replace('z', "zz") } else { key };
    let score = |rng: &mut Rng| if scored { number(rng) } else { "0".to_owned() };
    match rng.u8(..9) {
        0..=2 => vec!["ZADD".into(), key, score(rng), word(rng), score(rng), word(rng)],
        3 => vec!["ZREM".into(), key, word(rng), word(rng)],
        4 if !scored => vec!["ZRANGEBYLEX".into(), key, bound(rng), bound(rng), "LIMIT".into(), "0".into(), "3".into()],
        5 if !scored => vec!["ZLEXCOUNT".into(), key, bound(rng), bound(rng)],
        4 => vec!["ZREMRANGEBYSCORE".into(), key, number(rng), number(rng)],
        5 => vec!["ZREVRANGE".into(), key, "0".into(), "-1".into(), "WITHSCORES".into()],
        6 => vec!["ZRANGE".into(), key, number(rng), number(rng)],
        7 => vec!["ZRANGEBYSCORE".into(), key, format!("({}", number(rng)), "+inf".into()],
        _ => vec!["ZCARD".into(), key],
    }
}

fn streams(rng: &mut Rng) -> Vec<String> {
    let key = name(rng, "x");
    match rng.u8(..9) {
        0..=2 => vec!["XADD".into(), key, format!("{}-{}", rng.u8(..40), rng.u8(..3)), word(rng), word(rng)],
        3 => {
            let about = ["~", "="][rng.usize(..2)].into();
            vec!["XADD".into(), key, "MAXLEN".into(), about, "4".into(), "*".into(), "f".into(), word(rng)]
        }
        4 => vec!["XRANGE".into(), key, position(rng), position(rng), "COUNT".into(), "3".into()],
        5 => vec!["XREVRANGE".into(), key, position(rng), position(rng)],
        6 => vec!["XTRIM".into(), key, "MINID".into(), "~".into(), position(rng).replace(['(', '-', '+'], "0")],
        7 => vec!["XDEL".into(), key, format!("{}-{}", rng.u8(1..40), rng.u8(..3))],
        _ => vec!["XLEN".into(), key],
    }
}

fn now_us() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// What does not depend on how a server keeps things: the order of what has none, the text of an error behind its code,
/// positions that a clock gave.
fn comparable(command: &str, reply: &Value) -> String {
    match reply {
        Value::ServerError(error) => format!("error {}", error.code()),
        Value::Array(items) if matches!(command, "HGETALL") => {
            let mut pairs: Vec<String> = items.chunks(2).map(|pair| format!("{pair:?}")).collect();
            pairs.sort();
            format!("{pairs:?}")
        }
        Value::Array(items) if matches!(command, "SMEMBERS" | "HKEYS") => {
            let mut members: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
            members.sort();
            format!("{members:?}")
        }
        other => format!("{other:?}"),
    }
}

fn send(connection: &mut Connection, command: &[String]) -> Value {
    let mut sent = Cmd::new();
    for part in command {
        sent.arg(part);
    }
    let reply = connection.req_packed_command(&sent.get_packed_command());
    reply.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

#[test]
fn commands_are_answered_as_by_a_real_server() {
    let mut engines = 0;
    for engine in ["redis-server", "valkey-server"] {
        let Some(server) = Server::start(engine) else { continue };
        engines += 1;
        let (mut connection, mut ours) = (server.connect(), Redis::new(1).with_nodes_of(1));
        let mut rng = Rng::with_seed(7);
        for at in 0..COMMANDS {
            let command = draw(&mut rng);
            let parts: Vec<&[u8]> = command.iter().map(String::as_bytes).collect();
            let theirs = send(&mut connection, &command);
            let mine = ours.execute(now_us(), &parts);
            // Both clocks give a position, each its own: from then on they have other records.
            if command[0] == "XADD" && command.contains(&"*".to_owned()) {
                send(&mut connection, &["DEL".to_owned(), command[1].clone()]);
                ours.execute(now_us(), &[b"DEL", command[1].as_bytes()]);
                continue;
            }
            let (theirs, mine) = (comparable(&command[0], &theirs), comparable(&command[0], &mine));
            assert_eq!(mine, theirs, "{engine}, command {at}: {command:?}");
        }
    }
    assert!(engines > 0, "redis-server or valkey-server is on PATH");
}

/// What scripts see of values, and what is seen of theirs.
const SCRIPTS: [&str; 8] = [
    "return {1, 2.9, 'x', false, true, {ok = 'fine'}, {'a', nil, 'b'}}",
    "return redis.call('HMGET', KEYS[1], 'a', 'b', 'none')",
    "local failed = redis.pcall('HGET', KEYS[2], 'a') return failed['err'] and string.sub(failed['err'], 1, 9) or failed",
    "return redis.call('GET', KEYS[1])",
    "return redis.call('SET', KEYS[2], ARGV[1], 'PX', 100000)",
    "return {#ARGV, redis.sha1hex(ARGV[1]), string.format('%.0f', 1700000000123), tostring(redis.call('GET', 'none'))}",
    "redis.call('ZADD', KEYS[3], 0, ARGV[1], 0, ARGV[2]) return redis.call('ZRANGEBYLEX', KEYS[3], '-', '(' .. ARGV[2] .. '\\255')",
    "if ARGV[1] == 'b' then return redis.error_reply('OWN word') end return redis.call('XADD', KEYS[4], ARGV[3], 'f', 7)",
];

#[test]
fn scripts_are_answered_as_by_a_real_server() {
    for engine in ["redis-server", "valkey-server"] {
        let Some(server) = Server::start(engine) else { continue };
        let (mut connection, mut ours, mut rng) = (server.connect(), Redis::new(1), Rng::with_seed(3));
        for at in 0..400 {
            if at % 3 == 0 {
                let command = ["HSET", "h0", &word(&mut rng), &word(&mut rng)].map(str::to_owned);
                send(&mut connection, &command);
                ours.execute(now_us(), &command.each_ref().map(|part| part.as_bytes()));
            }
            let mut command: Vec<String> =
                ["EVAL", SCRIPTS[rng.usize(..SCRIPTS.len())], "4", "h0", "s0", "z0", "x0"].map(str::to_owned).into();
            command.extend([word(&mut rng), word(&mut rng), format!("{}-1", rng.u8(1..200))]);
            let parts: Vec<&[u8]> = command.iter().map(String::as_bytes).collect();
            let theirs = comparable("", &send(&mut connection, &command));
            assert_eq!(comparable("", &ours.execute(now_us(), &parts)), theirs, "{engine}, {at}: {command:?}");
        }
        let unknown = ["EVALSHA".to_owned(), "0".repeat(40), "0".to_owned()];
        let ours = ours.execute(now_us(), &unknown.each_ref().map(|part| part.as_bytes()));
        assert_eq!(comparable("", &ours), comparable("", &send(&mut connection, &unknown)));
    }
}

#[test]
fn a_full_server_refuses_what_needs_more() {
    let Some(server) = Server::start("redis-server").or_else(|| Server::start("valkey-server")) else {
        panic!("redis-server or valkey-server is on PATH")
    };
    let (mut connection, mut ours) = (server.connect(), Redis::new(1));
    let (fill, full) =
        (["HSET", "h", "a", "1"].map(str::to_owned), cmd("CONFIG").arg("SET").arg("maxmemory").arg(1).to_owned());
    send(&mut connection, &fill);
    ours.execute(now_us(), &fill.each_ref().map(|part| part.as_bytes()));
    let _: () = full.query(&mut connection).unwrap();
    ours.refuse(Some(strata_engines::redis::Refusal::Full));
    let scripts = [
        "local a, b, at = struct.unpack('>I2I4', struct.pack('>I2I4', 258, 70000) .. 'x') return {a, b, at}",
        "return {struct.pack('>I5I6', 1099511627775, 3), struct.unpack('>I6', 'xx\\0\\0\\0\\0\\1\\2', 3)}",
        "return redis.call('HSET', KEYS[1], 'b', 2)",
        "redis.call('HDEL', KEYS[1], 'a') return redis.call('HSET', KEYS[1], 'b', 2)",
        "return redis.call('HGETALL', KEYS[1])",
    ];
    let mut commands: Vec<Vec<String>> =
        scripts.iter().map(|text| ["EVAL", text, "1", "h"].map(str::to_owned).into()).collect();
    for command in
        [&["SET", "s", "1"][..], &["PEXPIRE", "h", "100000"], &["HDEL", "h", "b"], &["XADD", "x", "1-1", "f", "v"]]
    {
        commands.push(command.iter().map(|part| (*part).to_owned()).collect());
    }
    for command in commands {
        let parts: Vec<&[u8]> = command.iter().map(String::as_bytes).collect();
        let theirs = comparable("HGETALL", &send(&mut connection, &command));
        assert_eq!(comparable("HGETALL", &ours.execute(now_us(), &parts)), theirs, "{command:?}");
    }
}

#[test]
fn a_user_is_refused_what_it_may_not_run() {
    for engine in ["redis-server", "valkey-server"] {
        let Some(server) = Server::start(engine) else { continue };
        let (mut connection, mut ours) = (server.connect(), Redis::new(1));
        let text = ["SET", "s", "abc"].map(str::to_owned);
        send(&mut connection, &text);
        ours.execute(now_us(), &text.each_ref().map(|part| part.as_bytes()));
        let _: () = cmd("ACL").arg(&["SETUSER", "default", "-getrange"]).query(&mut connection).unwrap();
        ours.refuse(Some(strata_engines::redis::Refusal::Denied("GETRANGE")));
        let scripts = [
            "return redis.call('GET', KEYS[1])",
            "redis.call('SET', KEYS[1], 'torn') return redis.call('GETRANGE', KEYS[1], 0, 1)",
            "return redis.call('GET', KEYS[1])",
            "return type(redis.pcall('GETRANGE', KEYS[1], 0, 1)['err'])",
        ];
        let mut commands: Vec<Vec<String>> =
            scripts.iter().map(|text| ["EVAL", text, "1", "s"].map(str::to_owned).into()).collect();
        commands.extend(
            [vec!["GETRANGE", "s", "0", "1"], vec!["GET", "s"]]
                .map(|parts| parts.into_iter().map(str::to_owned).collect()),
        );
        for command in commands {
            let parts: Vec<&[u8]> = command.iter().map(String::as_bytes).collect();
            let theirs = comparable("", &send(&mut connection, &command));
            assert_eq!(comparable("", &ours.execute(now_us(), &parts)), theirs, "{engine}: {command:?}");
        }
    }
}
