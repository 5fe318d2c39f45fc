//! L1 hits end to end: clients over HTTP, the local stack's gateway and authorizer, and containers that are frozen
//! between requests as Lambda freezes them; against the same stack with a function that answers a constant in the place
//! of `entries`.
//!
//! Clients, gateway and containers share the machine's cores, so a client's wait has all three in it, on both sides. What
//! the containers alone take stands beside it as processor time, and what gateway and clients take as well, so that
//! one sees how much of a wait can differ at all.

use crate::{
    binaries,
    clients::{Answers, Clients, Question},
    corpus,
    engines::Engines,
    event,
    process::processor_time,
    report::{Row, Section, Unit},
    stats::{Summary, micros, percentile},
};
use serde_json::json;
use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    process,
    time::Duration,
};
use strata_stack::{Claims, Options, Stack};
use tokio::runtime::{self, Runtime};

/// Containers of each function.
const CONTAINERS: [usize; 2] = [1, 4];
/// Clients that ask at once, each on a connection of its own.
const CLIENTS: [usize; 3] = [1, 4, 16];
/// Turns of each number of clients, and how long each is.
const TURNS: usize = 7;
const TURN: Duration = Duration::from_millis(400);
/// Requests after which a container must answer from its L1.
const BEFORE: usize = 100;
/// Requests of each client before each turn, enough for every container to get one: what is due since the turn before,
/// such as a sync, is no part of a turn, for traffic of this rate has no such pauses.
const BEFORE_A_TURN: usize = 8;
/// What stands in an answer from L1.
const FROM_L1: &str = "L1_MEMORY";
/// What stands in an answer from anywhere.
const ANYWHERE: &str = "";
/// What stands in the baseline's answer.
const FROM_HELLO: &str = "hello";

/// Measures all numbers of containers and clients.
///
/// # Errors
/// When a stack cannot be started, or an answer is not the one that is meant.
pub fn measure(engines: &Engines) -> Result<Vec<Section>, Box<dyn Error>> {
    engines.built(&["authorizer", "entries"])?;
    let (strata, baseline) = (binaries::folder()?, with_hello_as_entries(&binaries::folder()?)?);
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    for containers in CONTAINERS {
        let strata = Api::start(&runtime, &strata, containers, FROM_L1)?;
        let baseline = Api::start(&runtime, &baseline, containers, FROM_HELLO)?;
        for clients in CLIENTS {
            rows.extend(compare(&strata, &baseline, clients)?);
        }
        runtime.block_on(strata.stack.shutdown());
        runtime.block_on(baseline.stack.shutdown());
    }
    Ok(vec![Section {
        title: "A GET from L1 through the gateway".into(),
        baseline: "the same stack with a function that answers a constant in the place of `entries`; containers are \
            frozen between requests"
            .into(),
        rows,
    }])
}

/// A folder in which the function that answers a constant goes by the name of `entries`.
fn with_hello_as_entries(built: &Path) -> io::Result<PathBuf> {
    let folder = built.join("hello-as-entries");
    fs::create_dir_all(&folder)?;
    fs::copy(built.join("authorizer"), folder.join("authorizer"))?;
    fs::copy(built.join("hello"), folder.join("entries"))?;
    Ok(folder)
}

/// Turns of both sides with so many clients.
fn compare(strata: &Api, baseline: &Api, clients: usize) -> Result<Vec<Row>, Box<dyn Error>> {
    let (mut ours, mut theirs) = (Turns::default(), Turns::default());
    for _ in 0..TURNS {
        ours.0.push(strata.take_turn(clients)?);
        theirs.0.push(baseline.take_turn(clients)?);
    }
    let name = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let who = format!("{}, {}", name(clients, "client"), name(strata.containers, "container"));
    Ok(ours.rows(&who, &theirs))
}

/// A stack whose containers answer one GET from memory.
struct Api {
    stack: Stack,
    containers: usize,
    get: Question,
}

