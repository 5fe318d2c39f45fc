//! The script on a real server, beside its twin.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    Config,
    limits::{
        Class, Limits, Meters,
        tests::{Books, Terms},
    },
};
use redis::{Connection, cmd};
use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A server on a socket of its own, ended when dropped.
struct Server {
    child: Child,
    folder: std::path::PathBuf,
}

impl Server {
    fn start() -> Server {
        let folder = std::env::temp_dir().join(format!("strata-limits-{:016x}", fastrand::u64(..)));
        std::fs::create_dir(&folder).unwrap();
        let start = |engine: &str| {
            let arguments = ["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket", "s", "--dir"];
            Command::new(engine).args(arguments).arg(&folder).current_dir(&folder).stdout(Stdio::null()).spawn()
        };
        let child = start("redis-server").or_else(|_| start("valkey-server"));
        Server { child: child.expect("redis-server or valkey-server is on PATH"), folder }
    }

    fn connect(&self) -> Connection {
        let client = redis::Client::open(format!("unix://{}", self.folder.join("s").display())).unwrap();
        let began = Instant::now();
        loop {
            match client.get_connection() {
                Ok(connection) => return connection,
                Err(error) => assert!(began.elapsed() < Duration::from_secs(10), "{error}"),
            }
            pause(10);
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

#[expect(clippy::disallowed_methods, reason = "the server's time goes by while the test waits")]
fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

fn loaded(server: &Server) -> Connection {
    let mut connection = server.connect();
    let _: Vec<String> = scripts::loading().query(&mut connection).unwrap();
    connection
}

fn keys() -> Keyspace {
    Keyspace::new(&Config::default())
}

#[test]
fn the_script_does_as_its_twin() {
    let server = Server::start();
    let mut connection = loaded(&server);
    // Short, so that uses leave the window and leases end while the test runs.
    let terms = Terms { limit: 40, spare: 6, window: 2, life: 1 };
    let (mut books, mut rng) = (Books::default(), fastrand::Rng::with_seed(7));
    let (mut numbers, mut now) = ([1; 4], 0);
    let mut seen = [false; 4];
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(4500) {
        let container = rng.usize(0..numbers.len());
        // Mostly the next report, at times the same or an older one again.
        let number: u64 = numbers[container] + rng.u64(0..10).min(2) - 1;
        numbers[container] = numbers[container].max(number);
        let uses = (0..rng.usize(0..3)).map(|_| (now - rng.i64(-1..4), rng.u32(0..5))).collect();
        let asks = rng.bool().then(|| (now - rng.i64(0..3), rng.u32(1..9)));
        let report = Report { number, asks, uses };
        let keys = ["{l:x}read".to_owned(), format!("{{l:x}}read:{container}")];
        let call = lease(&keys, &report, [terms.limit, terms.spare, 2, 1]);
        match Lent::parse(call.query(&mut connection).unwrap()) {
            Ok(lent) => {
                now = lent.time_us / 1_000_000;
                assert_eq!(books.renew(terms, container, &report, lent.time_us), Some(lent));
                seen[usize::from(lent.granted > 0)] = true;
                seen[2] |= lent.counted;
            }
            Err(_) => seen[3] |= books.renew(terms, container, &report, now * 1_000_000).is_none(),
        }
        pause(rng.u64(0..20));
    }
    assert_eq!(seen, [true; 4], "leases, none, requests counted, and reports that came too late");
}

#[test]
fn nothing_is_kept_for_ever_and_no_api_key_is_told() {
    let server = Server::start();
    let mut connection = loaded(&server);
    let leases = Leases::new(keys());
    let mut meters = Meters::new(Limits::default());
    for key in ["secret", "evil}{j}journal", "\u{1F600}\r\n", ""] {
        let renewal = meters.renewal(key, Class::Read, 0).unwrap();
        let lent = Lent::parse(leases.renew(&renewal).query(&mut connection).unwrap()).unwrap();
        assert_eq!((lent.granted, lent.used), (49, 0));
    }
    let names: Vec<String> = cmd("KEYS").arg("*").query(&mut connection).unwrap();
    assert_eq!(names.len(), 8);
    for name in names {
        let hash = name.strip_prefix("regulateai:cache:{l:").and_then(|rest| rest.split_once("}read")).unwrap().0;
        assert!(hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
        let left_ms: i64 = cmd("PTTL").arg(&name).query(&mut connection).unwrap();
        assert!((60_000..=72_000).contains(&left_ms), "{name} lives {left_ms} ms");
    }
}
