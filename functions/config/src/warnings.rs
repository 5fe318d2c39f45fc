//! What switching a level does to the cache: said in the answer, because whoever switches it is the one who can
//! still switch it back.

use strata_cache::config::FieldChange;

const L1_OFF: &str = "L1_MEMORY is off: every container has emptied its memory, and each read asks a shared level";
const L1_ON: &str = "L1_MEMORY is on: it begins empty in every container";
const L2_OFF: &str = "L2_REDIS is off: entries kept there alone cannot be read and do not come back when it is on again; \
    rate limits count per container, and for 45 s mutations are degraded";
const L2_ON: &str = "L2_REDIS is on: nothing in it from before is used, and for 45 s reads are answered by L3_DATABASE";
const L3_OFF: &str = "L3_DATABASE is off: the cache is empty, as nothing in it can be read, and its entries do not come \
    back when it is on again; from now on a failover of Redis can lose acknowledged mutations";
const L3_ON: &str = "L3_DATABASE is on: the cache is empty, as nothing from before is used, neither what was in it nor \
    what was put while it was off";

/// A sentence for each level that was switched.
pub fn of(changes: &[FieldChange]) -> Vec<&'static str> {
    changes.iter().filter_map(warning).collect()
}

fn warning(change: &FieldChange) -> Option<&'static str> {
    match (change.field.as_ref(), change.new.as_bool()?) {
        ("l1_config.enabled", false) => Some(L1_OFF),
        ("l1_config.enabled", true) => Some(L1_ON),
        ("l2_config.enabled", false) => Some(L2_OFF),
        ("l2_config.enabled", true) => Some(L2_ON),
        ("l3_config.enabled", false) => Some(L3_OFF),
        ("l3_config.enabled", true) => Some(L3_ON),
        _ => None,
    }
}
