//! What one tenant's worst day costs the others: the GETs and PUTs of a quiet tenant beside each storm that another one may
//! make at the default limits, against the same beside as many harmless requests of equal length.
//!
//! Containers hold thousands of long keys of a third tenant, which every invalidation of a storm could mean. Here a storm's
//! sender, functions and engines share the machine's cores with the quiet tenant, which on AWS have their own. So it is
//! also measured beside the same storm on another deployment that stands on the same machine: what is left of the ratio
//! then comes from what tenants of one deployment share. DynamoDB's engine has a process of its own: in the gateway's it
//! would keep the gateway, and the ways to Redis, waiting whenever it works hard.

mod storms;

use self::storms::{STORMS, Storm};
use crate::{
    binaries,
    engines::{DynamoAlone, Engines},
    http,
    report::{Row, Section, Unit},
    stats::{Summary, percentile},
};
use redis::Commands;
use serde_json::json;
use std::{
    error::Error,
    io::{self, BufReader, Write},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};
use strata_stack::{Claims, L3Store, Options, Stack};
use tokio::runtime;

/// Of so many entries in the smallest size, a container holds one.
const HELD: usize = 5;
/// For so many held entries the quiet tenant puts one in each turn, up to a number, and reads for as long as that takes.
const HELD_OF_A_PUT: usize = 8;
const MOST_PUTS: usize = 500;
/// Turns of each side of a storm. In all of them together it sends nearly what a minute allows one API key.
const TURNS: usize = 4;
/// From one GET to the next.
const PAUSE: Duration = Duration::from_millis(1);
/// Entries of the quiet tenant.
const OWN: usize = 100;
/// API keys that the quiet tenant and the third one ask with in turn, so that no limit stops what is measured.
const API_KEYS: usize = 64;
/// Containers of each function.
const CONTAINERS: usize = 2;
/// What keeps invalidations open. Each is as long as a record's share of what may be open.
const OPEN: &str = "strata:cache:{j}open";
const OPENED: usize = 30;

/// Measures all storms, those that leave something behind last.
///
/// # Errors
/// When a stack cannot be started, or the quiet tenant is refused.
pub fn measure(engines: &Engines, sizes: &[usize]) -> Result<Vec<Section>, Box<dyn Error>> {
    engines.built(&binaries::functions()?)?;
    let held = sizes.iter().min().ok_or("there is no number of entries")? / HELD;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let build = |dynamo: &DynamoAlone| -> Result<Town, Box<dyn Error>> {
        let options = Options::default()
            .functions(["authorizer", "entries", "invalidate", "warm", "warmer"])
            .binaries(binaries::folder()?)
            .containers(CONTAINERS)
            .l3(L3Store::Endpoint(dynamo.endpoint().to_owned()))
            .schedules(false);
        let town = Town::new(runtime.block_on(Stack::start(options))?, held);
        town.move_in()?;
        Ok(town)
    };
    let servers = [DynamoAlone::start()?, DynamoAlone::start()?];
    let [town, other] = [build(&servers[0])?, build(&servers[1])?];
    let [mut beside_harmless, mut beside_elsewhere] = [Vec::new(), Vec::new()];
    for storm in &STORMS {
        let seen = town.weather(&other, storm)?;
        beside_harmless.extend(seen.rows(storm.name, &seen.calm));
        beside_elsewhere.extend(seen.rows(storm.name, &seen.elsewhere));
    }
    for Town { stack, .. } in [town, other] {
        runtime.block_on(stack.shutdown());
    }
    let title = "A quiet tenant beside another's storm";
    Ok(vec![
        Section {
            title: format!("{title}; containers hold {held} keys of 500 bytes of a third one"),
            baseline: "the same beside as many harmless requests of equal length, in turns".into(),
            rows: beside_harmless,
        },
        Section {
            title: format!("{title}, and beside one that shares nothing but the machine"),
            baseline: "the same beside the same storm on another deployment on this machine, in turns".into(),
            rows: beside_elsewhere,
        },
    ])
}

