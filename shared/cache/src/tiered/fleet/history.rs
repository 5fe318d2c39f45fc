//! What happened lately, for people: the mutations that the journal still holds.

use crate::tiered::TieredCache;
use crate::{
    history::{History, HistoryQuery},
    level::Levels,
    outcome::{CacheError, Mutation},
    redis::{Fields, From, history},
    selector::WrittenInvalidation,
    version::Position,
};
use std::{collections::HashMap, time::Duration};

/// Whether the reader may know of a mutation.
pub type MaySee<'a> = dyn Fn(&Mutation) -> bool + Sync + 'a;

/// Records that are read for a reader who may see some of them only: as many as for the largest page of everything,
/// whatever the page asked for, so that a small one does not tell where the others' are.
const CONFINED_RECORDS: usize = 2001;
/// Records that are read at once, and at most, where some are looked for: a tenth of what the journal may hold, which
/// Redis reads in about ten steps of some milliseconds.
const SEARCH_RECORDS: usize = 2000;
const MOST_SEARCHED: usize = 20_000;

impl TieredCache {
    /// The mutations that are asked for. The journal holds those of the last ten minutes.
    ///
    /// With `may_see`, for a reader who is not to learn of the others: only those are told of, and the next page begins
    /// after the last of them, wherever the journal ends. Only where more of others' records lie between than one page
    /// has does it begin after what was read, for the reader would not get on otherwise.
    ///
    /// # Errors
    /// When Redis cannot be reached.
    pub async fn history(&self, query: &HistoryQuery, may_see: Option<&MaySee<'_>>) -> Result<History, CacheError> {
        match may_see {
            Some(may_see) => self.confined_history(query, may_see).await,
            None => self.whole_history(query).await,
        }
    }

    /// The same as soon as there is anything after `since`, or after `time`; at once without `since`, or where as many wait
    /// on behalf of `account`, or in all, as may.
    ///
    /// # Errors
    /// When Redis cannot be reached.
    pub async fn history_within(
        &self,
        query: &HistoryQuery,
        may_see: Option<&MaySee<'_>>,
        account: &str,
        time: Duration,
    ) -> Result<History, CacheError> {
        let mut page = self.history(query, may_see).await?;
        if !page.mutations.is_empty() || query.since.is_none() || time.is_zero() {
            return Ok(page);
        }
        // The journal can be read without the table in which it is written down who waits.
        let Ok(Some(waiting)) = self.wait_on_behalf_of(account, time).await else { return Ok(page) };
        let mut ended = Ok(());
        while page.mutations.is_empty() && waiting.goes_on().await {
            match self.history(&HistoryQuery { since: page.next, ..query.clone() }, may_see).await {
                Ok(later) => page = later,
                Err(error) => {
                    ended = Err(error);
                    break;
                }
            }
        }
        waiting.end().await;
        ended.map(|()| page)
    }

    async fn confined_history(&self, query: &HistoryQuery, may_see: &MaySee<'_>) -> Result<History, CacheError> {
        let HistoryQuery { since, limit, filter } = query;
        let from = since.map_or(From::Before(None), From::After);
        let Read { mutations, records, .. } = self.read_journal(from, CONFINED_RECORDS).await?;
        let visible: Vec<Mutation> = mutations.into_iter().filter(|mutation| may_see(mutation)).collect();
        let is_secret = since.is_none() || records.len() < CONFINED_RECORDS;
        let own = visible.last().map(|last| last.position).or(*since).unwrap_or(Position::ZERO);
        let read_to = if is_secret { Some(own) } else { records.last().copied().or(*since) };
        let found = visible.into_iter().filter(|mutation| filter.admits(mutation)).collect();
        Ok(page(found, *since, *limit, read_to))
    }

    async fn whole_history(&self, query: &HistoryQuery) -> Result<History, CacheError> {
        let HistoryQuery { since, limit, filter } = query;
        // Every invalidation has a second record, which says how it ended.
        let (size, most) = match filter.is_empty() {
            true => (2 * limit + 1, 2 * limit + 1),
            false => (SEARCH_RECORDS, MOST_SEARCHED),
        };
        let (mut found, mut searched, mut newest, mut oldest) = (Vec::new(), 0, None, None);
        loop {
            let from = match since {
                Some(since) => From::After(newest.unwrap_or(*since)),
                None => From::Before(oldest),
            };
            let Read { mutations, records } = self.read_journal(from, size).await?;
            searched += records.len();
            newest = newest.max(records.last().copied());
            oldest = records.first().copied().or(oldest);
            let mutations = mutations.into_iter().filter(|mutation| filter.admits(mutation));
            match since {
                Some(_) => found.extend(mutations),
                None => found.splice(..0, mutations).for_each(drop),
            }
            let is_over = records.len() < size;
            let is_enough = found.len() > *limit || (since.is_none() && found.len() == *limit);
            if is_over || is_enough || searched >= most {
                let is_cut = since.is_none() && !filter.is_empty() && !is_over && found.len() < *limit;
                let searched_since = oldest.filter(|_| is_cut);
                return Ok(History { searched_since, ..page(found, *since, *limit, newest.or(*since)) });
            }
        }
    }

    /// Reads so many records, in order.
    async fn read_journal(&self, from: From, count: usize) -> Result<Read, CacheError> {
        let raw = self.view().ask(self.journal.history(from, count)).await.and_then(history)?;
        let matched: HashMap<Position, u64> = raw.iter().filter_map(|(_, fields)| closed(fields)).collect();
        let mutations = raw.iter().filter_map(|(at, fields)| mutation(*at, fields, matched.get(at).copied()));
        Ok(Read { mutations: mutations.collect(), records: raw.iter().map(|(at, _)| *at).collect() })
    }
}

/// A part of the journal, oldest first.
struct Read {
    mutations: Vec<Mutation>,
    /// The positions of all records, those included that tell of no mutation.
    records: Vec<Position>,
}

/// What was found, of which a page has the first after `since`, or else the last. It was read up to `read_to`.
fn page(mut found: Vec<Mutation>, since: Option<Position>, limit: usize, read_to: Option<Position>) -> History {
    let mut next = read_to;
    if since.is_none() {
        found.drain(..found.len().saturating_sub(limit));
    } else if found.len() > limit {
        found.truncate(limit);
        next = found.last().map(|last| last.position);
    }
    History { mutations: found, next, searched_since: None }
}

fn closed(fields: &Fields) -> Option<(Position, u64)> {
    Some((Position::parse(fields.get("of")?)?, fields.get("matched")?.parse().ok()?))
}

pub(crate) fn mutation(position: Position, fields: &Fields, matched: Option<u64>) -> Option<Mutation> {
    let text = |name: &str| fields.get(name).filter(|text| !text.is_empty()).cloned();
    let kind =
        text("kind").filter(|kind| ["put", "delete", "invalidate", "undo", "config"].contains(&kind.as_str()))?;
    let written = fields.get("body").and_then(|body| serde_json::from_str::<WrittenInvalidation>(body).ok());
    let at_ms = text("time").and_then(|ms| ms.parse().ok()).or_else(|| position.ms.try_into().ok())?;
    let mut mutation = Mutation {
        key: text("key"),
        by: text("by"),
        matched,
        changes: text("changes").and_then(|changes| serde_json::from_str(&changes).ok()),
        ..Mutation::bare(position, at_ms, kind)
    };
    if let Some(written) = written {
        mutation.levels = Some(Levels::from_bits(written.levels));
        mutation.makes_stale = written.stale_seconds.is_some();
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
        mutation.of = written.of;
        mutation.reason = written.reason;
    }
    Some(mutation)
}
