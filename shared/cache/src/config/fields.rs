//! Every field of the document, in the API's order: what may stand in it.
//!
//! One table, so that the environment, the API and what was stored by another release are judged alike.

use super::Config;
use serde_json::Value;

/// A field of the document.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name with that of its section, such as `l1_config.enabled`.
    pub path: &'static str,
    rule: Rule,
}

/// A field and the value it is to have.
pub type Assignment = (&'static Field, Value);

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

const fn field(path: &'static str, rule: Rule) -> Field {
    Field { path, rule }
}

/// A year in minutes: no entry lives longer.
const YEAR_MINUTES: u64 = crate::MAX_TTL_SECONDS as u64 / 60;

/// All fields.
pub static FIELDS: [Field; 28] = [
    field("l1_config.enabled", Rule::Flag),
    field("l1_config.max_capacity", Rule::Whole(1, 1_000_000)),
    // Lambda's largest memory.
    field("l1_config.max_size_mb", Rule::Whole(1, 10_240)),
    field("l1_config.ttl_minutes", Rule::Whole(1, YEAR_MINUTES)),
    field("l1_config.idle_timeout_minutes", Rule::Whole(1, YEAR_MINUTES)),
    field("l1_config.eviction_policy", Rule::OneOf(&["LRU"])),
    field("l1_config.coherence_window_ms", Rule::Whole(0, 60_000)),
    field("l2_config.enabled", Rule::Flag),
    field("l2_config.redis_url", Rule::Deployment),
    field("l2_config.max_connections", Rule::Whole(1, 1000)),
    field("l2_config.connection_timeout_seconds", Rule::Whole(1, 60)),
    field("l2_config.key_prefix", Rule::Deployment),
    field("l2_config.compression_enabled", Rule::Flag),
    field("l2_config.timeout_ms", Rule::Whole(5, 10_000)),
    field("l2_config.revalidate_seconds", Rule::Whole(1, 86_400)),
    field("l3_config.enabled", Rule::Flag),
    field("l3_config.database_url", Rule::Deployment),
    field("l3_config.table_name", Rule::Deployment),
    field("l3_config.max_connections", Rule::Whole(1, 1000)),
    field("l3_config.cleanup_interval_hours", Rule::Whole(1, 168)),
    field("l3_config.timeout_ms", Rule::Whole(50, 20_000)),
    field("l3_config.undo_seconds", Rule::Whole(0, crate::undo::MOST_SECONDS as u64)),
    field("compression.algorithm", Rule::OneOf(&["lz4", "zstd"])),
    field("compression.level", Rule::Whole(1, 9)),
    field("compression.threshold_bytes", Rule::Whole(0, super::LARGEST_ENTRY_BYTES as u64)),
    field("serialization.format", Rule::OneOf(&["bincode", "json"])),
    field("max_entry_size_mb", Rule::Whole(1, super::LARGEST_ENTRY_MB as u64)),
    field("coherence.audit_every", Rule::Whole(0, 1_000_000)),
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

    pub(super) fn is_deployment(&self) -> bool {
        matches!(self.rule, Rule::Deployment)
    }
}

fn whole(value: &Value, least: u64, most: u64) -> Result<(), Fault> {
    let range = least..=most;
    if value.as_u64().is_some_and(|number| range.contains(&number)) {
        return Ok(());
    }
    // Integers beyond 64 bits are read as floats.
    match value.as_f64() {
        Some(number) if number.fract() != 0.0 => Err(Fault::WrongType("must be a whole number".to_owned())),
        Some(number) if value.is_f64() && (least as f64..=most as f64).contains(&number) => {
            Err(Fault::NotAllowed("must be written without a decimal point or an exponent".to_owned()))
        }
        Some(_) => Err(Fault::NotAllowed(format!("must be from {least} to {most}"))),
        None => Err(Fault::WrongType("must be a whole number".to_owned())),
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
        refusals.extend(self.contradictions().into_iter().map(|[_, second]| second));
        refusals
    }

    /// Values that are right on their own, and not together: either field may be changed to mend it.
    pub(super) fn contradictions(&self) -> Vec<[Refusal; 2]> {
        let mut contradictions = Vec::new();
        if !self.l2_config.enabled && !self.l3_config.enabled {
            let unless = |field, other| {
                let message =
                    format!("must not be false while {other} is: one of both decides which value is the newest");
                Refusal { field, message }
            };
            let (l2, l3) = ("l2_config.enabled", "l3_config.enabled");
            contradictions.push([unless(l2, l3), unless(l3, l2)]);
        }
        if self.compression.algorithm == super::Algorithm::Lz4 && self.compression.level != 1 {
            let algorithm = "must be zstd while compression.level is not 1: lz4 has no levels".to_owned();
            let level = "must be 1 with lz4, which has no levels".to_owned();
            contradictions.push([
                Refusal { field: "compression.algorithm", message: algorithm },
                Refusal { field: "compression.level", message: level },
            ]);
        }
        contradictions
    }

    /// The document as JSON, without passwords.
    pub fn to_document(&self) -> Value {
        serde_json::to_value(self).expect("names, numbers and texts can be written as JSON")
    }
}