/// What the quiet tenant waited for in each turn.
#[derive(Default)]
struct Seen {
    calm: Vec<Waits>,
    stormy: Vec<Waits>,
    elsewhere: Vec<Waits>,
}

impl Seen {
    /// Rows of a storm beside a baseline.
    fn rows(&self, name: &str, baseline: &[Waits]) -> [Row; 4] {
        let row = |what: &str, percent: usize, of: fn(&Waits) -> &[Duration]| {
            let summary =
                |side: &[Waits]| Summary::of(side.iter().map(|waits| percentile(of(waits), percent)).collect());
            let figure = if percent == 50 { "median" } else { "99th percentile" };
            let row = Row::new(format!("{what} beside {name}: {figure}"), Unit::Microseconds, summary(&self.stormy));
            row.beside(summary(baseline)).aim("≤ 1.3×")
        };
        [
            row("GET", 50, |waits| &waits.gets),
            row("GET", 99, |waits| &waits.gets),
            row("PUT", 50, |waits| &waits.puts),
            row("PUT", 99, |waits| &waits.puts),
        ]
    }
}

/// A stack and who lives there.
struct Town {
    stack: Stack,
    tokens: Vec<String>,
    held: usize,
    puts: usize,
}

/// What the quiet tenant waited for.
#[derive(Default)]
struct Waits {
    gets: Vec<Duration>,
    puts: Vec<Duration>,
}

/// A request to send, but for who sends it.
struct Request {
    pub(self) method: &'static str,
    pub(self) path: String,
    pub(self) body: String,
}

/// One end of a connection to the gateway.
struct Client(BufReader<TcpStream>);

impl Town {
    fn new(stack: Stack, held: usize) -> Town {
        let token = |number| stack.token(Claims::default().api_key(&format!("tenant-{number}")));
        let tokens = (0..API_KEYS).map(token).collect();
        Town { stack, tokens, held, puts: (held / HELD_OF_A_PUT).clamp(1, MOST_PUTS) }
    }

    /// Puts the entries of the third tenant and of the quiet one, and has every container hold them.
    fn move_in(&self) -> io::Result<()> {
        let keys: Vec<String> = (0..self.held).map(storms::held).chain((0..OWN).map(own)).collect();
        let mut client = self.client()?;
        for (number, key) in keys.iter().enumerate() {
            client.ask_well(&put(key), self.token(number), "")?;
        }
        for container in self.stack.containers().iter().filter(|container| container.function == "entries") {
            for (number, key) in keys.iter().enumerate() {
                client.ask_well(&get(key), self.token(number), &format!("x-strata-pin: {}\r\n", container.name))?;
            }
        }
        Ok(())
    }

    /// All sides of a storm, in turns: harmless requests, the storm, and the storm on another deployment.
    fn weather(&self, other: &Town, storm: &Storm) -> Result<Seen, Box<dyn Error>> {
        let mut seen = Seen::default();
        let token =
            |town: &Town, side: &str| town.stack.token(Claims::default().api_key(&format!("{}-{side}", storm.name)));
        let [harmless, hostile, distant] = [token(self, "harmless"), token(self, "hostile"), token(other, "hostile")];
        for turn in 0..TURNS {
            seen.calm.push(self.take_turn(storm, turn, storm.harmless, (self, &harmless))?);
            for (town, by, side) in [(self, &hostile, &mut seen.stormy), (other, &distant, &mut seen.elsewhere)] {
                if storm.opens {
                    town.open()?;
                }
                side.push(self.take_turn(storm, turn, storm.hostile, (town, by))?);
                if storm.opens {
                    town.close()?;
                }
            }
        }
        Ok(seen)
    }

