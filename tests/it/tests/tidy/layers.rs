//! Layers: what knows only the terms of the protocol imports no level, and no files of any crate call each other in a
//! circle.

use super::{calls, files};
use std::collections::BTreeSet;

const LIBRARY: &str = "shared/cache/src/";

/// What begins so imports nothing of these modules.
const FORBIDDEN: [(&str, &[&str]); 9] = [
    ("coherence", &["redis", "dynamo", "tiered"]),
    ("recent_changes", &["redis", "dynamo", "tiered"]),
    ("open_invalidations", &["redis", "dynamo", "tiered"]),
    ("outcome", &["redis", "dynamo", "tiered"]),
    ("record", &["redis", "dynamo", "tiered"]),
    ("explain", &["redis", "dynamo", "tiered"]),
    ("memory", &["redis", "dynamo", "tiered"]),
    ("redis", &["dynamo", "tiered"]),
    ("dynamo", &["redis", "tiered"]),
];

#[test]
fn what_a_container_knows_imports_no_level_and_no_level_another() {
    let mut bad = Vec::new();
    for (path, code) in library() {
        for (folder, modules) in FORBIDDEN {
            let own = path == format!("{folder}.rs") || path.starts_with(&format!("{folder}/"));
            let imported = imports(&code);
            bad.extend(
                modules.iter().filter(|name| own && imported.contains(**name)).map(|name| (path.clone(), *name)),
            );
        }
    }
    assert!(bad.is_empty(), "{bad:?}");
}

/// The modules of the crate that a file names.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(first_name(rest));
            continue;
        };
        let (mut depth, mut begins) = (0, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if begins && depth == 0 && !c.is_whitespace() => {
                    found.insert(first_name(&group[at..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    found
}

fn first_name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn imports_are_found_alone_and_in_groups() {
    let code = "use crate::{\n    key::{Key, redis},\n    memory::Memory,\n};\nuse crate::dynamo::Store;";
    assert_eq!(imports(code), ["dynamo", "key", "memory"].map(str::to_owned).into());
}

/// The code of the library by path below its `src`, without its tests.
fn library() -> impl Iterator<Item = (String, String)> {
    let all = files(&["shared/cache/src"], "rs").into_iter();
    all.filter(|(path, _)| !path.contains("/tests") && !path.ends_with("tests.rs") && !path.ends_with("concurrency.rs"))
        .map(|(path, text)| {
            let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            (path.strip_prefix(LIBRARY).unwrap().to_owned(), code)
        })
}

#[test]
fn no_files_of_a_crate_call_each_other_in_a_circle() {
    let manifests = files(&["shared", "functions", "tests"], "toml").into_iter();
    let crates = manifests.filter_map(|(path, _)| path.strip_suffix("/Cargo.toml").map(str::to_owned));
    let mut circles = Vec::new();
    for folder in crates {
        let calls = calls::of(&folder);
        let found = calls.keys().filter_map(|from| calls::circle(&calls, from));
        // Each is found once for every file in it.
        circles.extend(found.take(1).map(|way| format!("{folder}: {}", way.join(" → "))));
    }
    assert!(circles.is_empty(), "one of them belongs below the other: docs/contributing.md, Layers: {circles:#?}");
}

/// Should they not be found any more, nothing would be a circle.
#[test]
fn calls_are_found() {
    let cache = calls::of("shared/cache");
    let arrows = [
        ("tiered/catch_up.rs", "tiered/sync/mod.rs", "a method of a view"),
        ("tiered/mod.rs", "tiered/write/put.rs", "a method of the cache in another file"),
        ("tiered/read/deliver.rs", "tiered/source.rs", "a method of a parameter"),
        ("tiered/write/mod.rs", "coherence/order.rs", "a method of what a method returns"),
        ("dynamo/kept.rs", "dynamo/head.rs", "a function of a type"),
        ("dynamo/generation.rs", "dynamo/chunks.rs", "a function"),
    ];
    for (from, to, how) in arrows {
        assert!(cache[from].contains_key(to), "{from} calls {to}: {how}; found {:?}", cache[from]);
    }
    let own: calls::Calls = [("a", "b"), ("b", "c"), ("c", "b")]
        .map(|(from, to)| (from.to_owned(), [(to.to_owned(), "x".to_owned())].into()))
        .into();
    assert_eq!(calls::circle(&own, "a"), None);
    assert_eq!(calls::circle(&own, "b").unwrap().join(" "), "b `x` c `x` b");
}
