//! State, journal, configuration, jobs.

use super::strata::{Shell, interrupt};
use crate::support::{eventually, put};
use serde_json::{Value, json};
use std::{process::Stdio, time::Duration};
use strata_it::{Api, patient};
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::test]
async fn the_status_is_a_table_or_the_apis_answer() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    let table = shell.strata(&["status"]).await.expect(0);
    for word in ["healthy", "L1_MEMORY", "L2_REDIS", "L3_DATABASE", "container"] {
        assert!(table.out.contains(word), "{word}: {table:?}");
    }
    let status = shell.strata(&["status", "--json"]).await.expect(0).json();
    let raw = api.get("/status").send().await.expect(200).json();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&status), names(&raw));
    assert_eq!(names(&status["levels"][1]), names(&raw["levels"][1]));
}

#[tokio::test]
async fn the_journal_is_shown_and_followed() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    put(&api, "entries-1", "first", "1").await.expect(201);
    let shown = shell.strata(&["journal", "-n", "1"]).await.expect(0);
    assert!(shown.out.contains("put") && shown.out.contains("first") && shown.out.lines().count() == 1, "{shown:?}");
    let line = shell.strata(&["journal", "--json"]).await.expect(0).json();
    assert_eq!((&line["kind"], &line["key"]), (&json!("put"), &json!("first")));
    let found = shell.strata(&["journal", "--key", "first", "--kind", "put"]).await.expect(0);
    assert!(found.out.contains("first") && found.out.lines().count() == 1, "{found:?}");
    assert_eq!(shell.strata(&["journal", "--prefix", "second", "--by", "local"]).await.expect(0).out, "");
    let position = line["position"].as_str().unwrap();
    assert_eq!(shell.strata(&["journal", "--since", position]).await.expect(0).out, "");

    let mut command = shell.command("strata");
    let mut follower = command.args(["journal", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert!(lines.next_line().await.unwrap().unwrap().contains("first"));
    put(&api, "entries-2", "second", "1").await.expect(201);
    assert!(lines.next_line().await.unwrap().unwrap().contains("second"));
    // While nothing happens, it is the server that waits.
    let asked = || {
        let logs = ["invalidate-1", "invalidate-2"].map(|container| api.stack.logs(container)).concat();
        logs.matches("get_journal").count()
    };
    let before = asked();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(asked() <= before + 1);
    follower.kill().await.unwrap();
}

#[tokio::test]
async fn what_there_is_is_counted_by_prefix() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    for key in ["a:1", "a:2", "b/1"] {
        put(&api, "entries-1", key, "1").await.expect(201);
    }
    let counted = shell.strata(&["stats"]).await.expect(0).says("counted in L3_DATABASE at");
    let rows: Vec<Vec<&str>> = counted.out.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    assert_eq!(rows, [["PREFIX", "ENTRIES"], ["a:", "2"], ["(others)", "1"], ["(all)", "3"]], "{counted:?}");
    let slashes = shell.strata(&["stats", "--separator", "/", "--depth", "1", "--json"]).await.expect(0).json();
    assert_eq!(slashes["prefixes"], api.get("/stats?separator=/").send().await.expect(200).json()["prefixes"]);
    shell.strata(&["stats", "--depth", "9"]).await.expect(6).says("depth");
}

#[tokio::test]
async fn what_became_of_a_key_is_explained() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    put(&api, "entries-1", "k", "1").await.expect(201);
    shell.strata(&["rm", "k"]).await.expect(0);
    let said = shell.strata(&["explain", "k"]).await.expect(0);
    for words in [": deleted", "a GET is answered", "because of", "by local", "L3_DATABASE   not trusted: deleted"] {
        assert!(said.out.contains(words), "{words}: {said:?}");
    }
    let line = shell.strata(&["explain", "k", "--json"]).await.expect(0).json();
    assert_eq!((&line["reason"], &line["cause"]["kind"]), (&json!("deleted"), &json!("delete")));
}

#[tokio::test]
async fn the_configuration_is_shown_and_changed() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    let all = shell.strata(&["config"]).await.expect(0);
    assert!(all.out.lines().any(|line| line == "l1_config.ttl_minutes=60"), "{all:?}");
    assert_eq!(shell.strata(&["config", "l1_config.ttl_minutes"]).await.expect(0).out, "60\n");
    shell.strata(&["config", "l1_config.nothing"]).await.expect(3);
    let words = ["config", "set", "l1_config.ttl_minutes=90", "compression.algorithm=zstd"];
    let changed = shell.strata(&words).await.expect(0).says("l1_config.ttl_minutes: 60 → 90");
    changed.says("compression.algorithm: \"lz4\" → \"zstd\"");
    shell.strata(&words).await.expect(0).says("nothing was changed");
}

