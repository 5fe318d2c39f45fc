//! Writes of several items, all or none.

use super::{
    Answer, Tables,
    error::Failure,
    operations::{Write, put},
};
use serde_json::{Map, Value, json};

/// How long a transaction that comes again with the same token is not done again, in seconds.
const TOKEN_SECONDS: i64 = 600;

impl Tables {
    pub(super) fn transact_write(&mut self, request: &Value) -> Answer {
        let (now_s, token) = (self.now_s, request["ClientRequestToken"].as_str());
        self.done.retain(|_, done_s| now_s - *done_s < TOKEN_SECONDS);
        if token.is_some_and(|token| self.done.contains_key(token)) {
            return Ok(Map::new());
        }
        let parts = request["TransactItems"].as_array().map(Vec::as_slice).unwrap_or_default();
        let (mut reasons, mut writes) = (Vec::new(), Vec::new());
        for part in parts {
            let (write, part) = part_of(part)?;
            let table = self.table(part)?;
            match write.prepare(table, part) {
                Ok(item) => {
                    writes.push((part, write.key(part)?, item, write));
                    reasons.push(json!({"Code": "None"}));
                }
                Err(failure) => reasons.push(failure.as_reason()),
            }
        }
        if writes.len() < parts.len() {
            return Err(Failure::cancelled(reasons));
        }
        for (part, key, item, write) in writes {
            if write != Write::Check {
                put(self.table(part)?, key, item);
            }
        }
        if let Some(token) = token {
            self.done.insert(token.to_owned(), now_s);
        }
        Ok(Map::new())
    }
}

fn part_of(part: &Value) -> Result<(Write, &Value), Failure> {
    let kinds =
        [("Put", Write::Put), ("Delete", Write::Delete), ("Update", Write::Update), ("ConditionCheck", Write::Check)];
    let found = kinds.into_iter().find_map(|(name, write)| Some((write, part.get(name)?)));
    found.ok_or_else(|| Failure::invalid("TransactItems can only contain one of Check, Put, Update or Delete"))
}
