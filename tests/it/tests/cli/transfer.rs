//! Import and export.

use super::strata::{Done, Shell, interrupt};
use crate::{
    pages::page,
    support::{eventually, fresh},
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use std::{
    fs,
    io::Write,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use strata_client::{Level, Timestamp};
use strata_it::{
    Api, configured, patient,
    stack::{Claims, Options},
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

/// Without limits, which others test, and with all the time for a hundred at once that a busy machine takes.
fn unlimited() -> Options {
    let levels = json!({"l2_config": {"timeout_ms": 10_000}, "l3_config": {"timeout_ms": 20_000}});
    configured(levels).parameter("RateLimits", "off")
}

fn lines(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("{{\"key\":\"n:{number:05}\",\"value\":{number},\"tags\":[\"n\"]}}\n")).collect()
}

fn write(shell: &Shell, name: &str, text: &str) {
    fs::write(shell.home().join(name), text).unwrap();
}

/// A line of an export, less when it expires.
#[derive(Debug, PartialEq, Deserialize)]
struct Exported {
    key: String,
    value: Text,
    #[serde(default)]
    tags: Vec<String>,
    grace_seconds: Option<u64>,
    cache_levels: Option<Vec<Level>>,
}

/// JSON text, byte for byte.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Text(Box<RawValue>);

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.0.get() == other.0.get()
    }
}

fn without_times(text: &str) -> Vec<Exported> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn expiries(text: &str) -> Vec<i64> {
    #[derive(Deserialize)]
    struct Expiring {
        expires_at: Timestamp,
    }
    text.lines().map(|line| serde_json::from_str::<Expiring>(line).unwrap().expires_at.unix()).collect()
}

#[tokio::test]
async fn what_is_exported_comes_back_the_same() {
    let api = Api::with(unlimited()).await;
    let shell = Shell::of(&api);
    let odd = r#"{"b":1.00,"a":"ü\u00e9\/","n":1e400,"s":[ 1 , 2 ]}"#;
    let mut text = lines(0..230);
    text +=
        &format!("{{\"key\":\"n:odd/ü \\\"x\\\"\",\"value\":{odd},\"ttl_seconds\":40000,\"tags\":[\"b\",\"a\"]}}\n");
    text += "{\"key\":\"n:null\",\"value\":null}\n{\"key\":\"other\",\"value\":1}\n";
    write(&shell, "in.jsonl", &text);
    shell.strata(&["import", "in.jsonl"]).await.expect(0).says("stored 233 entries");
    let first = shell.strata(&["export", "n:"]).await.expect(0).says("232 entries");
    assert!(first.out.contains(&format!("\"value\":{odd},")), "byte for byte");
    assert_eq!(shell.strata(&["export", "--tag", "n", "-q"]).await.expect(0).out.lines().count(), 230);

    for name in ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst"] {
        shell.strata(&["export", "n:", "-o", name]).await.expect(0);
        shell.strata(&["invalidate", "n:*", "--yes"]).await.expect(0);
        assert_eq!(shell.strata(&["ls", "n:"]).await.expect(0).out, "");
        let done = shell.strata(&["import", name, "--json"]).await.expect(0).json();
        assert_eq!((&done["stored"], &done["complete"]), (&json!(232), &json!(true)), "{name}");
        let again = shell.strata(&["export", "n:"]).await.expect(0);
        assert_eq!(without_times(&again.out), without_times(&first.out), "{name}");
        // What was left when it was sent, to the second; a busy machine takes its time until it arrives.
        let later = expiries(&again.out).into_iter().zip(expiries(&first.out)).map(|(again, first)| again - first);
        let later: Vec<i64> = later.collect();
        assert!(later.iter().all(|later| (-3..1000).contains(later)), "{name}: {later:?}");
    }
    assert!(!Path::new(&shell.home().join("out.jsonl.part")).exists());
}

#[tokio::test]
async fn a_deployment_is_moved_as_the_documentation_says() {
    let [old, new] = [Api::with(unlimited()).await, Api::with(unlimited()).await];
    let shell = Shell::new();
    for (name, api) in [("old", &old), ("new", &new)] {
        let token = api.stack.token(Claims::default());
        shell.strata_with(&["login", "--profile", name, "--url", api.stack.url()], &token).await.expect(0);
    }
    let text = lines(0..30) + "{\"key\":\"odd\",\"value\":{\"b\":1.00,\"a\":\"\\u00e9\"}}\n";
    shell.strata_with(&["--profile", "old", "import", "-"], &text).await.expect(0);
    let blocks = page("docs/recovery.md").blocks().into_iter().filter(|block| block.info == "sh command-line");
    let script = format!("set -eu\n{}", blocks.map(|block| block.text).collect::<String>());
    assert!(script.contains("import"), "{script}");
    let moved = shell.command("sh").args(["-c", &script]).output().await.unwrap();
    Done::new(script, moved).expect(0).says("stored 31 entries");
    let [before, after] = ["old", "new"].map(|name| ["export", "--profile", name]);
    let before = shell.strata(&before).await.expect(0).out;
    assert_eq!(without_times(&shell.strata(&after).await.expect(0).out), without_times(&before));
}

