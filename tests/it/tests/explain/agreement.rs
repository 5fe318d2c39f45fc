//! Hundreds of keys, to each of which something random is done, through one container or another; then every container
//! says of every key why a read finds what it finds, and is read.

use super::{assert_agrees, explain};
use crate::support::{get, invalidate, wait_out_the_window};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use strata_it::{Api, configured, entry};

/// Keys of a run, and what is done to them altogether.
const KEYS: usize = 300;
const STEPS: usize = 900;
const CONTAINERS: [&str; 2] = ["entries-1", "entries-2"];
/// Requests under way at once.
const AT_ONCE: usize = 8;
/// The levels that a PUT or an invalidation is limited to; `None` for all.
const LEVELS: [Option<&[&str]>; 6] = [
    None,
    None,
    Some(&["L3_DATABASE"]),
    Some(&["L2_REDIS"]),
    Some(&["L1_MEMORY", "L2_REDIS"]),
    Some(&["L2_REDIS", "L3_DATABASE"]),
];

/// What may be said of a key; an empty reason for a value.
type Expected = BTreeSet<&'static str>;

/// What was done to a key.
#[derive(Clone)]
struct Known {
    /// The levels of its value: as an invalidation of others leaves it.
    levels: Vec<&'static str>,
    expected: Expected,
    /// What has taken it from some of its levels.
    taken: Expected,
    /// It expires in a moment: nothing else is done to it.
    ends: bool,
}

fn one(reason: &'static str) -> Expected {
    BTreeSet::from([reason])
}

fn named(levels: Option<&'static [&'static str]>, l3: bool) -> Vec<&'static str> {
    let all = levels.unwrap_or(&["L1_MEMORY", "L2_REDIS", "L3_DATABASE"]);
    all.iter().copied().filter(|level| l3 || *level != "L3_DATABASE").collect()
}

struct Run<'a> {
    api: &'a Api,
    rng: fastrand::Rng,
    l3: bool,
    known: BTreeMap<String, Known>,
    done: BTreeMap<&'static str, usize>,
}

impl Run<'_> {
    /// One step. What it does to a key is what is expected of that key from then on.
    async fn step(&mut self) {
        let number = self.rng.usize(..KEYS);
        let key = format!("group{}:{number}", number % 30);
        if self.known.get(&key).is_some_and(|known| known.ends) {
            return;
        }
        let levels = LEVELS[self.rng.usize(..if self.l3 { LEVELS.len() } else { 2 })];
        match self.rng.usize(..20) {
            0..9 => self.put(key, levels).await,
            9..11 => self.put_for_a_moment(key).await,
            11..14 => self.delete(key).await,
            14..16 => {
                let meant = format!("group{}:", number % 30);
                let body = json!({"pattern": format!("{meant}*")});
                self.invalidate(body, "invalidated_by_pattern", levels, |key| key.starts_with(&meant)).await;
            }
            16..18 => {
                let tag = format!("tag{}", number % 40);
                self.invalidate(json!({"tags": [tag]}), "invalidated_by_tag", levels, |key| tag_of(key) == tag).await;
            }
            18 => {
                let body = json!({"keys": [&key, "group0:0"]});
                self.invalidate(body, "invalidated_by_key", levels, |other| other == key || other == "group0:0").await;
            }
            _ => drop(get(self.api, self.container(), &key).await),
        }
    }

    fn container(&mut self) -> &'static str {
        CONTAINERS[self.rng.usize(..CONTAINERS.len())]
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    async fn put(&mut self, key: String, levels: Option<&'static [&'static str]>) {
        let mut body = json!({"value": key, "tags": [tag_of(&key)]});
        if let Some(levels) = levels {
            body["cache_levels"] = json!(levels);
        }
        let container = self.container();
        let answer = self.api.put(&entry(&key), body.to_string()).pin(container).send().await;
        assert!([200, 201].contains(&answer.status), "{answer:?}");
        self.count("put");
        let known = Known { levels: named(levels, self.l3), expected: one(""), taken: Expected::new(), ends: false };
        self.known.insert(key, known);
    }

    async fn put_for_a_moment(&mut self, key: String) {
        let body = json!({"value": 1, "ttl_seconds": 1, "tags": [tag_of(&key)]}).to_string();
        let container = self.container();
        self.api.put(&entry(&key), body).pin(container).send().await;
        self.count("expired");
        // Without L3 nobody remembers when it was over.
        let expected = one(if self.l3 { "expired" } else { "unknown" });
        self.known.insert(key, Known { levels: Vec::new(), expected, taken: Expected::new(), ends: true });
    }

    async fn delete(&mut self, key: String) {
        let container = self.container();
        self.api.delete(&entry(&key)).pin(container).send().await;
        self.count("deleted");
        self.known
            .insert(key, Known { levels: Vec::new(), expected: one("deleted"), taken: Expected::new(), ends: false });
    }

    async fn invalidate(
        &mut self,
        mut body: Value,
        reason: &'static str,
        levels: Option<&'static [&'static str]>,
        means: impl Fn(&str) -> bool,
    ) {
        if let Some(levels) = levels {
            body["levels"] = json!(levels);
        }
        invalidate(self.api, body).await.expect(200);
        self.count(reason);
        let gone = named(levels, self.l3);
        for (_, known) in self.known.iter_mut().filter(|(key, _)| means(key)) {
            if known.ends {
                // It may have come before the end.
                known.expected.insert(reason);
            }
            if known.levels.is_empty() {
                continue;
            }
            let below = known.levels.iter().filter(|level| **level != "L1_MEMORY" && !gone.contains(level)).count();
            let was = known.levels.clone();
            // A row that only points to the value goes as well.
            let takes_row = self.l3 && gone.contains(&"L3_DATABASE");
            if takes_row || was.iter().any(|level| gone.contains(level)) {
                known.taken.insert(reason);
            }
            known.levels.retain(|level| !gone.contains(level));
            let is_pointed_at = !was.contains(&"L3_DATABASE") && self.l3;
            if below == 0 && was.iter().any(|level| gone.contains(level)) {
                // Where several have each taken a part, each may be said to have done it.
                known.expected = known.taken.clone();
                if is_pointed_at && !gone.contains(&"L3_DATABASE") {
                    // The row that pointed to it says that it is gone, and not by whom: others may have meant it as well.
                    known.expected.insert("unknown");
                }
                if known.levels == ["L1_MEMORY"] {
                    // Whoever holds it in memory still may.
                    known.expected.insert("");
                }
            }
        }
    }
}

