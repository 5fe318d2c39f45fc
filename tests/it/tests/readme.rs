//! The README's tour is run as it stands there.

use std::{fs, process::Stdio};
use strata_it::{
    Api,
    stack::{Claims, repository},
};
use tokio::process::Command;

/// The commands of the tour, which begins by naming the API and a token. Both are another one here.
fn tour() -> String {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let mut blocks = readme.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let block = blocks.find(|block| block.starts_with("API=")).expect("the README has a tour");
    let commands = block.lines().filter(|line| !line.starts_with("API=") && !line.starts_with("TOKEN="));
    commands.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_tour_of_the_readme_works() {
    let api = Api::start().await;
    let tour = tour();
    // A refused request is a failed command then.
    let script =
        format!("set -e\ncurl() {{ command curl --fail-with-body --silent --show-error \"$@\" && echo; }}\n{tour}");
    let run = Command::new("sh")
        .args(["-c", &script])
        .env("API", api.stack.url())
        .env("TOKEN", api.stack.token(Claims::default()))
        .stdin(Stdio::null())
        .output();
    let done = run.await.unwrap();
    let [out, errors] = [&done.stdout, &done.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(done.status.success(), "{out}\n{errors}");
    assert!(tour.matches("curl ").count() >= 10 && out.contains("\"invalidated_count\":1"), "{out}");
}
