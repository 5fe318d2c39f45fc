//! The state of the fleet, in one round trip to each shared level once it is known that the configuration is in force.
//!
//! One level after the other: there is one thread, and what one of them costs it, such as the start of DynamoDB's client,
//! must not count as the other's time.

use crate::tiered::{TieredCache, view::View, write::stock::read_stock};
use crate::{
    dynamo::L3Error,
    level::Level,
    memory::Usage,
    outcome::CacheError,
    quota::{Stock, name_of},
    redis::{Batch, Command, Down, FleetTotals, Heap, Order, Reply, census, counted, drawn},
    shard::SHARDS,
    stats::{Amount, Breakdown, Census, FleetReport, Health, LevelStatus, Status, Strain},
};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A table of no more bytes than this is counted by a status that finds it uncounted; a larger one waits for maintenance.
const SMALL_BYTES: u64 = 16 << 20;
/// What Redis said.
struct Shared {
    totals: FleetTotals,
    copies: Amount,
    heap: Heap,
    strain: Strain,
    stock: Option<Stock>,
}

impl TieredCache {
    /// The state of the fleet, what it did in each of the last `minutes` (60 at most), and what `api_key` stores; with an
    /// empty one, of the fleet alone. A level that is down is
    /// reported and is no error; nothing is waited for longer than its level's timeout.
    pub async fn status(&self, api_key: &str, minutes: u64) -> Status {
        let view = self.caught_up().await.unwrap_or_else(|_| self.view());
        view.look(api_key, minutes).await
    }

    /// What the last census counted: of L3, or of L2 where L3 is switched off. Maintenance makes one a day after the last,
    /// or a quarter of an hour where that found little; where there is none and L3 holds little it is made now. `None` until the first.
    ///
    /// # Errors
    /// When L2, which keeps it, cannot be reached, or is switched off.
    pub async fn census(&self) -> Result<Option<Census>, CacheError> {
        self.caught_up().await?.last_census().await
    }
}

impl View<'_> {
    async fn look(&self, api_key: &str, minutes: u64) -> Status {
        let (l2_health, shared) = self.look_at_l2(api_key, minutes).await;
        let l3 = self.look_at_l3().await;
        let rows = match (&shared, l3) {
            (Some(Shared { totals: FleetTotals { rows: Some(rows), .. }, .. }), _) => *rows,
            (known, Health::Healthy | Health::Degraded) => self.size_up_l3(known.is_some()).await,
            _ => Amount::default(),
        };
        let l1 = self.l1_status(shared.as_ref());
        let l2 = level_status(l2_health, shared.as_ref().map(|shared| (shared.copies, shared.heap)));
        let l3 = level_status(l3, Some((rows, Heap(None))));
        let strain = shared.as_ref().map(|shared| shared.strain.clone()).unwrap_or_default();
        let stock = shared.as_ref().and_then(|shared| shared.stock);
        let health = overall(l1.health, [l2.health, l3.health]);
        Status { health, l1, l2, l3, strain, stock, report: shared.map(report) }
    }

    async fn look_at_l2(&self, api_key: &str, minutes: u64) -> (Health, Option<Shared>) {
        if !self.uses(Level::L2) {
            return (Health::Disabled, None);
        }
        let asked = [self.fleet.totals(minutes), self.fleet.heap(), self.fleet.evictions()];
        let stock: Vec<Command> = name_of(api_key).iter().flat_map(|name| self.setup.copies.stock(name)).collect();
        let (trials, stocks) = (self.fleet.trials().count(), stock.len());
        let batch = asked.into_iter().chain(self.fleet.trials()).chain(stock).chain(self.fleet.draw());
        let batch = batch.collect::<Batch>();
        let began = Instant::now();
        let said = self.link.run(&batch, Order::Any).await.and_then(|replies| {
            let mut replies = replies.into_iter();
            let mut next = || replies.next().ok_or(Down::Odd("no reply"));
            let (totals, heap) = (FleetTotals::parse(next()?)?, Heap::parse(next()?));
            let evictions = next()?;
            let trials = replies.by_ref().take(trials).collect();
            let strain = self.strain(&totals, evictions, trials);
            let stock: Vec<Reply> = replies.by_ref().take(stocks).collect();
            let stock = (!stock.is_empty()).then(|| read_stock(&stock)).transpose()?;
            Ok(Shared { totals, heap, strain, stock, copies: drawn(replies)? })
        });
        let limit = Duration::from_millis(self.setup.config.l2_config.timeout_ms);
        let health = match health(&said, began.elapsed(), limit) {
            Health::Healthy if self.link.is_refusing() || is_strained(&said) => Health::Degraded,
            health => health,
        };
        (health, said.ok())
    }

    async fn look_at_l3(&self) -> Health {
        if !self.uses(Level::L3) {
            return Health::Disabled;
        }
        let is_first = self.store.start().await;
        let mut began = Instant::now();
        let mut said = self.store.probe().await;
        if is_first && said.is_ok() {
            // The first request of a client reads certificates and connects.
            began = Instant::now();
            said = self.store.probe().await;
        }
        health(&said, began.elapsed(), Duration::from_millis(self.setup.config.l3_config.timeout_ms))
    }

    /// What L3 holds while the fleet does not know: what DynamoDB says, or better, where that is little and the fleet can
    /// be told, a count.
    async fn size_up_l3(&self, tell: bool) -> Amount {
        let described = self.store.describe().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "nothing is known of what L3 holds");
            Amount::default()
        });
        if !tell || described.bytes > SMALL_BYTES {
            return described;
        }
        self.count_small_l3().await.map_or(described, |census| census.counted.total)
    }

    async fn count_small_l3(&self) -> Option<Census> {
        let began_ms = self.clock.now_ms();
        let limit = Duration::from_millis(self.setup.config.l3_config.timeout_ms);
        let counted = timeout(limit, self.count_small_table()).await.ok()?.ok()??;
        let census = Census { began_ms, counted: counted.trimmed() };
        if let Err(down) = self.tell_census(&self.setup.switched.to_string(), &census).await {
            tracing::debug!(%down, "the next status counts again");
        }
        Some(census)
    }

    /// Counts the live values of all partitions at once, by a page of 1 MB of each; `None` when one has more: what
    /// DynamoDB says of the size is hours old.
    async fn count_small_table(&self) -> Result<Option<Breakdown>, L3Error> {
        let at_once = usize::try_from(SHARDS).expect("a small number");
        let counts = (0..SHARDS).map(|shard| self.count_small_partition(shard));
        stream::iter(counts)
            .buffer_unordered(at_once)
            .try_fold(Some(Breakdown::default()), async |sum, more| Ok(sum.zip(more).map(|(sum, more)| sum.and(&more))))
            .await
    }

    async fn count_small_partition(&self, shard: u64) -> Result<Option<Breakdown>, L3Error> {
        let mut counted = Breakdown::default();
        let next = self.store.count_page(shard, None, &mut counted).await?;
        Ok(next.is_none().then_some(counted))
    }

    /// Tells the fleet what a census counted, whose counts of L3 go on from there; returns whether it took that, which it
    /// does not when a level was switched since.
    pub(crate) async fn tell_census(&self, switched: &str, census: &Census) -> Result<bool, Down> {
        let command = self.fleet.counted(switched, census, self.uses(Level::L3));
        let taken = self.ask(command).await.and_then(counted)?;
        if taken {
            self.store.tally.learn_census(census.began_ms);
        }
        Ok(taken)
    }

    async fn last_census(&self) -> Result<Option<Census>, CacheError> {
        if !self.uses(Level::L2) {
            return Err(CacheError::unavailable(Level::L2, "it is switched off"));
        }
        match self.ask(self.fleet.census()).await.and_then(census)? {
            None if self.uses(Level::L3) && self.store.describe().await?.bytes <= SMALL_BYTES => {
                Ok(self.count_small_l3().await)
            }
            census => Ok(census),
        }
    }

    fn l1_status(&self, shared: Option<&Shared>) -> LevelStatus {
        if !self.uses(Level::L1) {
            return level_status(Health::Disabled, None);
        }
        let Usage { entries, text_bytes, bytes } = shared.map(|shared| shared.totals.usage).unwrap_or_default();
        LevelStatus { health: Health::Healthy, entries, bytes: text_bytes, memory_bytes: bytes }
    }
}

