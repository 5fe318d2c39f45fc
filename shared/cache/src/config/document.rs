//! What was changed by the API: a partial document that lies over the deployment's environment.
//!
//! Only what was changed is stored, so that a deployment that changes the rest still does. Levels that are switched
//! leave marks for ever: what was stored before a level was switched on again does not exist any more.

use super::{
    Config,
    fields::{Assignment, Field, Refusal, refused},
};
use crate::version::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap};

/// The stored document.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Document {
    /// Counts the updates; 0 when there was none yet.
    pub(crate) version: u64,
    /// The fields that were changed, by path.
    fields: BTreeMap<String, Value>,
    /// When it was changed last, in milliseconds since the Unix epoch.
    pub(crate) updated_at_ms: i64,
    /// Who changed it last; empty when nobody said, or an earlier release wrote it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) by: String,
    /// What that changed, for the journal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) changes: Vec<FieldChange>,
    /// Tells apart two writers of the same version.
    pub(crate) writer: u64,
    /// The version that switched L2 or L3 last; 0 for none.
    pub(crate) switched: u64,
    /// When that was, in milliseconds since the Unix epoch.
    pub(crate) switched_at_ms: i64,
    /// Rows of L3 of a smaller version are from before L3 was switched on.
    pub(crate) l3_floor: Version,
    /// Values that are kept in L2 only, of a smaller version, are from before L2 was switched on.
    pub(crate) l2_floor: Version,
}

/// A field that has another value now. No secret can stand in it: what has one is a setting of the deployment, which no
/// update changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Its [path](Field::path).
    pub field: Cow<'static, str>,
    /// What stood there.
    pub old: Value,
    /// What stands there.
    pub new: Value,
}

/// When an update is made, and by whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) by: &'a str,
    pub(crate) now_ms: i64,
    /// Greater than the version of every value that was put before.
    pub(crate) version: Version,
    pub(crate) writer: u64,
}

/// The document that an update leads to.
#[derive(Debug, PartialEq)]
pub(crate) struct Update {
    pub(crate) document: Document,
    pub(crate) config: Config,
    /// The fields that have another value now, in the document's order.
    pub(crate) changed: Vec<FieldChange>,
    /// The document before contradicted the deployment: this one is to be stored even where no value changes.
    pub(crate) mends: bool,
}

impl Document {
    /// The configuration of a deployment with this document over it. `None` when both contradict each other; what this
    /// release does not know, or not allow, is passed over.
    pub(crate) fn over(&self, base: &Config) -> Option<Config> {
        let config = self.laid_over(base);
        config.contradictions().is_empty().then_some(config)
    }

    fn laid_over(&self, base: &Config) -> Config {
        let known = self.fields.iter().filter_map(|(path, value)| Some((Field::find(path)?, value.clone())));
        let usable: Vec<Assignment> = known.filter(|(field, value)| field.check(value).is_ok()).collect();
        assign(base, &usable)
    }

    /// The next document. Where this one contradicts the deployment, and so is not in force, the next is without what
    /// contradicts it.
    ///
    /// # Errors
    /// Every value that is refused. A deployment's setting that is given as it is shown changes nothing and is not.
    pub(crate) fn update(
        &self,
        base: &Config,
        assignments: &[Assignment],
        at: Moment<'_>,
    ) -> Result<Update, Vec<Refusal>> {
        let assignments = without_shown(assignments, base);
        let refusals = refused(&assignments);
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let in_force = self.over(base);
        let mends = in_force.is_none();
        let before = in_force.unwrap_or_else(|| base.clone());
        let mut document = self.clone();
        document.drop_contradictions(base);
        document.fields.extend(assignments.iter().map(|(field, value)| (field.path.to_owned(), value.clone())));
        let config = document.laid_over(base);
        let contradictions = config.contradictions();
        if !contradictions.is_empty() {
            return Err(asked_for(contradictions, &assignments));
        }
        document.version += 1;
        document.updated_at_ms = at.now_ms;
        document.writer = at.writer;
        document.mark_switches(&before, &config, at);
        let changed = differences(&before, &config);
        document.by = at.by.to_owned();
        document.changes.clone_from(&changed);
        Ok(Update { document, config, changed, mends })
    }

    /// Takes out what contradicts the deployment, which decides those fields again.
    fn drop_contradictions(&mut self, base: &Config) {
        for Refusal { field, .. } in self.laid_over(base).contradictions().into_iter().flatten() {
            self.fields.remove(field);
        }
    }

    fn mark_switches(&mut self, before: &Config, after: &Config, at: Moment<'_>) {
        let l2 = (before.l2_config.enabled, after.l2_config.enabled);
        let l3 = (before.l3_config.enabled, after.l3_config.enabled);
        if l2.0 != l2.1 || l3.0 != l3.1 {
            self.switched = self.version;
            self.switched_at_ms = at.now_ms;
        }
        let floor = at.version.max(self.floor().next());
        if l2 == (false, true) {
            self.l2_floor = floor;
        }
        if l3 == (false, true) {
            self.l3_floor = floor;
        }
    }

    /// Every new value has a greater version.
    pub(crate) fn floor(&self) -> Version {
        self.l2_floor.max(self.l3_floor)
    }
}

/// Without the deployment's settings that are as the document shows them: who sends back what was shown means no change.
fn without_shown(assignments: &[Assignment], base: &Config) -> Vec<Assignment> {
    let shown = base.to_document();
    let is_shown = |(field, value): &&Assignment| field.is_deployment() && field.of(&shown) == value;
    assignments.iter().filter(|assignment| !is_shown(assignment)).cloned().collect()
}

/// Of contradictions the sides that `assignments` ask for.
fn asked_for(contradictions: Vec<[Refusal; 2]>, assignments: &[Assignment]) -> Vec<Refusal> {
    let sides = contradictions.into_iter().flatten();
    sides.filter(|side| assignments.iter().any(|(field, _)| field.path == side.field)).collect()
}

/// `base` with some fields changed to values that they may have.
fn assign(base: &Config, assignments: &[Assignment]) -> Config {
    let mut document = base.to_document();
    for (field, value) in assignments {
        field.set(&mut document, value.clone());
    }
    let mut config: Config = serde_json::from_value(document).expect("values were checked against their fields");
    // The document does not show passwords.
    config.l2_config.redis_url = base.l2_config.redis_url.clone();
    config
}

fn differences(before: &Config, after: &Config) -> Vec<FieldChange> {
    let (before, after) = (before.to_document(), after.to_document());
    let changes = super::FIELDS.iter().filter(|field| field.of(&before) != field.of(&after));
    let change = |field: &'static Field| FieldChange {
        field: field.path.into(),
        old: field.of(&before).clone(),
        new: field.of(&after).clone(),
    };
    changes.map(change).collect()
}

#[cfg(test)]
mod tests;