fn tag_of(key: &str) -> String {
    let number: usize = key.rsplit(':').next().unwrap().parse().unwrap();
    format!("tag{}", number % 40)
}

/// What is said of a key, and what was expected, in every container.
async fn check(api: &Api, key: &str, expected: &Expected) -> Vec<String> {
    let mut said_of_it = Vec::new();
    for container in CONTAINERS {
        let said = explain(api, container, key).await;
        assert_agrees(&said, &get(api, container, key).await);
        let reason = said["reason"].as_str().unwrap_or_default();
        assert!(expected.contains(reason), "{key}: {expected:?}, not {said:#}");
        assert_eq!(said["verdict"], if reason.is_empty() { "hit" } else { "miss" }, "{said:#}");
        assert_eq!(said["known_since"].is_string(), reason == "never_stored", "{said:#}");
        let told = |reason| {
            ["deleted", "invalidated_by_pattern", "invalidated_by_tag", "invalidated_by_key"].contains(&reason)
        };
        assert!(!told(reason) || said["cause"]["by"] == "local", "{said:#}");
        said_of_it.push(reason.to_owned());
    }
    said_of_it
}

async fn agrees(l3: bool, seed: u64) {
    let options = configured(json!({"l3_config": {"enabled": l3, "timeout_ms": 5_000}}));
    let api = Api::with(options.containers(CONTAINERS.len()).env("RATE_LIMITS", "off")).await;
    let rng = fastrand::Rng::with_seed(seed);
    let mut run = Run { api: &api, rng, l3, known: BTreeMap::new(), done: BTreeMap::new() };
    for _ in 0..STEPS {
        run.step().await;
    }
    // What was to expire has.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    wait_out_the_window().await;
    let never = (0..20).map(|number| (format!("never:{number}"), one("never_stored")));
    let all = run.known.iter().map(|(key, known)| (key.clone(), known.expected.clone())).chain(never);
    let api = &api;
    let said: Vec<String> = stream::iter(all)
        .map(async |(key, expected)| check(api, &key, &expected).await)
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await
        .concat();
    let count = |reason: &str| said.iter().filter(|said| *said == reason).count();
    let removals = ["deleted", "expired", "invalidated_by_pattern", "invalidated_by_tag", "invalidated_by_key"];
    eprintln!("seed {seed}: {:?}", run.done);
    for reason in removals.into_iter().filter(|reason| l3 || *reason != "expired").chain(["", "never_stored"]) {
        eprintln!("{reason:?}: {}", count(reason));
        assert!(count(reason) > 0, "{reason} did not come about; seed {seed}");
    }
}

#[tokio::test]
async fn what_is_said_agrees_with_reads_and_with_what_was_done() {
    agrees(true, fastrand::u64(..)).await;
}

#[tokio::test]
async fn so_it_does_while_redis_decides() {
    agrees(false, fastrand::u64(..)).await;
}
