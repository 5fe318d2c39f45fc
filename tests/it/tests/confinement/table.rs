//! The table of cases, as `table.json` has it: every request, for every tenant, over every key, pattern or job.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, fs};
use strata_it::stack::repository;

/// What a path keeps of a key that is not percent-encoded throughout.
const BUT_SLASHES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/');

/// The table. In all of it `{me}` stands for a name of the tenant's own, `{ME}` for the same in capitals, and `{other}` for
/// the key of somebody else.
#[derive(Deserialize)]
pub struct Table {
    /// Prefixes that a token may be limited to.
    pub tenants: BTreeMap<String, Vec<String>>,
    pub keys: Vec<String>,
    pub patterns: Vec<String>,
    pub jobs: Vec<String>,
    pub invalidations: Vec<String>,
    pub requests: Vec<Asked>,
    /// Scopes that a token may have.
    pub scopes: BTreeMap<String, Vec<String>>,
    /// What no answer to a confined token may have in it.
    pub masked: Vec<String>,
}

/// A request of the table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Method and resource of template.yaml.
    pub route: String,
    /// The scope it needs.
    pub scope: String,
    pub path: String,
    #[serde(default)]
    pub body: Value,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What it is made with, one after the other: `keys`, `patterns`, `jobs` or `invalidations`.
    pub over: Option<String>,
    /// It cannot be understood, whatever it names.
    #[serde(default)]
    pub malformed: bool,
    /// It asks for what begins with its word, or for all, and is answered with what of that the token may see.
    #[serde(default)]
    pub narrows: bool,
    /// It concerns all keys.
    #[serde(default)]
    pub concerns_all: bool,
}

/// A tenant of the table, and what its words mean.
#[derive(Clone)]
pub struct Tenant {
    pub name: String,
    /// What stands for it in keys, and as its API key.
    pub me: String,
    pub prefixes: Vec<String>,
}

impl Table {
    pub fn read() -> Table {
        let path = repository().join("tests/it/tests/confinement/table.json");
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    pub fn tenants(&self) -> Vec<Tenant> {
        let tenant = |(number, (name, prefixes)): (usize, (&String, &Vec<String>))| {
            let mut tenant = Tenant { name: name.clone(), me: format!("tenant{number}"), prefixes: Vec::new() };
            tenant.prefixes = prefixes.iter().map(|prefix| tenant.said(prefix)).collect();
            tenant
        };
        self.tenants.iter().enumerate().map(tenant).collect()
    }

    /// What a request is made with.
    pub fn over(&self, asked: &Asked) -> Vec<&str> {
        let words = match asked.over.as_deref() {
            Some("keys") => &self.keys,
            Some("patterns") => &self.patterns,
            Some("jobs") => &self.jobs,
            Some("invalidations") => &self.invalidations,
            None => return vec![""],
            Some(other) => panic!("{other} is nothing to make requests with"),
        };
        words.iter().map(String::as_str).collect()
    }
}

impl Tenant {
    /// A text of the table as this tenant says it.
    pub fn said(&self, text: &str) -> String {
        text.replace("{me}", &self.me).replace("{ME}", &self.me.to_uppercase()).replace("{other}", &self.other())
    }

    /// The key of somebody else.
    pub fn other(&self) -> String {
        format!("outsider-{}", self.me)
    }

    /// Whether some of what begins with `text` is its own.
    pub fn owns_some_of(&self, text: &str) -> bool {
        self.owns(text) || self.prefixes.iter().any(|prefix| prefix.as_bytes().starts_with(text.as_bytes()))
    }

    /// A key of its own; of one that may touch none, one that would be.
    pub fn mine(&self) -> String {
        self.prefixes.first().map_or_else(|| format!("{}:0", self.me), |prefix| format!("{prefix}0"))
    }

    /// Whether all that begins with `text` is its own. The one rule that everything here is judged by.
    pub fn owns(&self, text: &str) -> bool {
        self.prefixes.iter().any(|prefix| text.as_bytes().get(..prefix.len()) == Some(prefix.as_bytes()))
    }
}

impl Asked {
    /// The path with `word` in it.
    pub fn path(&self, tenant: &Tenant, word: &str) -> String {
        let encoded = |set| utf8_percent_encode(word, set).to_string();
        let path = self.path.replace("{key/}", &encoded(BUT_SLASHES)).replace("{key}", &encoded(NON_ALPHANUMERIC));
        tenant.said(&path.replace("{job}", word).replace("{invalidation}", word))
    }

    /// The body with `word` in it; empty where it has none.
    pub fn body(&self, tenant: &Tenant, word: &str) -> String {
        if self.body.is_null() { String::new() } else { filled(&self.body, tenant, word).to_string() }
    }

    /// Whether its body names [`Tenant::mine`].
    pub fn names_mine(&self) -> bool {
        self.body.to_string().contains("{mine}")
    }
}

/// A body with what its words mean.
fn filled(body: &Value, tenant: &Tenant, word: &str) -> Value {
    match body {
        Value::String(text) if text == "{key}" || text == "{pattern}" => word.into(),
        Value::String(text) if text == "{mine}" => tenant.mine().into(),
        Value::String(text) => tenant.said(text).into(),
        Value::Array(items) => items.iter().map(|item| filled(item, tenant, word)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), filled(member, tenant, word))).collect()
        }
        other => other.clone(),
    }
}

/// What every key begins with that a pattern matches.
pub fn literal_prefix(pattern: &str) -> String {
    let (mut prefix, mut chars) = (String::new(), pattern.chars());
    while let Some(char) = chars.next() {
        match char {
            '*' | '?' | '[' => break,
            '\\' => prefix.extend(chars.next()),
            other => prefix.push(other),
        }
    }
    prefix
}
