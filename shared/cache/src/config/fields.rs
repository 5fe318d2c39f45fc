//! Every field of the document, in the API's order: what may stand in it, and when a change of it is in force.
//!
//! One table, so that the environment, the API and what was stored by another release are judged alike.

use super::{Config, document::Assignment};
use serde_json::Value;

/// A field of the document.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name with that of its section, such as `l1_config.enabled`.
    pub path: &'static str,
    rule: Rule,
    /// Whether a change takes effect in new containers only.
    pub needs_restart: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Rule {
    Flag,
    /// A whole number from the first to the second.
    Whole(u64, u64),
    OneOf(&'static [&'static str]),
    /// Comes from the environment, always.
    Deployment,
}

/// Why a value may not stand in a field; both go on from the field's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is of another type.
    WrongType(String),
    /// It is out of range, or not for the API to change.
    NotAllowed(String),
}

/// A field whose value is refused, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The field's [path](Field::path).
    pub field: &'static str,
    /// Goes on from the field's name, such as `must be from 1 to 10`.
    pub message: String,
}

const fn live(path: &'static str, rule: Rule) -> Field {
    Field { path, rule, needs_restart: false }
}

/// Used when the container connects, and not again.
const fn at_start(path: &'static str, rule: Rule) -> Field {
    Field { path, rule, needs_restart: true }
}

/// A year in minutes: no entry lives longer.
const YEAR_MINUTES: u64 = crate::MAX_TTL_SECONDS as u64 / 60;

/// All fields.
pub static FIELDS: [Field; 26] = [
    live("l1_config.enabled", Rule::Flag),
    live("l1_config.max_capacity", Rule::Whole(1, 1_000_000)),
    // Lambda's largest memory.
    live("l1_config.max_size_mb", Rule::Whole(1, 10_240)),
    live("l1_config.ttl_minutes", Rule::Whole(1, YEAR_MINUTES)),
    live("l1_config.idle_timeout_minutes", Rule::Whole(1, YEAR_MINUTES)),
    live("l1_config.eviction_policy", Rule::OneOf(&["LRU"])),
    live("l1_config.coherence_window_ms", Rule::Whole(0, 60_000)),
    live("l2_config.enabled", Rule::Flag),
    at_start("l2_config.redis_url", Rule::Deployment),
    at_start("l2_config.max_connections", Rule::Whole(1, 1000)),
    at_start("l2_config.connection_timeout_seconds", Rule::Whole(1, 60)),
    at_start("l2_config.key_prefix", Rule::Deployment),
    live("l2_config.compression_enabled", Rule::Flag),
    live("l2_config.timeout_ms", Rule::Whole(5, 10_000)),
    live("l2_config.revalidate_seconds", Rule::Whole(1, 86_400)),
    live("l3_config.enabled", Rule::Flag),
    at_start("l3_config.database_url", Rule::Deployment),
    at_start("l3_config.table_name", Rule::Deployment),
    at_start("l3_config.max_connections", Rule::Whole(1, 1000)),
    live("l3_config.cleanup_interval_hours", Rule::Whole(1, 168)),
    at_start("l3_config.timeout_ms", Rule::Whole(50, 20_000)),
    live("compression.algorithm", Rule::OneOf(&["lz4", "zstd"])),
    live("compression.level", Rule::Whole(1, 9)),
    live("compression.threshold_bytes", Rule::Whole(0, super::LARGEST_ENTRY_BYTES as u64)),
    live("serialization.format", Rule::OneOf(&["bincode", "json"])),
    live("max_entry_size_mb", Rule::Whole(1, super::LARGEST_ENTRY_MB as u64)),
];

impl Field {
    /// The field of that path.
    pub fn find(path: &str) -> Option<&'static Field> {
        FIELDS.iter().find(|field| field.path == path)
    }

    /// Whether `value` may stand in this field when the API asks for it.
    ///
    /// # Errors
    /// When it may not.
    pub fn check(&self, value: &Value) -> Result<(), Fault> {
        match self.rule {
            Rule::Flag if value.is_boolean() => Ok(()),
            Rule::Flag => Err(Fault::WrongType("must be true or false".to_owned())),
            Rule::Whole(least, most) => whole(value, least, most),
            Rule::OneOf(names) => one_of(value, names),
            Rule::Deployment => {
                Err(Fault::NotAllowed("is a setting of the deployment and comes from its environment".to_owned()))
            }
        }
    }

    /// The field's value in a document.
    pub(super) fn of<'v>(&self, document: &'v Value) -> &'v Value {
        self.path.split('.').fold(document, |value, name| &value[name])
    }

    pub(super) fn set(&self, document: &mut Value, value: Value) {
        *self.path.split('.').fold(document, |value, name| &mut value[name]) = value;
    }

    fn is_deployment(&self) -> bool {
        matches!(self.rule, Rule::Deployment)
    }
}

fn whole(value: &Value, least: u64, most: u64) -> Result<(), Fault> {
    match value.as_u64() {
        Some(number) if (least..=most).contains(&number) => Ok(()),
        None if !value.is_i64() => Err(Fault::WrongType("must be a whole number".to_owned())),
        _ => Err(Fault::NotAllowed(format!("must be from {least} to {most}"))),
    }
}

fn one_of(value: &Value, names: &[&str]) -> Result<(), Fault> {
    let Some(text) = value.as_str() else { return Err(Fault::WrongType("must be a string".to_owned())) };
    if names.contains(&text) { Ok(()) } else { Err(Fault::NotAllowed(format!("must be {}", names.join(" or ")))) }
}

/// What is wrong with the values that `assignments` ask for, each on its own.
pub(super) fn refused(assignments: &[Assignment]) -> Vec<Refusal> {
    let judged = assignments.iter().filter_map(|(field, value)| Some((*field, field.check(value).err()?)));
    judged.map(|(field, fault)| refusal(field.path, fault)).collect()
}

fn refusal(field: &'static str, fault: Fault) -> Refusal {
    let (Fault::WrongType(message) | Fault::NotAllowed(message)) = fault;
    Refusal { field, message }
}

impl Config {
    /// What is out of range or contradicts itself. The deployment's own settings are not looked at.
    pub fn refusals(&self) -> Vec<Refusal> {
        let document = self.to_document();
        let ranged = FIELDS.iter().filter(|field| !field.is_deployment());
        let assignments: Vec<Assignment> = ranged.map(|field| (field, field.of(&document).clone())).collect();
        let mut refusals = refused(&assignments);
        refusals.extend(self.contradictions());
        refusals
    }

    /// Values that are right on their own, and not together.
    pub(super) fn contradictions(&self) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        if !self.l2_config.enabled && !self.l3_config.enabled {
            let message = "must not be false while l2_config.enabled is: one of both decides which value is the newest";
            refusals.push(Refusal { field: "l3_config.enabled", message: message.to_owned() });
        }
        if self.compression.algorithm == super::Algorithm::Lz4 && self.compression.level != 1 {
            let message = "must be 1 with lz4, which has no levels".to_owned();
            refusals.push(Refusal { field: "compression.level", message });
        }
        refusals
    }

    /// The document as JSON, without passwords.
    pub fn to_document(&self) -> Value {
        serde_json::to_value(self).expect("names, numbers and texts can be written as JSON")
    }
}
