//! The rules of the architecture that neither the crate boundaries nor clippy can enforce.

mod calls;
mod layers;

use std::fs;
use std::path::{Path, PathBuf};

use crate::{openapi::DOCUMENT, template::TEMPLATE};
use strata_it::stack::repository;

/// Files longer than [`MAX_LINES`], each with its reason.
const LONG_FILES: [(&str, &str); 0] = [];
/// Lines of Rust above which a file wants to be split.
const MAX_LINES: usize = 400;
/// A function's binary hands over to its library.
const MAX_MAIN_LINES: usize = 15;

/// Files below `folders` that end in `extension`, as (path from the repository's root, text).
fn files(folders: &[&str], extension: &str) -> Vec<(String, String)> {
    let root = repository();
    let mut found = Vec::new();
    for folder in folders {
        collect(&root.join(folder), extension, &mut found);
    }
    assert!(!found.is_empty(), "no {extension} file below {folders:?}");
    let relative = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
    found.iter().map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect()
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
}

/// Whether `text` names something of the crate `name`, and not of a module of ours with the same name.
fn uses_crate(text: &str, name: &str) -> bool {
    let text = without_own_imports(text);
    let path = format!("{name}::");
    let longer = |before: &str| before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    text.match_indices(&path).any(|(at, _)| !longer(&text[..at]) || text[..at].ends_with(" ::"))
}

/// The text less its `use crate::{…};`, in which our own modules stand without `crate::` before them.
fn without_own_imports(text: &str) -> String {
    let mut parts = text.split("use crate::{");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, part| kept + part.split_once("};").map_or("", |(_, rest)| rest))
}

#[test]
fn a_crate_and_a_module_of_its_name_are_told_apart() {
    for theirs in ["use redis::Cmd;", "redis::cmd(\"GET\")", "Err(redis::RedisError)", "use ::redis::Cmd;"] {
        assert!(uses_crate(theirs, "redis"), "{theirs}");
    }
    let nested = "use crate::{\n    key::Key,\n    redis::{Link},\n};\n";
    for ours in ["use crate::redis::Link;", "super::redis::Link", "my_redis::x()", nested] {
        assert!(!uses_crate(ours, "redis"), "{ours}");
    }
    assert!(uses_crate(&format!("{nested}use redis::Cmd;"), "redis"));
}

/// Fails for every file of the deployed code that `offends`, unless its path starts with one of `allowed`.
#[track_caller]
fn only_in(allowed: &[&str], rule: &str, offends: impl Fn(&str) -> bool) {
    let bad: Vec<_> = files(&["shared", "functions"], "rs")
        .into_iter()
        .filter(|(path, text)| !allowed.iter().any(|allowed| path.starts_with(allowed)) && offends(text))
        .map(|(path, _)| path)
        .collect();
    assert!(bad.is_empty(), "{rule}: {bad:?}");
}

#[test]
fn redis_is_spoken_in_the_second_levels_files() {
    only_in(
        &["shared/cache/src/redis", "shared/cache/src/engines.rs", "shared/engines"],
        "redis:: outside L2 and the journal",
        |text| uses_crate(text, "redis"),
    );
}

#[test]
fn dynamodb_is_spoken_in_the_third_levels_files() {
    let sdk = ["aws_sdk_dynamodb", "aws_config", "aws_smithy_async", "aws_smithy_runtime_api"];
    only_in(&["shared/cache/src/dynamo"], "the AWS SDK outside L3", |text| {
        sdk.iter().any(|name| uses_crate(text, name))
    });
}

/// What decides how a run of the library goes can be handed in: see `tests/simulator`.
#[test]
fn time_and_chance_of_the_library_are_handed_in() {
    let own = |path: &str| path.starts_with("shared/cache/src") && !path.ends_with("tests.rs");
    for (path, text) in files(&["shared"], "rs").into_iter().filter(|(path, _)| own(path)) {
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
        let mut imports = code.split("use std::").skip(1).filter_map(|rest| rest.split(';').next());
        let is_clock = path == "shared/cache/src/clock.rs";
        let reads_time = imports.any(|names| names.contains("Instant")) || code.contains("std::time::Instant");
        assert!(
            is_clock || !reads_time,
            "{path} reads the system's monotonic clock: tokio::time::Instant can be moved"
        );
        let draws = uses_crate(code, "fastrand") || uses_crate(code, "getrandom");
        assert!(
            path == "shared/cache/src/chance.rs" || path.ends_with("concurrency.rs") || !draws,
            "{path} draws lots"
        );
    }
}

