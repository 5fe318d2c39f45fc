//! The condition under which a row replaces another: only one of a smaller version, or exactly what was seen.

use super::{Item, number, rows::WriteRow};
use crate::{
    planted::{Bug, planted},
    source_of_truth::Expected,
};
use std::collections::HashMap;

/// An item, and what must hold for it to be written.
pub(super) struct ConditionalPut {
    pub(super) item: Item,
    pub(super) condition: &'static str,
    pub(super) names: HashMap<String, String>,
    /// DynamoDB refuses an empty map.
    pub(super) values: Option<Item>,
}

impl ConditionalPut {
    pub(super) fn new(item: Item, row: &WriteRow<'_>) -> ConditionalPut {
        let new = (":new".to_owned(), number(row.version.0));
        let (condition, values) = match row.expected {
            Expected::Anything if planted(Bug::L3VersionNotCompared) => {
                ("attribute_not_exists(#v) OR #v <> :new", Some(Item::from([new])))
            }
            Expected::Anything => ("attribute_not_exists(#v) OR #v < :new", Some(Item::from([new]))),
            Expected::Absent => ("attribute_not_exists(#v)", None),
            Expected::Version(seen) => {
                ("#v = :seen AND #v < :new", Some(Item::from([new, (":seen".to_owned(), number(seen.0))])))
            }
        };
        let names = [("#v".to_owned(), "version".to_owned())].into();
        ConditionalPut { item, condition, names, values }
    }
}
