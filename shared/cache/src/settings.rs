//! Settings of a deployment, from the environment: those that every function over the same cache shares, read here and nowhere
//! else.

mod redis_access;

use crate::{
    Authorities, Class, Config, Deployment, Limits, OpenError, Quotas, TieredCache,
    config::{FIELDS, RedisUrl, Refusal},
};
use serde_json::{Value, json};
use std::{fmt, time::Duration};

/// What the environment says of a deployment. `Debug` leaves out all that could hold a secret.
#[non_exhaustive]
pub struct Settings {
    /// The cache's configuration: defaults, over them `CACHE_CONFIG` (a partial configuration document as JSON), over
    /// that `REDIS_URL`, `KEY_PREFIX`, `TABLE_NAME`, `AWS_REGION` and `COHERENCE_WINDOW_MS`.
    pub config: Config,
    /// What the cache needs besides. `CONTROL_TABLE_NAME`, default `cache_control`; `INVALIDATE_BUDGET_MS`, how long one
    /// invalidation removes before the rest becomes a job, default 20000; `JOB_SLICE_MS`, how long a job works in one
    /// invocation, default 60000; `JOBS_PER_API_KEY`, how many warm jobs an API key may have unfinished, up to 1000, default
    /// 100, 0 for any number. `RATE_LIMIT_READ` (5000), `RATE_LIMIT_WRITE` (1000), `RATE_LIMIT_CONFIG` (10) and
    /// `RATE_LIMIT_BULK` (100): requests per minute and API key, 1 to 1,000,000; all of them off when `RATE_LIMITS`,
    /// default `on`, is `off`. `QUOTA_ENTRIES` (1,000,000), `QUOTA_MB` (1024) and `QUOTA_INDEX_MB` (256): what one API key
    /// may store in L2, 0 for any amount. `REDIS_CA_FILE`, a file of certificates to trust instead of the web's; `REDIS_AUTH`,
    /// `iam-serverless` or `iam-replication-group`, which needs `REDIS_USER` and `REDIS_CACHE_NAME`, and `AWS_REGION` and
    /// credentials as Lambda sets them. `AWS_CA_BUNDLE`, a file of certificates to trust instead of the web's when AWS is
    /// asked.
    pub deployment: Deployment,
}

/// A variable that cannot be used. Does not repeat the value, which may be secret.
#[derive(Debug, PartialEq)]
pub struct SettingsError {
    variable: &'static str,
    problem: String,
}

impl Settings {
    /// The settings in the process's environment.
    ///
    /// # Errors
    /// When a variable cannot be used.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_env() -> Result<Settings, SettingsError> {
        Settings::read(|name| std::env::var(name).ok())
    }

    /// The settings that `lookup` gives. An empty variable counts as not set.
    ///
    /// # Errors
    /// When a variable cannot be used.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        let lookup = |name: &'static str| lookup(name).filter(|value| !value.is_empty());
        Ok(Settings { config: config(lookup)?, deployment: deployment(lookup)? })
    }

    /// Makes the cache that they say; it connects nothing yet.
    ///
    /// # Errors
    /// When they contradict each other.
    pub fn open(self) -> Result<TieredCache, OpenError> {
        TieredCache::open(self.deployment, self.config)
    }
}

impl SettingsError {
    /// `variable` is not as it must be, and `problem` says how.
    pub fn new(variable: &'static str, problem: impl Into<String>) -> SettingsError {
        SettingsError { variable, problem: problem.into() }
    }
}

const JOBS_PER_API_KEY: &str = "JOBS_PER_API_KEY";
/// As AWS's tools take it: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html>. The SDK for Rust does
/// not.
const AWS_CA_BUNDLE: &str = "AWS_CA_BUNDLE";

fn authorities(path: String) -> Result<Authorities, SettingsError> {
    let unusable = |problem| SettingsError { variable: AWS_CA_BUNDLE, problem };
    let text = std::fs::read(&path).map_err(|error| unusable(error.to_string()))?;
    Authorities::from_pem(text).map_err(|error| unusable(error.to_string()))
}

