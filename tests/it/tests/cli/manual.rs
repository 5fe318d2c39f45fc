//! `docs/cli.md` is run as it stands there, and leaves no command out.

use super::strata::{Done, Shell};
use crate::pages::{Page, page};
use strata_it::Api;

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