#[test]
fn the_environment_is_read_by_the_settings() {
    // The last two are in no binary that is deployed: one runs while it is built, one is left out without `planted`.
    let allowed = [
        "shared/api/src/settings.rs",
        "shared/cache/src/settings.rs",
        "shared/cli/src/settings.rs",
        "functions/authorizer/src/settings.rs",
        "functions/console/src/settings.rs",
        "shared/cache/build.rs",
        "shared/cache/src/planted.rs",
    ];
    only_in(&allowed, "env::var", |text| text.contains("env::var"));
}

#[test]
fn the_cache_is_a_library_for_anyone() {
    let manifest = fs::read_to_string(repository().join("shared/cache/Cargo.toml")).unwrap();
    // Its examples are functions.
    let manifest = manifest.split("[dev-dependencies]").next().unwrap();
    let foreign = ["http", "hyper", "lambda_http", "lambda_runtime", "jsonwebtoken", "reqwest", "strata-api"];
    let dependencies = manifest.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
    let bad: Vec<_> = dependencies.filter(|name| foreign.contains(name)).collect();
    assert!(bad.is_empty(), "shared/cache knows nothing of HTTP, tokens or Lambda: {bad:?}");
}

#[test]
fn engines_of_the_local_stack_are_not_deployed() {
    for (path, text) in files(&["shared", "functions"], "toml") {
        let text = text.split("[dev-dependencies]").next().unwrap();
        for name in ["dynoxide", "strata-stack", "nix"] {
            assert!(!text.lines().any(|line| line.starts_with(name)), "{path} depends on {name}");
        }
    }
}

#[test]
fn functions_know_no_client() {
    for (path, text) in files(&["functions", "shared/api", "shared/cache"], "toml") {
        for name in ["strata-client", "strata-cli", "clap", "ratatui"] {
            assert!(!text.lines().any(|line| line.starts_with(name)), "{path} depends on {name}");
        }
    }
    let client = fs::read_to_string(repository().join("shared/client/Cargo.toml")).unwrap();
    for name in ["clap", "indicatif", "ratatui", "termion", "toml"] {
        assert!(!client.lines().any(|line| line.starts_with(name)), "who uses the client gets no {name} with it");
    }
}

#[test]
fn binaries_hand_over_to_their_library() {
    for (path, text) in files(&["functions"], "rs") {
        let lines = text.lines().count();
        assert!(!path.ends_with("src/main.rs") || lines <= MAX_MAIN_LINES, "{path} has {lines} lines");
    }
}

#[test]
fn long_files_have_a_reason() {
    for (path, text) in files(&["shared", "functions", "tests"], "rs") {
        let lines = text.lines().count();
        let listed = LONG_FILES.iter().any(|(long, _)| *long == path);
        assert!(lines <= MAX_LINES || listed, "{path} has {lines} lines: split it, or list it with a reason");
        assert!(lines > MAX_LINES || !listed, "{path} is not long any more");
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Put together, so that this file does not find itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    for (path, text) in files(&["shared", "functions", "tests"], "rs") {
        for (number, line) in text.lines().enumerate() {
            assert!(!marks.iter().any(|mark| line.contains(mark)), "{path}:{}: {line}", number + 1);
        }
    }
}

#[test]
fn the_version_is_one() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(DOCUMENT["info"]["version"], version, "openapi.yaml");
    assert_eq!(
        TEMPLATE["Resources"]["Api"]["Properties"]["DefinitionBody"]["info"]["version"], version,
        "template.yaml"
    );
    let changes = fs::read_to_string(repository().join("CHANGELOG.md")).unwrap();
    let released = changes.lines().find_map(|line| line.strip_prefix("## ")).unwrap();
    assert!(released.starts_with(&format!("{version} - ")), "CHANGELOG.md: {released}");
}