#[tokio::test]
async fn the_configuration_refuses_what_is_wrong() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    shell.strata(&["config", "set", "l1_config.ttl_minutes=0"]).await.expect(6).says("l1_config.ttl_minutes");
    shell.strata(&["config", "set", "l1_config"]).await.expect(2).says("FIELD=VALUE");
    let mut whole =
        [shell.strata(&["config", "--json"]).await.expect(0).json(), api.get("/config").send().await.json()];
    // Each container has a way to Redis of its own here.
    whole.iter_mut().for_each(|config| config["l2_config"]["redis_url"] = Value::Null);
    assert_eq!(whole[0], whole[1]);
}

#[tokio::test]
async fn a_warm_job_is_waited_for_looked_at_and_cancelled() {
    let api = Api::with(patient()).await;
    let shell = Shell::of(&api);
    put(&api, "entries-1", "k", "1").await.expect(201);
    let done = shell.strata(&["warm", "k", "absent", "--pattern", "p:*"]).await.expect(0);
    assert!(done.out.contains("done") && done.out.contains("missing"), "{done:?}");
    let job = shell.strata(&["warm", "k", "--strategy", "lazy", "--json"]).await.expect(0).json();
    assert_eq!((&job["state"], &job["done"]), (&json!("done"), &json!(1)));
    let id = job["job_id"].as_str().unwrap();
    assert_eq!(shell.strata(&["jobs", id, "--json"]).await.expect(0).json()["job_id"], id);
    shell.strata(&["jobs", id, "--watch"]).await.expect(0);

    let later = shell.strata(&["warm", "k", "-s", "scheduled", "--at", "2100-01-01T00:00:00Z"]).await;
    assert!(later.code == 6, "over a year ahead: {later:?}");
    let later = shell.strata(&["warm", "k", "-s", "scheduled"]).await.expect(0);
    let id = later.out.trim();
    assert!(shell.strata(&["jobs", id]).await.expect(0).out.contains("scheduled"));
    let listed = shell.strata(&["jobs"]).await.expect(0).out;
    let states: Vec<&str> = listed.lines().skip(1).filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(states, ["scheduled", "done", "done"], "{listed}");
    assert_eq!(shell.strata(&["jobs", "-n", "1", "--json"]).await.expect(0).json()["job_id"], id);
    assert!(shell.strata(&["jobs", id, "--cancel"]).await.expect(0).out.contains("cancelled"));
    shell.strata(&["jobs", id, "--watch"]).await.expect(9);
    shell.strata(&["jobs", "nobody"]).await.expect(3).says("JOB_NOT_FOUND");
}

#[tokio::test]
async fn an_interrupted_wait_says_that_the_job_goes_on() {
    // Nobody does it.
    let api = Api::with(patient().streams(false)).await;
    let shell = Shell::of(&api);
    let mut command = shell.command("strata");
    command.args(["warm", "k"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let waiting = command.spawn().unwrap();
    eventually("looking at the job", async || {
        ["warm-1", "warm-2"].iter().any(|container| api.stack.logs(container).contains("get_job"))
    })
    .await;
    interrupt(waiting).await.expect(130).says("the job goes on: strata jobs ");
}

#[tokio::test]
async fn completions_and_manual_pages_are_of_all_commands() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = shell.strata(&["completions", name]).await.expect(0).out;
        assert!(script.contains("invalidate") && script.contains("token-file"), "{name}");
    }
    let page = shell.strata(&["man"]).await.expect(0).out;
    assert!(page.starts_with(".ie") && page.contains("strata\\-invalidate"), "{page}");
    shell.strata(&["man", "pages"]).await.expect(0);
    assert!(shell.home().join("pages/strata-config-set.1").is_file());
}

#[tokio::test]
async fn the_fleet_is_followed_at_a_terminal() {
    let api = Api::start().await;
    let shell = Shell::of(&api);
    put(&api, "entries-1", "seen:on:screen", "1").await.expect(201);
    shell.strata(&["top"]).await.expect(2).says("needs a terminal");
    shell.strata(&["warm", "k", "-s", "scheduled"]).await.expect(0);
    // `q` ends it once the journal has been looked at.
    let line = "stty rows 40 cols 120; exec strata top --interval 1s";
    let shown = shell.typing(line, &["seen:on:screen"], "q").await.expect(0);
    for text in ["L1_MEMORY", "L3_DATABASE", "hits:", "scheduled", "Journal", "healthy"] {
        assert!(shown.out.contains(text), "{text}: {shown:?}");
    }
    assert!(shown.out.contains("\u{1b}[?1049l"), "the screen is as before: {shown:?}");
}
