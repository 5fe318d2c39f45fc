//! `strata-local`: the local stack for people. `strata-local --help` says how to use it.

// Its output is its interface.
#![allow(clippy::print_stdout)]

use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use strata_stack::{Claims, Info, Issuer, L3Store, Options, RedisEngine, Stack, repository};
use tokio::signal::unix::{SignalKind, signal};

const HELP: &str = "\
strata-local            runs the local stack until Ctrl-C
strata-local token      prints a JWT for the running stack

The stack takes these environment variables:
  PORT=3000                 the gateway's port on 127.0.0.1; 0 takes any free one
  CONTAINERS=2              containers per function
  FUNCTIONS=                only these, with commas between them; without the authorizer every request is answered 500
  ENGINES_AT=               an address of this machine on which functions that somebody else runs, in containers of
                            Docker, find Redis and DynamoDB; nothing there asks for a password
  FREEZE=1                  0 leaves containers running between invocations
  L3=memory                 or a folder that keeps the tables
  REDIS_URL=                a Redis that runs already, instead of a private one
  DYNAMODB_ENDPOINT=        a DynamoDB that runs already, instead of the embedded one
  COHERENCE_WINDOW_MS=      the coherence window; default what template.yaml says
Others are given to the functions as FUNCTION_ENV_<NAME>=, for example FUNCTION_ENV_CACHE_CONFIG='{}',
and to template.yaml as PARAMETER_<Name>=, for example PARAMETER_WarmScheduleExpression='rate(1 hour)'.

It describes itself in target/local/PORT/stack.json; the containers' logs are in target/local/PORT/logs.
The response header x-strata-container names the container that answered; the request header
x-strata-pin: NAME chooses it.

Faults:   curl http://127.0.0.1:3000/_strata/faults -d '{\"redis\":{\"container\":\"entries-1\",\"fault\":\"cut\"}}'
  redis   none, cut, stall, stall_replies, delay (ms), narrow (kb_per_second, ms),
          slow_to_connect (ms), reset; without a container: of all;
          the containers of config share their way to Redis
  l3      ok, stopped, slow (ms), throttling, failing (k, of), conflicting (k, of),
          sick (ms, throttled, failing, of), crowded (at_once, ms), control_throttling,
          as in {\"l3\":{\"fault\":\"slow\",\"ms\":200}}
  GET shows what is in force.

The token is for the stack on PORT, and takes these:
  SCOPES='cache:read cache:write cache:admin'   SUBJECT=local   API_KEY=   PREFIXES=a:,b:   TTL=3600 (seconds)
";

/// How long the token that is shown at the start is good for, in seconds.
const SHOWN_TOKEN_TTL: i64 = 24 * 3600;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        [] => run(),
        ["token"] => token().map(|token| println!("{token}")),
        ["--help" | "-h" | "help"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!("there is no `{}`; see strata-local --help", arguments.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("strata-local: {message}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run() -> Result<(), String> {
    let options = options()?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|why| why.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|why| why.to_string())?;
    let started = tokio::select! {
        started = Stack::start(options) => started,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    let stack = started.map_err(|error| error.to_string())?;
    greet(&stack);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    stack.shutdown().await;
    Ok(())
}

fn greet(stack: &Stack) {
    let url = stack.url();
    let token = stack.token(Claims::default().ttl_seconds(SHOWN_TOKEN_TTL));
    let strata = strata();
    let strata = strata.display();
    let has_console = stack.containers().iter().any(|container| container.function == "console");
    let console = if has_console { format!("Console: {url}/console\n\n") } else { String::new() };
    println!(
        "ready {url}

TOKEN={token}

curl -i -X PUT -H \"Authorization: Bearer $TOKEN\" -d '{{\"value\":{{\"id\":12345}},\"ttl_seconds\":3600}}' {url}/entries/customer:12345
curl -i -H \"Authorization: Bearer $TOKEN\" {url}/entries/customer:12345
curl -i -X DELETE -H \"Authorization: Bearer $TOKEN\" {url}/entries/customer:12345

export STRATA_URL={url} STRATA_TOKEN=$TOKEN
{strata} put customer:12345 '{{\"id\":12345}}' --ttl 1h --tag customer
{strata} get customer:12345
{strata} invalidate 'customer:*'
{strata} top

{console}The first line goes into the shell that runs the others. Logs: {}
Faults: strata-local --help. Ctrl-C stops everything.",
        stack.logs_folder().display()
    );
}

/// The command line, which is built beside this program, as somebody in this folder can write it.
fn strata() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default().with_file_name("strata");
    let here = std::env::current_dir().unwrap_or_default();
    own.strip_prefix(here).map_or_else(|_| own.clone(), PathBuf::from)
}

fn options() -> Result<Options, String> {
    let mut options = Options::default()
        .port(port()?)
        .containers(number("CONTAINERS", 2)?)
        .freeze(number("FREEZE", 1)? != 0)
        .l3(l3())
        .folder(local());
    if let Some(address) = variable("ENGINES_AT") {
        options = options.engines_at(parse("ENGINES_AT", &address)?);
    }
    if let Some(functions) = variable("FUNCTIONS") {
        options = options.functions(functions.split(','));
    }
    if let Some(url) = variable("REDIS_URL") {
        options = options.redis(RedisEngine::Url(url));
    }
    if let Some(window) = variable("COHERENCE_WINDOW_MS") {
        options = options.coherence_window_ms(parse("COHERENCE_WINDOW_MS", &window)?);
    }
    for (name, value) in std::env::vars() {
        if let Some(name) = name.strip_prefix("FUNCTION_ENV_") {
            options = options.env(name, value);
        } else if let Some(name) = name.strip_prefix("PARAMETER_") {
            options = options.parameter(name, value);
        }
    }
    Ok(options)
}

fn l3() -> L3Store {
    match (variable("DYNAMODB_ENDPOINT"), variable("L3")) {
        (Some(endpoint), _) => L3Store::Endpoint(endpoint),
        (None, Some(folder)) if folder != "memory" => L3Store::Folder(PathBuf::from(folder)),
        (None, _) => L3Store::Memory,
    }
}

/// A token from SCOPES, SUBJECT, API_KEY, PREFIXES and TTL, for the stack that runs, or for one with the default secret.
fn token() -> Result<String, String> {
    let mut claims = Claims::default();
    if let Some(scopes) = variable("SCOPES") {
        claims.scopes = scopes.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    }
    if let Some(subject) = variable("SUBJECT") {
        claims.subject = subject;
    }
    claims.api_key = variable("API_KEY");
    claims.prefixes = variable("PREFIXES").map(|prefixes| prefixes.split(',').map(str::to_owned).collect());
    claims.ttl_seconds = number("TTL", claims.ttl_seconds)?;
    let port = port()?;
    if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        eprintln!("strata-local: nothing answers on port {port}; PORT says where the stack is that the token is for");
    }
    Ok(issuer(port).sign(&claims))
}

fn issuer(port: u16) -> Issuer {
    match Info::read(&local(), port) {
        Ok(info) => Issuer { secret: info.jwt_secret, issuer: info.jwt_issuer, audience: info.jwt_audience },
        // None runs.
        Err(_) => Issuer::default(),
    }
}

fn port() -> Result<u16, String> {
    number("PORT", 3000)
}

/// Where stacks that people run keep their files, each in a folder of its port.
fn local() -> PathBuf {
    repository().join("target/local")
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number<T: FromStr>(name: &str, default: T) -> Result<T, String> {
    variable(name).map_or(Ok(default), |value| parse(name, &value))
}

fn parse<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name}={value} is not what it must be"))
}