#[tokio::test]
async fn grace_and_levels_come_back_too() {
    let api = Api::with(unlimited()).await;
    let shell = Shell::of(&api);
    shell.strata(&["put", "g:1", "1", "--grace", "1h", "--level", "l2", "--level", "l3"]).await.expect(0);
    shell.strata(&["put", "g:2", "2", "--idle", "10m", "--grace", "1m"]).await.expect(0);
    let first = shell.strata(&["export", "g:"]).await.expect(0).out;
    let lines = without_times(&first);
    assert_eq!(lines[0].grace_seconds, Some(3600));
    assert_eq!(lines[0].cache_levels.as_deref(), Some(&[Level::L2Redis, Level::L3Database][..]));
    assert_eq!((lines[1].grace_seconds, &lines[1].cache_levels), (Some(60), &None));
    shell.strata(&["invalidate", "g:*", "--yes"]).await.expect(0);
    shell.strata_with(&["import", "-"], &first).await.expect(0);
    assert_eq!(without_times(&shell.strata(&["export", "g:"]).await.expect(0).out), lines);
    let listed = shell.strata(&["ls", "g:1", "--json"]).await.expect(0).json();
    assert_eq!(listed["levels"], json!(["L2_REDIS", "L3_DATABASE"]));
    assert_eq!(fresh(&api, "g:1").await.json()["metadata"]["grace_seconds"], 3600);
}

#[tokio::test]
async fn levels_that_are_off_are_not_asked_for() {
    let two = json!({"l1_config": {"enabled": false}});
    let api = Api::with(configured(two).parameter("RateLimits", "off")).await;
    let shell = Shell::of(&api);
    shell.strata(&["put", "k", "1"]).await.expect(0);
    let lines = without_times(&shell.strata(&["export"]).await.expect(0).out);
    assert_eq!(lines[0].cache_levels, None, "where it is imported there may be more of them");
}

#[tokio::test]
async fn a_part_of_an_export_is_no_export() {
    let api = Api::with(unlimited()).await;
    let shell = Shell::of(&api).set("STRATA_TOKEN", &api.stack.token(Claims::with_scopes(&["cache:write"])));
    write(&shell, "out.jsonl", "what was there before");
    shell.strata(&["export", "-o", "out.jsonl"]).await.expect(4).says("stopped after 0 entries");
    assert_eq!(std::fs::read_to_string(shell.home().join("out.jsonl")).unwrap(), "what was there before");
    assert!(!shell.home().join("out.jsonl.part").exists());
}

#[tokio::test]
async fn progress_is_shown_to_who_can_see_it() {
    let api = Api::with(unlimited()).await;
    let shell = Shell::of(&api);
    write(&shell, "some.jsonl", &lines(0..500));
    let seen = shell.at_a_terminal("strata import some.jsonl --parallel 1", "").await.expect(0).out;
    for text in [" %", " entries, ", "/s", " left"] {
        assert!(seen.contains(text), "{text}: {seen}");
    }
    let piped = shell.strata(&["import", "some.jsonl"]).await.expect(0);
    assert!(piped.out.is_empty() && !piped.err.contains('%') && piped.err.lines().count() == 1, "{piped:?}");
    shell.strata(&["put", "n:00001", "1"]).await.expect(0);
    let seen = shell.at_a_terminal("strata warm n:00001 --pattern 'n:*'", "").await.expect(0).out;
    assert!(seen.contains(" keys, ") && seen.contains(" left"), "{seen}");
}

#[tokio::test]
async fn an_interrupted_export_is_no_export() {
    let nobody_answers = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody_answers.local_addr().unwrap());
    let shell = Shell::new().set("STRATA_URL", &url).set("STRATA_TOKEN", "t");
    write(&shell, "out.jsonl", "what was there before");
    let mut command = shell.command("strata");
    let export = command.args(["export", "-o", "out.jsonl"]).stderr(Stdio::piped()).spawn().unwrap();
    // It has asked, and waits.
    let (mut asked, _) = nobody_answers.accept().await.unwrap();
    asked.read_u8().await.unwrap();
    interrupt(export).await.expect(130).says("stopped after 0 entries");
    assert_eq!(fs::read_to_string(shell.home().join("out.jsonl")).unwrap(), "what was there before");
    assert!(!shell.home().join("out.jsonl.part").exists());
}