fn is_strained(said: &Result<Shared, Down>) -> bool {
    said.as_ref().is_ok_and(|Shared { strain, .. }| strain.refused.is_some() || strain.evicted > 0)
}

fn health<T, E>(said: &Result<T, E>, took: Duration, limit: Duration) -> Health {
    match said {
        Ok(_) if took <= limit / 2 => Health::Healthy,
        Ok(_) => Health::Degraded,
        Err(_) => Health::Unhealthy,
    }
}

/// L1 alone answers nobody for longer than Δ: the shared levels decide.
fn overall(l1: Health, shared: [Health; 2]) -> Health {
    let on = || [l1].into_iter().chain(shared).filter(|health| *health != Health::Disabled);
    let answers = |health: &Health| matches!(health, Health::Healthy | Health::Degraded);
    if !shared.iter().any(answers) {
        Health::Unhealthy
    } else if on().all(|health| health == Health::Healthy) {
        Health::Healthy
    } else {
        Health::Degraded
    }
}

fn level_status(health: Health, held: Option<(Amount, Heap)>) -> LevelStatus {
    let (amount, heap) = held.filter(|_| health != Health::Disabled).unwrap_or((Amount::default(), Heap(Some(0))));
    let Amount { entries, bytes } = amount;
    LevelStatus { health, entries, bytes, memory_bytes: heap.0.unwrap_or(bytes) }
}

fn report(shared: Shared) -> FleetReport {
    let FleetTotals { counts, recent, since_ms, minutes, oldest_ms, containers, records, newest, .. } = shared.totals;
    FleetReport {
        counts,
        recent,
        minutes,
        oldest_ms,
        since_ms,
        containers,
        journal_records: records,
        journal_newest: newest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Health::{Degraded, Disabled, Healthy, Unhealthy};

    #[test]
    fn the_shared_levels_decide_on_health() {
        assert_eq!(overall(Healthy, [Healthy, Healthy]), Healthy);
        assert_eq!(overall(Disabled, [Healthy, Disabled]), Healthy);
        assert_eq!(overall(Healthy, [Degraded, Healthy]), Degraded);
        assert_eq!(overall(Healthy, [Unhealthy, Healthy]), Degraded);
        assert_eq!(overall(Healthy, [Healthy, Unhealthy]), Degraded);
        assert_eq!(overall(Healthy, [Unhealthy, Unhealthy]), Unhealthy);
        assert_eq!(overall(Healthy, [Unhealthy, Disabled]), Unhealthy);
    }

    #[test]
    fn half_of_the_time_is_slow() {
        let limit = Duration::from_millis(100);
        assert_eq!(health(&Ok::<(), ()>(()), limit / 2, limit), Healthy);
        assert_eq!(health(&Ok::<(), ()>(()), limit, limit), Degraded);
        assert_eq!(health(&Err::<(), ()>(()), Duration::ZERO, limit), Unhealthy);
    }
}