    /// Keeps invalidations open.
    fn open(&self) -> redis::RedisResult<()> {
        let open: Vec<_> = (0..OPENED).map(|number| (format!("{}-0", number + 1), storms::open(number))).collect();
        redis::Client::open(self.stack.redis().url())?.get_connection()?.hset_multiple(OPEN, &open)
    }

    fn close(&self) -> redis::RedisResult<()> {
        redis::Client::open(self.stack.redis().url())?.get_connection()?.del(OPEN)
    }

    /// The quiet tenant's requests, beside those of a storm that `by`, a token, sends to a town.
    fn take_turn(
        &self,
        storm: &Storm,
        turn: usize,
        request: fn(usize) -> Request,
        (town, by): (&Town, &str),
    ) -> io::Result<Waits> {
        let done = AtomicBool::new(false);
        let (mut reader, mut writer, mut sender) = (self.client()?, self.client()?, town.client()?);
        thread::scope(|scope| {
            let sent = scope.spawn(|| {
                for number in 0..storm.requests / TURNS {
                    let number = turn * (storm.requests / TURNS) + number;
                    sender.ask(&request(number), by, "")?;
                    thread::sleep(storm.pause);
                }
                io::Result::Ok(())
            });
            let read = scope.spawn(|| {
                let mut gets = Vec::new();
                while !done.load(Relaxed) {
                    gets.push(reader.ask_well(&get(&own(gets.len() % OWN)), self.token(gets.len()), "")?);
                    thread::sleep(PAUSE);
                }
                io::Result::Ok(gets)
            });
            let written: io::Result<Vec<Duration>> = (0..self.puts)
                .map(|number| writer.ask_well(&put(&own(number % OWN)), self.token(number), ""))
                .collect();
            let sent = sent.join().expect("a sender does not panic");
            // However that ended: the reader waits for it.
            done.store(true, Relaxed);
            let gets = read.join().expect("a reader does not panic")?;
            sent?;
            Ok(Waits { gets, puts: written? })
        })
    }

    fn token(&self, number: usize) -> &str {
        &self.tokens[number % self.tokens.len()]
    }

    fn client(&self) -> io::Result<Client> {
        let url = self.stack.url();
        let stream = TcpStream::connect(url.trim_start_matches("http://").split('/').next().unwrap_or_default())?;
        stream.set_nodelay(true)?;
        Ok(Client(BufReader::new(stream)))
    }
}

/// A key of the quiet tenant.
fn own(number: usize) -> String {
    format!("quiet:{number}")
}

fn get(key: &str) -> Request {
    Request { method: "GET", path: format!("/entries/{key}"), body: String::new() }
}

fn put(key: &str) -> Request {
    Request { method: "PUT", path: format!("/entries/{key}"), body: json!({"value": key}).to_string() }
}

impl Client {
    /// Asks; `header` is empty, or a line with its end. Returns how long the answer took, and its first line.
    fn ask(&mut self, request: &Request, token: &str, header: &str) -> io::Result<(Duration, String)> {
        let Request { method, path, body } = request;
        let length = body.len();
        let request = format!(
            "{method} /v1/cache{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{header}\
             content-length: {length}\r\n\r\n{body}"
        );
        let asked = Instant::now();
        self.0.get_mut().write_all(request.as_bytes())?;
        let answer = http::read(&mut self.0)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let took = asked.elapsed();
        let start = answer.start();
        if start.contains(" 429 ") || start.contains(" 400 ") {
            let body = String::from_utf8_lossy(&answer.body);
            return Err(io::Error::other(format!("{start}: {body}")));
        }
        Ok((took, start.to_owned()))
    }

    /// The same; only 200 and 201 will do.
    fn ask_well(&mut self, request: &Request, token: &str, header: &str) -> io::Result<Duration> {
        let (took, start) = self.ask(request, token, header)?;
        if start.contains(" 200 ") || start.contains(" 201 ") { Ok(took) } else { Err(io::Error::other(start)) }
    }
}