fn deployment(lookup: impl Fn(&'static str) -> Option<String>) -> Result<Deployment, SettingsError> {
    let mut deployment = Deployment::new(lookup("CONTROL_TABLE_NAME").unwrap_or_else(|| "cache_control".to_owned()));
    deployment.redis = redis_access::read(&lookup)?;
    deployment.dynamo_ca = lookup(AWS_CA_BUNDLE).map(authorities).transpose()?;
    let milliseconds = |name| Ok(number(name, lookup(name))?.map(Duration::from_millis));
    if let Some(budget) = milliseconds("INVALIDATE_BUDGET_MS")? {
        deployment.request_budget = budget;
    }
    if let Some(slice) = milliseconds("JOB_SLICE_MS")? {
        deployment.slice = slice;
    }
    if let Some(jobs) = number(JOBS_PER_API_KEY, lookup(JOBS_PER_API_KEY))? {
        let jobs = usize::try_from(jobs).ok().filter(|jobs| *jobs <= Deployment::MOST_JOBS);
        let problem = || format!("must be at most {}, or 0 for any number", Deployment::MOST_JOBS);
        deployment.jobs_per_account =
            jobs.ok_or_else(|| SettingsError { variable: JOBS_PER_API_KEY, problem: problem() })?;
    }
    deployment.limits = limits(&lookup)?;
    deployment.quotas = quotas(lookup)?;
    Ok(deployment)
}

fn config(lookup: impl Fn(&'static str) -> Option<String>) -> Result<Config, SettingsError> {
    let mut config = document(lookup("CACHE_CONFIG"))?;
    let overwrite = |field: &mut String, name| {
        if let Some(value) = lookup(name) {
            *field = value;
        }
    };
    if let Some(url) = lookup("REDIS_URL") {
        config.l2_config.redis_url = RedisUrl::new(url);
    }
    overwrite(&mut config.l2_config.key_prefix, "KEY_PREFIX");
    overwrite(&mut config.l3_config.table_name, "TABLE_NAME");
    let region = lookup("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned());
    config.l3_config.database_url = format!("dynamodb://{region}/{}", config.l3_config.table_name);
    if let Some(window) = number("COHERENCE_WINDOW_MS", lookup("COHERENCE_WINDOW_MS"))? {
        config.l1_config.coherence_window_ms = window;
    }
    match config.refusals().into_iter().next() {
        Some(Refusal { field, message }) => {
            let problem = format!("{field} {message}");
            let of_window = field == "l1_config.coherence_window_ms" && lookup("COHERENCE_WINDOW_MS").is_some();
            Err(SettingsError { variable: if of_window { "COHERENCE_WINDOW_MS" } else { "CACHE_CONFIG" }, problem })
        }
        None => Ok(config),
    }
}

const LIMITS: [(Class, &str); Class::ALL.len()] = [
    (Class::Read, "RATE_LIMIT_READ"),
    (Class::Write, "RATE_LIMIT_WRITE"),
    (Class::Config, "RATE_LIMIT_CONFIG"),
    (Class::Bulk, "RATE_LIMIT_BULK"),
];

fn limits(lookup: impl Fn(&'static str) -> Option<String>) -> Result<Limits, SettingsError> {
    let mut limits = Limits::default();
    for (class, variable) in LIMITS {
        let Some(limit) = number(variable, lookup(variable))? else { continue };
        let limit = u32::try_from(limit).ok().filter(|limit| (1..=Limits::MAX).contains(limit));
        let problem = || format!("must be from 1 to {}", Limits::MAX);
        limits = limits.with(class, limit.ok_or_else(|| SettingsError { variable, problem: problem() })?);
    }
    match lookup("RATE_LIMITS").as_deref() {
        None | Some("on") => Ok(limits),
        Some("off") => Ok(Limits::OFF),
        Some(_) => Err(SettingsError { variable: "RATE_LIMITS", problem: "must be on or off".to_owned() }),
    }
}

fn quotas(lookup: impl Fn(&'static str) -> Option<String>) -> Result<Quotas, SettingsError> {
    let quota = |variable, default| Ok(number(variable, lookup(variable))?.unwrap_or(default));
    let megabytes = |variable, default| Ok(quota(variable, default)?.saturating_mul(1 << 20));
    Ok(Quotas {
        entries: quota("QUOTA_ENTRIES", 1_000_000)?,
        bytes: megabytes("QUOTA_MB", 1024)?,
        index_bytes: megabytes("QUOTA_INDEX_MB", 256)?,
    })
}

/// The default configuration with `partial` merged over it. What is wrong is said without a word of what stands there:
/// a password may stand in the wrong place.
fn document(partial: Option<String>) -> Result<Config, SettingsError> {
    let Some(partial) = partial else { return Ok(Config::default()) };
    let unusable = |problem| SettingsError { variable: "CACHE_CONFIG", problem };
    let partial: Value = serde_json::from_str(&partial).map_err(|error| {
        unusable(format!("it must be JSON, and is not at line {} column {}", error.line(), error.column()))
    })?;
    let merged = merged(partial.clone());
    merged.map_err(|_| unusable(fault(&partial).unwrap_or_else(|| "a name in it is not one of a field".to_owned())))
}

fn merged(partial: Value) -> Result<Config, serde_json::Error> {
    let mut document = serde_json::to_value(Config::default())?;
    merge(&mut document, partial);
    serde_json::from_value(document)
}

/// Which part of a document is of the wrong type.
fn fault(partial: &Value) -> Option<String> {
    let Some(sections) = partial.as_object() else { return Some("it must be a JSON object".to_owned()) };
    FIELDS.iter().find_map(|field| {
        let (section, name) = field.path.split_once('.').unwrap_or((field.path, ""));
        let given = sections.get(section)?;
        let (alone, what) = match given.as_object() {
            _ if name.is_empty() => (json!({section: given}), field.path),
            Some(fields) => (json!({section: {name: fields.get(name)?}}), field.path),
            None => (json!({section: given}), section),
        };
        merged(alone).is_err().then(|| format!("{what} is of the wrong type"))
    })
}

/// Puts `over` over `base`; objects are merged member by member.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

/// The whole number that the value of a variable is, if it is set.
///
/// # Errors
/// When it is none.
pub fn number(variable: &'static str, value: Option<String>) -> Result<Option<u64>, SettingsError> {
    let parsed = value.map(|value| value.parse()).transpose();
    parsed.map_err(|_| SettingsError { variable, problem: "must be a whole number".to_owned() })
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("database_url", &self.config.l3_config.database_url)
            .field("control_table", &self.deployment.control_table)
            .field("key_prefix", &self.config.l2_config.key_prefix)
            .field("coherence_window_ms", &self.config.l1_config.coherence_window_ms)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the environment variable {} cannot be used: {}", self.variable, self.problem)
    }
}

impl std::error::Error for SettingsError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::HashMap;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let set: HashMap<_, _> = variables.iter().copied().collect();
        Settings::read(|name| set.get(name).map(ToString::to_string))
    }

    #[test]
    fn nothing_set_is_the_default() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.config, Config::default());
        assert_eq!(read(&[("REDIS_URL", ""), ("COHERENCE_WINDOW_MS", "")]).unwrap().config, Config::default());
    }

    #[test]
    fn a_bundle_is_a_file_of_certificates() {
        assert!(read(&[]).unwrap().deployment.dynamo_ca.is_none());
        for path in ["/nowhere", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")] {
            assert_eq!(read(&[("AWS_CA_BUNDLE", path)]).unwrap_err().variable, "AWS_CA_BUNDLE", "{path}");
        }
    }

    #[test]
    fn variables_go_over_the_document_and_the_document_over_defaults() {
        let settings = read(&[
            ("CACHE_CONFIG", r#"{"l3_config":{"enabled":false,"table_name":"x"},"max_entry_size_mb":2}"#),
            ("TABLE_NAME", "entries"),
            ("AWS_REGION", "eu-central-1"),
            ("REDIS_URL", "rediss://u:p@h:1/0"),
            ("KEY_PREFIX", "p:"),
            ("COHERENCE_WINDOW_MS", "0"),
            ("CONTROL_TABLE_NAME", "control"),
            ("INVALIDATE_BUDGET_MS", "5"),
            ("JOB_SLICE_MS", "7"),
            ("RATE_LIMIT_BULK", "7"),
            ("QUOTA_MB", "3"),
            ("QUOTA_ENTRIES", "0"),
        ])
        .unwrap();
        let config = &settings.config;
        assert!(!config.l3_config.enabled && config.l2_config.enabled);
        assert_eq!(config.l3_config.database_url, "dynamodb://eu-central-1/entries");
        assert_eq!(config.max_entry_bytes(), 2 * 1024 * 1024);
        assert_eq!((config.l1_config.coherence_window_ms, config.l1_config.max_capacity), (0, 10_000));
        assert_eq!(config.l2_config.key_prefix, "p:");
        let deployment = &settings.deployment;
        assert_eq!(deployment.control_table, "control");
        assert_eq!((deployment.request_budget, deployment.slice), (Duration::from_millis(5), Duration::from_millis(7)));
        assert!(!format!("{settings:?}").contains("u:p"));
        let limits = settings.deployment.limits;
        assert_eq!(Class::ALL.map(|class| limits.of(class)), [Some(5000), Some(1000), Some(10), Some(7)]);
        let expected = Quotas { entries: 0, bytes: 3 << 20, index_bytes: 256 << 20 };
        assert_eq!(settings.deployment.quotas, expected);
    }

    #[test]
    fn limits_are_on_unless_switched_off() {
        let limits = |value| read(&[("RATE_LIMITS", value), ("RATE_LIMIT_READ", "1")]).unwrap().deployment.limits;
        assert_eq!(limits("on").of(Class::Read), Some(1));
        assert_eq!(limits(""), limits("on"));
        assert_eq!(limits("off"), Limits::OFF);
    }

    #[test]
    fn what_cannot_be_used_is_named_and_not_repeated() {
        for (variable, value) in [
            ("COHERENCE_WINDOW_MS", "soon"),
            ("JOB_SLICE_MS", "1s"),
            ("RATE_LIMITS", "no"),
            ("RATE_LIMIT_READ", "0"),
            ("RATE_LIMIT_WRITE", "1000001"),
            ("RATE_LIMIT_CONFIG", "off"),
            ("QUOTA_MB", "-1"),
            ("CACHE_CONFIG", "{"),
            ("CACHE_CONFIG", r#"{"l9_config":{}}"#),
            ("CACHE_CONFIG", r#"{"l1_config":{"enabled":"yes"}}"#),
            ("CACHE_CONFIG", r#"{"max_entry_size_mb":11}"#),
            ("CACHE_CONFIG", r#"{"l2_config":{"enabled":false},"l3_config":{"enabled":false}}"#),
            ("COHERENCE_WINDOW_MS", "60001"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err();
            assert!(error.to_string().contains(variable), "{error}");
        }
    }

    #[test]
    fn a_document_of_the_wrong_shape_is_told_without_its_content() {
        let url = "redis://user:hunter2@host";
        for (document, says) in [
            (json!(url), "a JSON object"),
            (json!([url]), "a JSON object"),
            (json!({"l2_config": url}), "l2_config is of the wrong type"),
            (json!({"l2_config": [url]}), "l2_config is of the wrong type"),
            (json!({"l2_config": {"redis_url": [url]}}), "l2_config.redis_url is of the wrong type"),
            (json!({"l2_config": {"redis_url": {url: 1}}}), "l2_config.redis_url is of the wrong type"),
            (json!({"l2_config": {"enabled": url}}), "l2_config.enabled is of the wrong type"),
            (json!({"max_entry_size_mb": url}), "max_entry_size_mb is of the wrong type"),
            (json!({"compression": {"algorithm": url}}), "compression.algorithm is of the wrong type"),
            (json!({"l2_config": {url: true}}), "a name in it"),
            (json!({url: true}), "a name in it"),
        ] {
            let error = read(&[("CACHE_CONFIG", &document.to_string())]).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("hunter2"), "{error}");
        }
        let error = read(&[("CACHE_CONFIG", "redis://user:hunter2@host")]).unwrap_err().to_string();
        assert!(error.contains("line 1 column 1") && !error.contains("hunter2"), "{error}");
    }
}