#[tokio::test]
async fn what_is_listed_is_what_there_is() {
    let api = Api::with(unlimited()).await;
    let shell = Shell::of(&api);
    shell.strata_with(&["import", "-", "--parallel", "2"], &lines(0..1205)).await.expect(0);
    shell.strata(&["put", "other", "[1]", "--tag", "t"]).await.expect(0);
    let listed = shell.strata(&["ls", "n:"]).await.expect(0).out;
    let expected: String = (0..1205).map(|number| format!("n:{number:05}\n")).collect();
    assert_eq!(listed, expected, "over two pages, each once, by their bytes");
    assert_eq!(shell.strata(&["ls", "-n", "3"]).await.expect(0).out.lines().count(), 3);
    let long = shell.strata(&["ls", "--tag", "t", "--long"]).await.expect(0).out;
    assert!(long.contains("other") && long.contains("3 B") && long.trim_end().ends_with('t'), "{long}");
    assert_eq!(shell.strata(&["ls", "other", "--json"]).await.expect(0).json()["tags"], json!(["t"]));
    let tags = shell.strata(&["tags"]).await.expect(0).out;
    let tags: Vec<&str> = tags.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(tags, ["n", "t"]);
    let counted = shell.strata(&["tags", "t", "--json"]).await.expect(0).json();
    assert_eq!(counted, api.get("/tags?prefix=t").send().await.expect(200).json()["tags"][0]);
}

/// Kilobytes that a process has had in memory at most; nothing of one that has ended.
fn most_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[tokio::test]
async fn a_longer_listing_takes_no_more_memory() {
    let api = Api::with(unlimited()).await;
    let shell = Shell::of(&api);
    let long = "x".repeat(490);
    let text: String = (0..8000).map(|number| format!("{{\"key\":\"{number:05}{long}\",\"value\":1}}\n")).collect();
    shell.strata_with(&["import", "-"], &text).await.expect(0);
    let mut listing = shell.command("strata").arg("ls").stdout(Stdio::piped()).spawn().unwrap();
    let pid = listing.id().unwrap();
    let mut lines = BufReader::new(listing.stdout.take().unwrap()).lines();
    let mut read = async |count: usize| {
        for _ in 0..count {
            lines.next_line().await.unwrap().unwrap();
        }
    };
    read(2500).await;
    let early = most_memory(pid).unwrap();
    // What is left does not fit the pipe, so that it has not ended.
    read(5300).await;
    let late = most_memory(pid).unwrap();
    read(200).await;
    assert!(late < early + 2000, "{early} kB, then {late}");
    assert!(listing.wait().await.unwrap().success());
}

#[tokio::test]
async fn what_cannot_be_stored_is_named_and_the_rest_is_stored() {
    let api = Api::with(unlimited()).await;
    let shell = Shell::of(&api);
    let text = concat!(
        "{\"key\":\"a\",\"value\":1}\n",
        "nonsense\n",
        "{\"key\":\"b\",\"value\":1,\"expires_at\":\"2020-01-01T00:00:00Z\"}\n",
        "{\"key\":\"a\",\"value\":2}\n",
        "{\"key\":\"c\",\"value\":3}\n",
        "{\"key\":\"d\",\"value\":1,\"ttl_seconds\":0}\n",
    );
    let done = shell.strata_with(&["import", "-"], text).await.expect(9).says("line 2: ").says("1 had expired");
    let done = done.says("stored 3 entries").says("2 could not be stored").says("d: ttl_seconds must be");
    assert_eq!(done.out, "");
    assert_eq!(fresh(&api, "a").await.value(), "2", "the later line stays");
    fresh(&api, "b").await.expect(404);
    shell.strata(&["import", "nowhere.jsonl"]).await.expect(1).says("nowhere.jsonl");
}

