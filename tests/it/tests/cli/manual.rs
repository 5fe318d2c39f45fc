//! `docs/cli.md` is run as it stands there, and leaves no command out.

use super::strata::{Done, Shell, binary};
use crate::pages::{Page, page};
use std::process::Stdio;
use strata_it::Api;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

fn manual() -> Page {
    page("docs/cli.md")
}

/// The blocks with this mark, one after the other.
fn blocks(mark: &str) -> String {
    manual().blocks().into_iter().filter(|block| block.info == mark).map(|block| block.text).collect()
}

#[tokio::test]
async fn every_line_of_the_manual_works() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    let script = format!("set -eu\n{}", blocks("sh command-line"));
    let done = shell.command("sh").args(["-c", &script]).output().await.unwrap();
    let done = Done::new(script, done);
    assert_eq!(done.code, 0, "{done:?}");
    for line in blocks("sh terminal").lines() {
        shell.at_a_terminal(line, "q").await.expect(0);
    }
}

#[tokio::test]
async fn every_command_and_exit_code_is_in_the_manual() {
    let (manual, tried) = (manual(), blocks("sh command-line") + &blocks("sh terminal"));
    let help = Shell::new().strata(&["--help"]).await.expect(0).out;
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: Vec<&str> = commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 10, "{help}");
    for command in commands {
        assert!(tried.contains(&format!("strata {command}")), "{command} is not tried");
    }
    let codes = help.split("Exit codes: ").nth(1).unwrap().split(|c: char| !c.is_ascii_digit());
    for code in codes.filter(|code| (1..=3).contains(&code.len()) && code.parse::<u8>().is_ok()) {
        assert!(manual.text.contains(&format!("| {code} |")), "exit code {code}");
    }
}

#[tokio::test]
async fn what_make_run_prints_can_be_pasted() {
    let mut local = Command::new(binary().with_file_name("strata-local"));
    // Time for each level: unoptimised builds share a busy machine with other suites.
    let config = r#"{"l2_config":{"timeout_ms":1000},"l3_config":{"timeout_ms":5000}}"#;
    local.env("PORT", "0").env("FUNCTION_ENV_CACHE_CONFIG", config);
    let mut local = local.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(local.stdout.take().unwrap()).lines();
    let mut script = "set -eu\n".to_owned();
    loop {
        let line = lines.next_line().await.unwrap().expect("it goes on");
        if line.ends_with("Ctrl-C stops everything.") {
            break;
        }
        let first = line.split_whitespace().next().unwrap_or_default();
        // Those that need somebody at a terminal are left out.
        let asks = [" invalidate ", " top"].iter().any(|word| line.contains(word));
        let is_command =
            first.starts_with("TOKEN=") || ["curl", "export"].contains(&first) || first.ends_with("strata");
        if is_command && !asks {
            script += &format!("{line}\n");
        }
    }
    let done = Shell::new().command("sh").args(["-c", &script]).output().await.unwrap();
    let done = Done::new(script, done).expect(0);
    assert!(done.out.contains("201 Created") && done.out.ends_with("{\"id\":12345}\n"), "{done:?}");
    let pid = local.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(local.wait().await.unwrap().success(), "it ends everything it began");
}
