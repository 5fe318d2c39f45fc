//! Whom it asks, with which token, and how it ends when it may not.

use super::strata::Shell;
use crate::support::{eventually, put};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio};
use strata_it::{Api, patient, stack::Claims};

fn profiles(shell: &Shell) -> PathBuf {
    shell.home().join(".config/strata/profiles.toml")
}

#[tokio::test]
async fn a_profile_is_kept_where_only_its_owner_reads_it() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    let (url, token) = (api.stack.url(), api.stack.token(Claims::default()));
    let shell = Shell::new();
    shell.strata(&["get", "k"]).await.expect(2).says("strata login");
    shell.strata_with(&["login", "--url", url], &format!("{token}\n")).await.expect(0).says("profiles.toml");
    let file = profiles(&shell);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(shell.strata(&["get", "k"]).await.expect(0).out, "1\n");

    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    shell.strata(&["get", "k"]).await.expect(2).says("chmod 600");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();

    // Typed at a terminal it is not seen.
    let line = format!("strata login --profile other --url {url}");
    let typed = shell.typing(&line, &["token: "], &format!("{token}\n")).await.expect(0);
    assert!(!typed.out.contains(&token), "{typed:?}");
    assert_eq!(shell.strata(&["get", "k", "--profile", "other"]).await.expect(0).out, "1\n");
    shell.strata(&["get", "k", "--profile", "third"]).await.expect(2).says("no profile `third`");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("default = \"default\"", "default = \"third\"")).unwrap();
    shell.strata(&["get", "k"]).await.expect(2);
    let shell = shell.set("STRATA_PROFILE", "other");
    assert_eq!(shell.strata(&["get", "k"]).await.expect(0).out, "1\n");
    shell.strata(&["get", "k", "--profile", "third"]).await.expect(2).says("no profile `third`");
}

#[tokio::test]
async fn a_token_may_come_from_a_file_or_a_command() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    let (url, token) = (api.stack.url(), api.stack.token(Claims::default()));
    let shell = Shell::new();
    fs::write(shell.home().join("token"), format!("{token}\n")).unwrap();
    shell.strata(&["login", "--url", url, "--token-file", "token"]).await.expect(0);
    shell.strata(&["login", "--url", url, "--profile", "c", "--token-command", "cat ~/token"]).await.expect(0);
    assert!(!fs::read_to_string(profiles(&shell)).unwrap().contains(&token), "it is read anew each time");
    assert_eq!(shell.strata(&["get", "k"]).await.expect(0).out, "1\n");
    assert_eq!(shell.strata(&["get", "k", "--profile", "c"]).await.expect(0).out, "1\n");
    let once = Shell::new().set("STRATA_URL", url);
    let file = shell.home().join("token");
    assert_eq!(once.strata(&["get", "k", "--token-file", file.to_str().unwrap()]).await.expect(0).out, "1\n");
    fs::write(file, "\n").unwrap();
    shell.strata(&["get", "k"]).await.expect(4).says("has no token");
    shell.strata(&["get", "k", "--profile", "c"]).await.expect(4).says("has no token");
    let failing = shell.strata(&["login", "--url", url, "--profile", "f", "--token-command", "exit 3"]).await;
    failing.expect(4).says("exit status: 3");
}

#[tokio::test]
async fn the_environment_goes_before_the_profile_and_its_token_to_nobody_else() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    let (url, token) = (api.stack.url(), api.stack.token(Claims::default()));
    let shell = Shell::new();
    shell.strata_with(&["login", "--url", url], &token).await.expect(0);
    // Nobody listens there, and who did would not be told.
    shell.strata(&["get", "k", "--url", "http://127.0.0.1:9/v1/cache"]).await.expect(4).says("no token for");
    shell.strata(&["get", "k", "--url", &format!("{url}/")]).await.expect(0);
    let shell = shell.set("STRATA_TOKEN", "stale");
    shell.strata(&["get", "k"]).await.expect(4).says("UNAUTHORIZED");
    let shell = shell.set("STRATA_URL", "http://127.0.0.1:9/v1/cache");
    shell.strata(&["get", "k"]).await.expect(8).says("no connection");
}

#[tokio::test]
async fn what_is_wrong_is_said_by_the_exit_code() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    shell.strata(&[]).await.expect(2);
    shell.strata(&["gett"]).await.expect(2).says("get");
    shell.strata(&["get"]).await.expect(2);
    assert!(shell.strata(&["--help"]).await.expect(0).out.contains("Exit codes:"));
    assert!(shell.strata(&["--version"]).await.expect(0).out.starts_with("strata "));
    let no_login = shell.strata_with(&["login", "--profile", "x"], "nonsense").await.expect(4);
    assert!(!profiles(&shell).exists(), "{no_login:?}");
    let reader = Shell::new().set("STRATA_URL", api.stack.url());
    let reader = reader
        .set("STRATA_TOKEN", &api.stack.token(Claims { scopes: vec!["cache:read".to_owned()], ..Claims::default() }));
    reader.strata(&["put", "k", "1"]).await.expect(4).says("FORBIDDEN").says("cache:write");
    let far = Shell::new().set("STRATA_URL", "http://cache.example/v1/cache").set("STRATA_TOKEN", "t");
    far.strata(&["get", "k"]).await.expect(2).says("clear text");
    for words in [&["get", "k", "--url", ""][..], &["login", "--url", ""]] {
        shell.strata(words).await.expect(2).says("the URL is empty; set STRATA_URL");
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", nobody.local_addr().unwrap());
    shell.strata(&["get", "k", "--url", &url, "--timeout", "50ms"]).await.expect(8).says("no answer within");
}

#[tokio::test]
async fn a_limit_has_an_exit_code() {
    // The next permit comes in a minute, which is longer than it waits.
    let api = Api::with(patient().env("RATE_LIMIT_WRITE", "1")).await;
    let shell = Shell::of(&api);
    eventually("a refusal", async || {
        let put = shell.strata(&["put", "k", "1"]).await;
        assert!([0, 7].contains(&put.code), "{put:?}");
        put.code == 7 && put.err.contains("RATE_LIMITED")
    })
    .await;
}

#[tokio::test]
async fn pipes_get_no_colours_and_may_close() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    put(&api, "entries-1", "k", r#"{"a":1}"#).await.expect(201);
    let escape = '\u{1b}';
    for line in ["strata get k", "strata status"] {
        assert!(shell.at_a_terminal(line, "").await.expect(0).out.contains(escape), "{line}");
        assert!(!shell.at_a_terminal(&format!("NO_COLOR=1 {line}"), "").await.expect(0).out.contains(escape), "{line}");
        assert!(!shell.at_a_terminal(&format!("{line} --color never"), "").await.expect(0).out.contains(escape));
    }
    assert_eq!(shell.strata(&["get", "k"]).await.expect(0).out, "{\"a\":1}\n");
    assert!(shell.strata(&["get", "k", "--color", "always"]).await.expect(0).out.contains(escape));

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = shell.command("strata");
    let child = command.args(["get", "k"]).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let done = child.wait_with_output().await.unwrap();
    assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(141), &b""[..]));
}
