//! The program `strata-local`.

use std::net::TcpListener;
use std::process::{Command, Output};

fn strata_local(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strata-local"));
    command.args(arguments).envs(environment.iter().copied()).output().unwrap()
}

#[test]
fn a_busy_port_is_one_line_and_exit_code_1() {
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port().to_string();
    let output = strata_local(&[], &[("PORT", &port)]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.contains(&format!("port {port} is in use")), "{message}");
}

#[test]
fn a_token_is_printed_alone() {
    let output = strata_local(&["token"], &[("SCOPES", "cache:read"), ("TTL", "60")]);
    let token = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert_eq!(token.trim_end().split('.').count(), 3, "{token}");
}

#[test]
fn a_token_for_nobody_is_printed_with_a_warning() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let token = || strata_local(&["token"], &[("PORT", &port)]);
    let said = |output: &Output| String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(said(&token()), "");
    drop(listener);
    let output = token();
    assert!(output.status.success() && !output.stdout.is_empty());
    assert!(said(&output).contains(&format!("nothing answers on port {port}")), "{}", said(&output));
}

#[test]
fn what_is_not_understood_is_refused() {
    assert_eq!(strata_local(&["tokens"], &[]).status.code(), Some(1));
    assert_eq!(strata_local(&[], &[("CONTAINERS", "two")]).status.code(), Some(1));
}
