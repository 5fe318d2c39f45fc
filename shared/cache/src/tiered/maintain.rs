//! Maintenance: what nobody is called for. Jobs whose runner has died or whose time has come, invalidations that were
//! abandoned, and members of indexes whose copies have expired.

use super::{
    TieredCache,
    jobs::{GRACE, SILENCE_MS},
    sweep::Pace,
    view::View,
};
use crate::{
    dynamo::JobRecord,
    job::JobState,
    level::Level,
    outcome::{CacheError, Maintained},
    redis::{Down, PAGE_KEYS, Page, keys, swept},
    selector::Stretch,
    shard::SHARDS,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Most abandoned invalidations that one call makes jobs of.
const MOST_ADOPTED: usize = 20;
/// How long a job that is ready may wait for whoever was called, in ms, before that is done again.
const UNANSWERED_MS: i64 = 120_000;
const HOUR_MS: i64 = 3_600_000;

/// Where a sweep of the indexes goes on: the indexes of a shard come in the order of their tags, that of all its keys
/// first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sweeping {
    shard: u64,
    /// The tag of the index it is at; `None` for that of all keys.
    tag: Option<String>,
    /// The last member that was seen.
    after: Option<String>,
}

impl TieredCache {
    /// Does what is due, for about `time`; the rest is left to the next call. To be called every few minutes, by one
    /// container or by several at once.
    ///
    /// # Errors
    /// When a level it needs cannot be reached; what was done stays done.
    pub async fn maintain(&self, time: Duration) -> Result<Maintained, CacheError> {
        let pace = Pace::of(time, GRACE);
        let mut done = Maintained::default();
        let view = self.caught_up().await?;
        // One that fails must not keep the others from their turn.
        let jobs = view.wake_jobs(&mut done, pace).await;
        let adopted = view.adopt_abandoned(&mut done).await;
        let swept = view.sweep_indexes(&mut done, pace).await;
        jobs.and(adopted).and(swept).map(|()| done)
    }
}

impl View<'_> {
    /// Calls for the jobs that nobody works on.
    async fn wake_jobs(&self, done: &mut Maintained, pace: Pace) -> Result<(), CacheError> {
        let unavailable = |error| CacheError::unavailable(Level::L3, error);
        let mut after: Option<String> = None;
        loop {
            let (ids, next) = self.store.undone_jobs(after.as_deref()).await.map_err(unavailable)?;
            for id in ids {
                let record = self.store.job(&id).await.map_err(unavailable)?;
                if let Some(record) = record.filter(|record| record.is_due(self.clock.now_ms())) {
                    done.jobs_woken += u64::from(self.store.wake_job(&record).await.map_err(unavailable)?);
                }
            }
            match next {
                Some(next) if !pace.is_over() => after = Some(next),
                _ => return Ok(()),
            }
        }
    }

    /// Makes jobs of the invalidations whose containers are gone.
    async fn adopt_abandoned(&self, done: &mut Maintained) -> Result<(), CacheError> {
        if !self.uses(Level::L2) {
            return Ok(());
        }
        self.sync(Vec::new()).await.map_err(l2_down)?;
        let abandoned = self.knowledge().abandoned();
        for invalidation in abandoned.iter().take(MOST_ADOPTED) {
            done.invalidations_adopted += u64::from(self.adopt(invalidation).await?);
        }
        Ok(())
    }

    /// Goes on with the sweep of the indexes, if one is due.
    async fn sweep_indexes(&self, done: &mut Maintained, pace: Pace) -> Result<(), CacheError> {
        if !self.uses(Level::L2) {
            return Ok(());
        }
        let unavailable = |error| CacheError::unavailable(Level::L3, error);
        let alone_until_ms = self.clock.now_ms() + SILENCE_MS + i64::try_from(GRACE.as_millis()).unwrap_or_default();
        let Some(due) = self.store.claim_sweep(alone_until_ms).await.map_err(unavailable)? else { return Ok(()) };
        let mut sweeping: Sweeping = serde_json::from_str(&due.progress).unwrap_or_default();
        let swept = self.sweep_members(&mut sweeping, &mut done.members_swept, pace).await;
        let (progress, next_at_ms) = if matches!(swept, Ok(true)) {
            done.sweep_finished = true;
            let hours = i64::try_from(self.setup.config.l3_config.cleanup_interval_hours).unwrap_or(i64::MAX / HOUR_MS);
            (String::new(), self.clock.now_ms().saturating_add(hours.saturating_mul(HOUR_MS)))
        } else {
            (serde_json::to_string(&sweeping).expect("texts and numbers are always JSON"), self.clock.now_ms())
        };
        self.store.end_sweep(&due, &progress, next_at_ms).await.map_err(unavailable)?;
        swept.map(|_| ()).map_err(l2_down)
    }

    /// Takes out of the indexes what has no copy any more; returns whether it came to the end.
    async fn sweep_members(&self, at: &mut Sweeping, removed: &mut u64, pace: Pace) -> Result<bool, Down> {
        while at.shard < SHARDS {
            let page = self.index_page(at.shard, at.tag.as_deref(), at.after.as_deref()).await?;
            if !page.is_empty() {
                let sweep = self.setup.copies.sweep(at.shard, at.tag.as_deref(), &page);
                *removed += self.bulk(vec![sweep]).await?.into_iter().map(swept).sum::<Result<u64, _>>()?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE_KEYS => at.after = Some(last.clone()),
                _ => self.next_index(at).await?,
            }
            if pace.is_over() {
                return Ok(at.shard >= SHARDS);
            }
        }
        Ok(true)
    }

    /// Goes to the index of the shard's next tag, or to the next shard. The names of the tags stand in the index of the
    /// empty tag, which no entry can have.
    async fn next_index(&self, at: &mut Sweeping) -> Result<(), Down> {
        let tags = self.index_page(at.shard, Some(""), at.tag.as_deref()).await?;
        *at = match tags.into_iter().next() {
            Some(tag) => Sweeping { shard: at.shard, tag: Some(tag), after: None },
            None => Sweeping { shard: at.shard + 1, tag: None, after: None },
        };
        Ok(())
    }

    async fn index_page(&self, shard: u64, tag: Option<&str>, after: Option<&str>) -> Result<Vec<String>, Down> {
        let page = Page { stretch: Stretch { shard, tag, prefix: "", exact: false }, after };
        let reply = self.bulk(vec![self.setup.copies.page(&page)]).await?.into_iter().next();
        keys(reply.ok_or(Down::Odd("no reply to a page"))?)
    }
}

impl JobRecord {
    /// Whether somebody must be called for it.
    fn is_due(&self, now_ms: i64) -> bool {
        let silent_ms = now_ms.saturating_sub(self.job.updated_ms);
        match self.job.state {
            JobState::Scheduled => self.run_at_ms <= now_ms,
            JobState::Ready => silent_ms > UNANSWERED_MS,
            JobState::Running => silent_ms > SILENCE_MS,
            JobState::Done => false,
        }
    }
}

fn l2_down(down: Down) -> CacheError {
    CacheError::unavailable(Level::L2, down)
}
