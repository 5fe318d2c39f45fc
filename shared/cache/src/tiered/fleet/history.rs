//! What happened lately, for people: the mutations that the journal still holds.

use crate::tiered::TieredCache;
use crate::{
    level::Levels,
    outcome::{CacheError, History, Mutation},
    redis::{Fields, history},
    selector::Written,
    version::Position,
};
use std::collections::HashMap;

/// Whether the reader may know of a mutation.
pub type MaySee<'a> = dyn Fn(&Mutation) -> bool + Sync + 'a;

/// Records that are read for a reader who may see some of them only: as many as for the largest page of everything,
/// whatever the page asked for, so that a small one does not tell where the others' are.
const CONFINED_RECORDS: usize = 2001;

impl TieredCache {
    /// The mutations recorded after `since`, oldest first, at most `limit`; without it the newest there are. The journal
    /// holds those of the last ten minutes.
    ///
    /// With `may_see`, for a reader who is not to learn of the others: only those are told of, and the next page begins
    /// after the last of them, wherever the journal ends. Only where more of others' records lie between than one page
    /// has does it begin after what was read, for the reader would not get on otherwise.
    ///
    /// # Errors
    /// When Redis cannot be reached.
    pub async fn history(
        &self,
        since: Option<Position>,
        limit: usize,
        may_see: Option<&MaySee<'_>>,
    ) -> Result<History, CacheError> {
        // Every invalidation has a second record, which says how it ended.
        let wanted = if may_see.is_some() { CONFINED_RECORDS } else { 2 * limit + 1 };
        let reply = self.view().ask(self.journal.history(since, wanted)).await.and_then(history);
        let records = reply?;
        let matched: HashMap<Position, u64> = records.iter().filter_map(|(_, fields)| closed(fields)).collect();
        let mutations = records.iter().filter_map(|(at, fields)| mutation(*at, fields, matched.get(at).copied()));
        let mutations = mutations.filter(|mutation| may_see.is_none_or(|may_see| may_see(mutation)));
        let mut mutations: Vec<Mutation> = mutations.collect();
        let is_secret = may_see.is_some() && (since.is_none() || records.len() < wanted);
        let read_to = if is_secret {
            Some(mutations.last().map(|last| last.position).or(since).unwrap_or(Position::ZERO))
        } else {
            records.last().map(|(at, _)| *at)
        };
        let next = match since {
            Some(_) if mutations.len() > limit => {
                mutations.truncate(limit);
                mutations.last().map(|last| last.position)
            }
            Some(since) => read_to.or(Some(since)),
            None => {
                mutations.drain(..mutations.len().saturating_sub(limit));
                read_to
            }
        };
        Ok(History { mutations, next })
    }
}

fn closed(fields: &Fields) -> Option<(Position, u64)> {
    Some((Position::parse(fields.get("of")?)?, fields.get("matched")?.parse().ok()?))
}

pub(crate) fn mutation(position: Position, fields: &Fields, matched: Option<u64>) -> Option<Mutation> {
    let text = |name: &str| fields.get(name).filter(|text| !text.is_empty()).cloned();
    let kind = text("kind").filter(|kind| ["put", "delete", "invalidate", "config"].contains(&kind.as_str()))?;
    let written = fields.get("body").and_then(|body| serde_json::from_str::<Written>(body).ok());
    let at_ms = text("time").and_then(|ms| ms.parse().ok()).or_else(|| position.ms.try_into().ok())?;
    let mut mutation = Mutation {
        position,
        at_ms,
        kind,
        key: text("key"),
        pattern: None,
        tags: None,
        all_tags: false,
        keys: None,
        except_tags: None,
        levels: None,
        by: text("by"),
        reason: None,
        matched,
        changes: text("changes").and_then(|changes| serde_json::from_str(&changes).ok()),
    };
    if let Some(written) = written {
        mutation.levels = Some(Levels::from_bits(written.levels));
        mutation.pattern = written.pattern;
        mutation.tags = written.tags;
        if let Some(select) = written.select {
            mutation.pattern = select.pattern;
            mutation.all_tags = select.all.is_some();
            mutation.tags = select.any.or(select.all);
            mutation.keys = select.keys;
            mutation.except_tags = select.except;
        }
        mutation.by = written.by.filter(|by| !by.is_empty());
        mutation.reason = written.reason;
    }
    Some(mutation)
}
