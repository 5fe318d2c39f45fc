//! Rows that keep a value, a page at a time: to be brought back, or to be tidied up.

use crate::tiered::{invalidate::sweep::REMOVALS_AT_ONCE, view::View};
use crate::{
    dynamo::{KeptRow, KeptState, L3Error, Search},
    lock::{Lock, whole},
    selector::{Invalidation, KeyRange, Selector},
    version::Version,
};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

/// Rows of one page, as of an invalidation.
const PAGE_ROWS: i32 = 100;

/// What was brought back.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Brought {
    pub(super) restored: u64,
    /// It has expired since it was removed.
    pub(super) expired: u64,
}

/// The same while it is counted.
#[derive(Default)]
pub(super) struct Counted(Lock<Brought>);

impl Brought {
    pub(super) fn add(&mut self, other: Brought) {
        self.restored += other.restored;
        self.expired += other.expired;
    }
}

impl Counted {
    pub(super) fn brought(&self) -> Brought {
        *self.0.enter(whole)
    }

    fn add(&self, restored: bool) {
        let one = Brought { restored: restored.into(), expired: (!restored).into() };
        self.0.enter(whole).add(one);
    }
}

impl View<'_> {
    /// Brings back, as that version, what an invalidation has removed of a page; returns where the next one begins.
    pub(super) async fn bring_back_page(
        &self,
        part: &Invalidation,
        (key_range, last): (KeyRange<'_>, Option<String>),
        back: Version,
        counted: &Counted,
    ) -> Result<Option<String>, L3Error> {
        let (rows, last) = self.kept_page(key_range, last).await?;
        let rows = rows.into_iter().filter(|row| is_first(&part.selector, key_range, row));
        stream::iter(rows)
            .map(|row| self.bring_back_row(part, row, back, counted))
            .buffer_unordered(REMOVALS_AT_ONCE)
            .try_collect::<()>()
            .await?;
        Ok(last)
    }

    async fn bring_back_row(
        &self,
        part: &Invalidation,
        row: KeptRow,
        back: Version,
        counted: &Counted,
    ) -> Result<(), L3Error> {
        match row.state {
            // By an attempt before.
            KeptState::Back if row.version == back => counted.add(true),
            KeptState::Kept if row.version == part.version => {
                if self.clock.now_ms() < row.expires_at_ms {
                    if self.store.restore(&row, back).await? {
                        counted.add(true);
                    }
                } else if was_live(part, &row) {
                    counted.add(false);
                }
            }
            KeptState::Back | KeptState::Kept => {}
        }
        Ok(())
    }

    /// Takes the values from the tombstones of a page that an invalidation has left; returns where the next one begins.
    pub(super) async fn forget_page(
        &self,
        part: &Invalidation,
        key_range: KeyRange<'_>,
        last: Option<String>,
    ) -> Result<Option<String>, L3Error> {
        let (rows, last) = self.kept_page(key_range, last).await?;
        let is_left = |row: &KeptRow| row.state == KeptState::Kept && row.version == part.version;
        stream::iter(rows.iter().filter(|row| is_left(row)))
            .map(|row| self.store.forget_kept(row))
            .buffer_unordered(REMOVALS_AT_ONCE)
            .try_collect::<()>()
            .await?;
        Ok(last)
    }

    async fn kept_page(
        &self,
        key_range: KeyRange<'_>,
        last: Option<String>,
    ) -> Result<(Vec<KeptRow>, Option<String>), L3Error> {
        self.store.kept_page(Search { key_range, after: last.as_deref(), tags: true }, PAGE_ROWS).await
    }
}

/// Whether a row was live when it was removed.
fn was_live(part: &Invalidation, row: &KeptRow) -> bool {
    i64::try_from(part.version.micros() / 1000).unwrap_or(i64::MAX) < row.expires_at_ms
}

/// Whether the row is met in no stretch before this one: it may have several of the tags, or begin with several prefixes.
fn is_first(selector: &Selector, key_range: KeyRange<'_>, row: &KeptRow) -> bool {
    let key_ranges = selector.key_ranges();
    let meets = |stretch: &&KeyRange<'_>| {
        stretch.shard == key_range.shard
            && row.key.starts_with(stretch.prefix)
            && stretch.tag.is_none_or(|tag| row.tags.iter().any(|own| **own == *tag))
    };
    let first = key_ranges.iter().find(meets);
    first.is_some_and(|first| (first.tag, first.prefix) == (key_range.tag, key_range.prefix))
}