/// Imports so many entries, is killed when at least `least` lines are done, and goes on.
async fn import_in_two(shell: &Shell, entries: usize, least: u64, parallel: [&str; 2]) {
    write(shell, "many.jsonl", &lines(0..entries));
    let kept = shell.home().join(".local/state/strata/imports");
    let lines_done = || -> u64 {
        let file = fs::read_dir(&kept).ok().and_then(|mut files| files.next()).and_then(Result::ok);
        let text = file.and_then(|file| fs::read(file.path()).ok());
        let kept = text.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        kept.and_then(|kept| kept["lines"].as_u64()).unwrap_or(0)
    };
    let mut command = shell.command("strata");
    command.args(["import", "many.jsonl", "--parallel", parallel[0]]).stderr(Stdio::null());
    let mut killed = command.spawn().unwrap();
    while lines_done() < least {
        assert!(killed.try_wait().unwrap().is_none(), "it has ended");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    killed.kill().await.unwrap();
    let (before, entries) = (lines_done(), entries as u64);
    assert!((1..entries).contains(&before), "{before}");
    let done = shell.strata(&["import", "many.jsonl", "--parallel", parallel[1], "--json"]).await.expect(0);
    assert!(done.err.contains("going on after line"), "{done:?}");
    assert_eq!(done.json()["stored"], entries - before);
    assert_eq!(lines_done(), 0, "it has ended");
}

#[tokio::test]
async fn a_killed_import_goes_on_where_it_stopped() {
    let api = Api::with(unlimited()).await;
    let shell = Shell::of(&api);
    import_in_two(&shell, 1500, 1, ["1", "2"]).await;
    assert_eq!(shell.strata(&["ls", "n:"]).await.expect(0).out.lines().count(), 1500);
    assert_eq!(fresh(&api, "n:01499").await.value(), "1499");
}

/// The keys that `strata ls` prints, and the kilobytes that it has in memory at most while it does.
async fn listed(shell: &Shell, arguments: &[&str]) -> (Vec<String>, u64) {
    let mut listing = shell.command("strata").arg("ls").args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let (pid, mut peak, mut keys) = (listing.id().unwrap(), 0, Vec::new());
    let mut lines = BufReader::new(listing.stdout.take().unwrap()).lines();
    while let Some(key) = lines.next_line().await.unwrap() {
        if keys.len() % 1000 == 0 {
            peak = peak.max(most_memory(pid).unwrap_or_default());
        }
        keys.push(key);
    }
    assert!(listing.wait().await.unwrap().success());
    (keys, peak)
}

#[tokio::test]
#[ignore = "takes minutes: cargo test --workspace --test it -- --ignored a_hundred_thousand --nocapture"]
async fn a_hundred_thousand_entries_are_imported_in_two_and_listed() {
    let api = Api::with(unlimited()).await;
    let shell = Shell::of(&api);
    let began = Instant::now();
    import_in_two(&shell, 100_000, 50_000, ["8", "8"]).await;
    eprintln!("imported within {} s", began.elapsed().as_secs());
    let (few, before) = listed(&shell, &["-n", "10000"]).await;
    let (all, after) = listed(&shell, &["n:"]).await;
    eprintln!("ls of {} keys: {before} kB, of {}: {after} kB", few.len(), all.len());
    let expected: Vec<String> = (0..100_000).map(|number| format!("n:{number:05}")).collect();
    assert!(all == expected, "each of them once, by their bytes");
    assert!(after < before + 2000, "{before} kB, then {after}");
}

#[tokio::test]
async fn an_interrupted_import_says_how_to_go_on() {
    let api = Api::with(unlimited()).await;
    let shell = Shell::of(&api);
    let mut command = shell.command("strata");
    command.args(["import", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut import = command.spawn().unwrap();
    let mut stdin = import.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stdin, lines(0..250).as_bytes()).await.unwrap();
    // Two batches are whole; the third waits for more.
    eventually("what was given", async || fresh(&api, "n:00199").await.status == 200).await;
    let said = interrupt(import).await.expect(130).err;
    let skip = said.split("--skip ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
    assert!(["100", "200"].contains(&skip) || skip == "0", "{said}");
    shell.strata_with(&["import", "-", "--skip", skip], &lines(0..250)).await.expect(0);
    assert_eq!(shell.strata(&["ls", "n:"]).await.expect(0).out.lines().count(), 250);
}

#[tokio::test]
async fn an_import_keeps_within_the_rate_limit() {
    let api = Api::with(patient().env("RATE_LIMIT_WRITE", "300")).await;
    let shell = Shell::of(&api);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(lines(0..400).as_bytes()).unwrap();
    fs::write(shell.home().join("limited.gz"), gzip.finish().unwrap()).unwrap();
    let mut command = shell.command("strata");
    command.args(["import", "limited.gz"]).stderr(Stdio::piped());
    let mut import = command.spawn().unwrap();
    let containers = ["entries-1", "entries-2"];
    let refused = || containers.map(|container| api.stack.logs(container)).concat().contains("\"status\":429");
    eventually("the limit", async || refused()).await;
    assert!(import.try_wait().unwrap().is_none(), "it waits for it");
    import.kill().await.unwrap();
}