impl Api {
    fn start(
        runtime: &Runtime,
        binaries: &Path,
        containers: usize,
        expected: &'static str,
    ) -> Result<Api, Box<dyn Error>> {
        // The limiter works as it does everywhere, but never refuses.
        let options = Options::default()
            .functions(["authorizer", "entries"])
            .binaries(binaries)
            .containers(containers)
            .env("RATE_LIMIT_READ", "1000000");
        let stack = runtime.block_on(Stack::start(options))?;
        let token = stack.token(Claims::default());
        let get = Question { request: request(&stack, "GET", &token, "", ""), expected, times: 1 };
        let api = Api { stack, containers, get };
        api.warm_up(&token)?;
        Ok(api)
    }

    /// Puts the entry, and reads it in each container until it is in L1 there.
    fn warm_up(&self, token: &str) -> Result<(), Box<dyn Error>> {
        let body = json!({ "value": corpus::record(1) }).to_string();
        let mut client = Clients::connect(self.address(), 1)?;
        let asked = |request, expected| Question { request, expected, times: 1 };
        client.ask(&asked(request(&self.stack, "PUT", token, "", &body), self.get.expected), 1)?;
        for container in self.stack.containers().iter().filter(|container| container.function == "entries") {
            let get = request(&self.stack, "GET", token, &format!("x-strata-pin: {}\r\n", container.name), "");
            client.ask(&asked(get.clone(), ANYWHERE), BEFORE)?;
            client.ask(&asked(get, self.get.expected), 1)?;
        }
        Ok(())
    }

    fn address(&self) -> &str {
        authority(self.stack.url())
    }

    fn take_turn(&self, clients: usize) -> Result<Turn, Box<dyn Error>> {
        let mut clients = Clients::connect(self.address(), clients)?;
        clients.ask(&self.get, BEFORE_A_TURN)?;
        let before = self.processor_times()?;
        let answers = clients.ask_for(&self.get, TURN)?;
        let after = self.processor_times()?;
        Ok(Turn { answers, containers: after[0] - before[0], bench: after[1] - before[1] })
    }

    /// Of the containers, and of this process, which has the gateway and the clients in it.
    fn processor_times(&self) -> io::Result<[Duration; 2]> {
        let mut containers = Duration::ZERO;
        for container in self.stack.containers() {
            if let Some(pid) = container.pid.filter(|_| container.function == "entries") {
                containers += processor_time(pid)?;
            }
        }
        Ok([containers, processor_time(process::id())?])
    }
}

/// The entry's request as it goes out. `header` is empty, or a line with its end.
fn request(stack: &Stack, method: &str, token: &str, header: &str, body: &str) -> String {
    let (host, length) = (authority(stack.url()), body.len());
    let path = format!("/v1/cache/entries/{}", event::KEY);
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n{header}content-length: {length}\r\n\
         \r\n{body}"
    )
}

/// Host and port of a URL.
fn authority(url: &str) -> &str {
    url.trim_start_matches("http://").split('/').next().unwrap_or_default()
}

/// What so many clients got in one turn.
struct Turn {
    answers: Answers,
    containers: Duration,
    bench: Duration,
}

#[derive(Default)]
struct Turns(Vec<Turn>);

impl Turn {
    #[allow(clippy::cast_precision_loss, reason = "numbers of requests are far below 2^52")]
    fn requests(&self) -> f64 {
        self.answers.times.len() as f64
    }
}

impl Turns {
    fn rows(&self, who: &str, baseline: &Turns) -> Vec<Row> {
        let row = |what: &str, unit, of: fn(&Turn) -> f64| {
            Row::new(format!("{who}: {what}"), unit, self.summary(of)).beside(baseline.summary(of))
        };
        vec![
            row("requests", Unit::PerSecond, |turn| turn.requests() / turn.answers.took.as_secs_f64()).aim("≥ 1/1.2"),
            row("median", Unit::Microseconds, |turn| percentile(&turn.answers.times, 50)).aim("≤ 1.2×"),
            row("99th percentile", Unit::Microseconds, |turn| percentile(&turn.answers.times, 99)).aim("≤ 1.2×"),
            row("processor time of containers by one", Unit::Microseconds, |turn| {
                micros(turn.containers) / turn.requests()
            }),
            row("processor time of gateway and clients by one", Unit::Microseconds, |turn| {
                micros(turn.bench) / turn.requests()
            }),
        ]
    }

    fn summary(&self, of: fn(&Turn) -> f64) -> Summary {
        Summary::of(self.0.iter().map(of).collect())
    }
}
