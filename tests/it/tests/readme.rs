//! The README's commands are run as they stand there, one block after the other in one shell, as a reader would.

use std::{fs, process::Stdio};
use strata_it::{
    Api,
    stack::{Claims, repository},
};
use tokio::process::Command;

/// What a block of commands may be marked with, after `sh`, that cannot be run here.
const ELSEWHERE: [&str; 3] = ["aws-account", "cargo-lambda", "docker"];
/// Where `make run` serves.
const DEFAULT_ADDRESS: &str = "http://127.0.0.1:3000";

/// `curl` fails when it is refused, and says no more than the answer. `make` has begun the stack already, and what it
/// would do is only looked up: its targets build, install or measure, and the suites run below some of them.
const SHELL: &str = r#"set -eux
curl() { command curl --fail-with-body --silent --show-error "$@" && echo; }
make() {
    command make --dry-run "$@" >/dev/null
    case " $* " in *" token "*) echo "$STACK_TOKEN" ;; esac
}
"#;

/// A fenced block.
struct Block {
    /// What stands after the fence.
    info: String,
    text: String,
}

fn readme() -> String {
    fs::read_to_string(repository().join("README.md")).unwrap()
}

fn blocks() -> Vec<Block> {
    let readme = readme();
    let mut parts = readme.split("\n```");
    let mut blocks = Vec::new();
    parts.next();
    while let (Some(block), Some(_)) = (parts.next(), parts.next()) {
        let (info, text) = block.split_once('\n').unwrap();
        blocks.push(Block { info: info.to_owned(), text: text.to_owned() });
    }
    blocks
}

/// Runs a script with the repository as its folder, and returns what it printed; fails when it does.
async fn run(script: &str, variables: &[(&str, String)]) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(repository()).envs(variables.iter().cloned()).stdin(Stdio::null());
    let done = shell.output().await.unwrap();
    let [out, errors] = [&done.stdout, &done.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(done.status.success(), "{script}\n{out}\n{errors}");
    out.into_owned()
}

#[test]
fn every_block_says_whether_it_can_be_run_here() {
    let blocks = blocks();
    for Block { info, text } in &blocks {
        let elsewhere = info.strip_prefix("sh ").is_some_and(|mark| ELSEWHERE.contains(&mark));
        assert!(info == "sh" || info == "text" || elsewhere, "```{info}\n{text}");
    }
    assert!(blocks.iter().filter(|block| block.info == "sh").count() >= 5);
}

#[tokio::test]
async fn every_block_that_can_be_run_here_works() {
    let api = Api::start().await;
    let address = api.stack.url().strip_suffix("/v1/cache").unwrap();
    let commands = blocks().into_iter().filter(|block| block.info == "sh").map(|block| block.text);
    let script = commands.collect::<Vec<_>>().join("\n").replace(DEFAULT_ADDRESS, address);
    let token = api.stack.token(Claims::default());
    let out = run(&format!("{SHELL}{script}"), &[("STACK_TOKEN", token)]).await;
    for said in [
        "\"invalidated_count\":1",
        "\"warming_job_id\"",
        "\"state\":\"cancelled\"",
        "\"compression.algorithm\"",
        // What the comments beside the faults promise.
        "\"degraded\":true",
        "L3_DATABASE; hit",
        "L2_REDIS; fwd=bypass; detail=unavailable",
    ] {
        assert!(out.contains(said), "{said} in {out}");
    }
}

#[tokio::test]
async fn blocks_for_elsewhere_are_commands_of_a_shell() {
    for block in blocks().into_iter().filter(|block| block.info.starts_with("sh ")) {
        run(&format!("set -n\n{}", block.text), &[]).await;
    }
}

#[tokio::test]
async fn what_make_is_asked_for_exists() {
    let readme = readme();
    let asked = readme.split("`make ").skip(1).map(|rest| rest.split_once('`').unwrap().0);
    let commands: Vec<String> = asked.map(|asked| format!("make --dry-run {asked} >/dev/null")).collect();
    assert!(commands.len() > 10, "{commands:?}");
    run(&format!("set -eux\n{}", commands.join("\n")), &[]).await;
}
