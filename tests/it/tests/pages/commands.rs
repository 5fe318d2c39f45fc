//! The commands of a page are run as they stand there, one block after the other in one shell, as a reader would who has
//! done the quick start.

use super::{Page, pages};
use std::{fs, process::Stdio};
use strata_it::{
    Api,
    stack::{Claims, repository},
};
use tokio::process::Command;

/// What a block of commands may be marked with, after `sh`, that needs what is not here; the last two are run by the suite
/// of the command line.
const ELSEWHERE: [&str; 6] = ["aws-account", "docker", "cargo-lambda", "generators", "command-line", "terminal"];
/// What else a block may be.
const OTHERS: [&str; 6] = ["text", "json", "rust", "python", "toml", "ts"];
/// Where `make run` serves.
const DEFAULT_ADDRESS: &str = "http://127.0.0.1:3000";
/// Where what is shown is run, by the language that it is marked with.
const RUN_IN: [(&str, &[&str]); 2] = [
    (
        "rust",
        &[
            "tests/it/tests/library/read_through.rs",
            "tests/simulator/tests/in_memory.rs",
            "shared/client/examples/get_or_load.rs",
        ],
    ),
    ("python", &["tests/stack/client-example.py"]),
];

/// What must have been answered to the commands of a page, for them to have shown what it says.
const SAID: [(&str, &[&str]); 5] = [
    ("README.md", &["\"invalidated_count\":1", "\"warming_job_id\""]),
    ("docs/api.md", &["\"mutations\""]),
    ("docs/configuration.md", &["\"compression.algorithm\""]),
    // What the comments beside the faults promise.
    ("docs/local-stack.md", &["\"degraded\":true", "L3_DATABASE; hit", "L2_REDIS; fwd=bypass; detail=unavailable"]),
    ("docs/warming.md", &["\"state\":\"cancelled\""]),
];

/// `curl` fails when it is refused, and says no more than the answer. `make` has begun the stack already, and what it
/// would do is only looked up: its targets build, install or measure, and the suites run below some of them.
const SHELL: &str = r#"set -eux
curl() { command curl --fail-with-body --silent --show-error "$@" && echo; }
make() {
    command make --dry-run "$@" >/dev/null
    case " $* " in *" token "*) echo "$STACK_TOKEN" ;; esac
}
"#;

/// The blocks of a page with that mark, one after the other.
fn marked(page: &Page, info: &str) -> String {
    page.blocks().into_iter().filter(|block| block.info == info).map(|block| block.text).collect()
}

/// The lines of the quick start after which `$API` and `$auth` can be used.
fn variables() -> String {
    let blocks = super::page("README.md").blocks();
    blocks.into_iter().find(|block| block.text.starts_with("API=")).unwrap().text
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
    for page in pages() {
        for block in page.blocks() {
            let (info, text) = (block.info.as_str(), &block.text);
            let elsewhere = info.strip_prefix("sh ").is_some_and(|mark| ELSEWHERE.contains(&mark));
            assert!(info == "sh" || OTHERS.contains(&info) || elsewhere, "{}: ```{info}\n{text}", page.path);
        }
    }
}

#[tokio::test]
async fn every_block_that_can_be_run_here_works() {
    let api = Api::start().await;
    let address = api.stack.url().strip_suffix("/v1/cache").unwrap();
    for page in pages() {
        let commands = marked(&page, "sh");
        // A caller of its own, for limits are by caller, and all of them together are more than one is allowed.
        let token = api.stack.token(Claims { subject: page.path.clone(), ..Claims::default() });
        let script = format!("{SHELL}{}{commands}", variables()).replace(DEFAULT_ADDRESS, address);
        let out = run(&script, &[("STACK_TOKEN", token)]).await;
        let said = SAID.iter().find(|(path, _)| *path == page.path).map_or(&[][..], |(_, said)| said);
        for said in said {
            assert!(out.contains(said), "{}: {said} in {out}", page.path);
        }
    }
}

#[tokio::test]
async fn blocks_for_elsewhere_are_commands_of_a_shell() {
    for block in pages().iter().flat_map(Page::blocks).filter(|block| block.info.starts_with("sh ")) {
        run(&format!("set -n\n{}", block.text), &[]).await;
    }
}

#[test]
fn what_is_shown_as_json_is_json() {
    for block in pages().iter().flat_map(Page::blocks).filter(|block| block.info == "json") {
        assert!(serde_json::from_str::<serde_json::Value>(&block.text).is_ok(), "{}", block.text);
    }
}

#[test]
fn what_is_shown_of_the_library_and_of_clients_is_run() {
    for (language, paths) in RUN_IN {
        let sources = paths.iter().map(|path| fs::read_to_string(repository().join(path)).unwrap());
        let sources: Vec<String> = sources.collect();
        let shown: Vec<_> = pages().iter().flat_map(Page::blocks).filter(|block| block.info == language).collect();
        assert!(!shown.is_empty(), "{language}");
        for block in shown {
            let is_run = sources.iter().any(|source| source.contains(&block.text));
            assert!(is_run, "is not in {paths:?}:\n{}", block.text);
        }
    }
}

#[tokio::test]
async fn what_make_is_asked_for_exists() {
    let mut asked = Vec::new();
    for page in pages() {
        let mentioned =
            page.text.split("`make ").skip(1).map(|rest| rest.split_once('`').unwrap().0.replace('\n', " "));
        asked.extend(mentioned.map(|asked| format!("make --dry-run {asked} >/dev/null")));
    }
    assert!(asked.len() > 10, "{asked:?}");
    asked.sort();
    asked.dedup();
    run(&format!("set -eux\n{}", asked.join("\n")), &[]).await;
}
