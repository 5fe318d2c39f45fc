//! Layers of the library: what knows only the words imports no level, and no two files of `tiered/` need each other.
//!
//! Imports say little of `tiered/`, because all of its files add methods to one cache and its views. So the methods are
//! what is looked at: which file has one, and which files call it.

use super::files;
use std::collections::{BTreeMap, BTreeSet};

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

/// Whose method it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Cache,
    View,
}

/// The methods of the cache and its views in one file, and those that it calls.
#[derive(Default)]
struct Methods {
    defined: BTreeSet<(Of, String)>,
    called: BTreeSet<(Of, String)>,
}

impl Methods {
    fn of(code: &str) -> Methods {
        let mut methods = Methods::default();
        for part in code.split("\nimpl") {
            let head = part.lines().next().unwrap();
            let own = match head {
                _ if head.trim_end().ends_with("TieredCache {") && !head.contains(" for ") => Some(Of::Cache),
                _ if head.contains(" View<") && !head.contains(" for ") => Some(Of::View),
                _ => None,
            };
            // What comes after the block belongs to nobody.
            let (block, rest) = part.split_once("\n}").unwrap_or((part, ""));
            for (text, own) in [(block, own), (rest, None)] {
                methods.look_at(&one_line(text), own);
            }
        }
        methods
    }

    fn look_at(&mut self, code: &str, own: Option<Of>) {
        if let Some(own) = own {
            self.defined.extend(code.split(" fn ").skip(1).map(|rest| (own, first_name(rest))));
        }
        let receivers =
            [("self.", own), ("view.", Some(Of::View)), ("view().", Some(Of::View)), ("cache.", Some(Of::Cache))];
        for (receiver, of) in receivers {
            for (at, _) in code.match_indices(receiver) {
                let name = first_name(&code[at + receiver.len()..]);
                let is_call = code[at + receiver.len() + name.len()..].starts_with(['(', ':']);
                let is_whole = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                if let Some(of) = of.filter(|_| is_call && is_whole) {
                    self.called.insert((of, name));
                }
            }
        }
    }
}

/// Calls in a chain stand behind one another, however they are laid out.
fn one_line(code: &str) -> String {
    let lines = code.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    lines.fold(String::new(), |text, line| if line.starts_with('.') { text + line } else { text + " " + line })
}

/// Which files each file calls, and by what.
type Calls = BTreeMap<String, BTreeMap<String, String>>;

fn calls() -> Calls {
    let files: Vec<_> = library().filter(|(path, _)| path.starts_with("tiered/")).collect();
    let methods: BTreeMap<&str, Methods> =
        files.iter().map(|(path, code)| (path.as_str(), Methods::of(code))).collect();
    let has = |of: Of, name: &str| {
        let mut found = methods.iter().filter(|(_, methods)| methods.defined.contains(&(of, name.to_owned())));
        found.next().map(|(path, _)| (*path).to_owned())
    };
    let edges = |own: &str, methods: &Methods| {
        let called = methods.called.iter().filter_map(|(of, name)| {
            // A view is the cache as well.
            let path = has(*of, name).or_else(|| has(Of::Cache, name))?;
            (path != own).then(|| (path, name.clone()))
        });
        called.collect()
    };
    methods.iter().map(|(path, methods)| ((*path).to_owned(), edges(path, methods))).collect()
}

/// A circle that begins and ends with a file, if there is one.
fn circle(calls: &Calls, from: &str) -> Option<Vec<String>> {
    let (mut open, mut seen) = (vec![vec![from.to_owned()]], BTreeSet::new());
    while let Some(way) = open.pop() {
        for (next, method) in &calls[way.last().unwrap()] {
            let told = [way.clone(), vec![format!("`{method}`"), next.clone()]].concat();
            if next == from {
                return Some(told);
            }
            if seen.insert(next) {
                open.push(told);
            }
        }
    }
    None
}

#[test]
fn no_files_of_the_cache_call_each_other_in_a_circle() {
    let calls = calls();
    assert!(calls["tiered/catch_up.rs"].contains_key("tiered/sync/mod.rs"), "calls are not found any more");
    for from in calls.keys() {
        let circle = circle(&calls, from).map(|way| way.join(" → "));
        assert_eq!(circle, None, "one of them belongs below the other: docs/contributing.md, Layers");
    }
}
