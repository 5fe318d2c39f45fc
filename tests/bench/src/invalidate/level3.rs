//! Invalidation in L3, with L2 switched on but empty: the library beside a scan of the whole table. Every number of
//! entries has a table of its own, and they take turns.

use super::{
    GROUP,
    everything::Everything,
    growth::{growth, in_words},
    listing::Listings,
    rows::Rows,
    tenant::Tenant,
    undo::Undos,
};
use crate::{
    report::{Row, Section, Unit},
    stats::Summary,
    suites::parse_sizes,
};
use aws_config::BehaviorVersion;
use std::{
    error::Error,
    time::{Duration, Instant},
};
use strata_cache::settings::Settings;
use strata_cache::{Invalidate, Level, Levels, Read, TieredCache};
use tokio::runtime;

/// The measurement's name among the program's arguments.
pub const NAME: &str = "invalidate-dynamo";
/// Invalidations of each kind.
const ROUNDS: usize = 5;
/// Of them by Scan, which takes by far the longest.
const SCAN_ROUNDS: usize = 2;
/// Invalidations of everything, of each kind.
const WHOLE_ROUNDS: usize = 2;
/// For how long one may work: it is to be done by the request, and not by a job.
const REQUEST_BUDGET: Duration = Duration::from_secs(600);
/// Longest wait for an answer: nothing is skipped here because another program has the processor.
const TIMEOUT_MS: u64 = 20_000;

/// How to invalidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Prefix,
    Tag,
    /// The baseline.
    Scan,
}

/// The slowest last.
const WAYS: [Way; 3] = [Way::Prefix, Way::Tag, Way::Scan];

/// A table of so many entries, and what was measured in it.
struct Place {
    size: usize,
    cache: TieredCache,
    rows: Rows,
    /// Milliseconds of each way.
    samples: [Vec<f64>; WAYS.len()],
    listings: Listings,
    /// By prefix, and by tag.
    undos: [Undos; 2],
}

/// Measures with so many entries, separated by commas, and the settings in the environment.
///
/// # Errors
/// When DynamoDB cannot be used, or an invalidation does not find what it means.
pub fn measure(sizes: &str) -> Result<Vec<Section>, Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let sizes = if sizes.is_empty() { Vec::new() } else { parse_sizes(sizes)? };
    runtime.block_on(measure_all(&sizes))
}

async fn measure_all(sizes: &[usize]) -> Result<Vec<Section>, Box<dyn Error>> {
    let mut places = Vec::new();
    for size in sizes {
        places.push(Place::fill(*size).await?);
    }
    for round in 0..ROUNDS {
        for place in &mut places {
            place.take_turns(round).await?;
        }
    }
    let whole = match places.last() {
        Some(place) => vec![place.measure_whole().await?],
        None => Vec::new(),
    };
    let growing = [Way::Prefix, Way::Tag].into_iter().flat_map(|way| {
        let times: Vec<_> = places.iter().map(|place| (place.size, place.summary(way))).collect();
        growth(way.name(), &times)
    });
    let sections = vec![
        Section {
            title: "Invalidating 1,000 entries in L3".into(),
            baseline: "Scan of the table with a filter on the key, and BatchWriteItem to delete what it finds; it \
                leaves no tombstones and does not look for newer values"
                .into(),
            rows: places.iter().flat_map(Place::costs).collect(),
        },
        Section {
            title: "Bringing 1,000 entries back in L3".into(),
            baseline: "an invalidation of the same entries that keeps nothing".into(),
            rows: places.iter().flat_map(Place::undo_costs).collect(),
        },
        Section {
            title: "Invalidating 1,000 entries in L3, by how many there are".into(),
            baseline: "the same among the fewest".into(),
            rows: growing.collect(),
        },
        Listings::section("L3", &places.iter().map(|place| (place.size, &place.listings)).collect::<Vec<_>>()),
    ];
    Ok(sections.into_iter().chain(whole).collect())
}

impl Place {
    async fn fill(size: usize) -> Result<Place, Box<dyn Error>> {
        let client = aws_sdk_dynamodb::Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
        let Settings { mut config, mut deployment, .. } = Settings::from_env()?;
        deployment.request_budget = REQUEST_BUDGET;
        config.l1_config.enabled = false;
        config.l2_config.key_prefix = format!("bench-{size}:");
        config.l2_config.timeout_ms = TIMEOUT_MS;
        config.l3_config.table_name = format!("bench_{size}");
        config.l3_config.timeout_ms = TIMEOUT_MS;
        let rows = Rows::create(client, config.l3_config.table_name.clone()).await?;
        let cache = TieredCache::open(deployment, config)?;
        for tenant in Tenant::of(size) {
            rows.load(&cache, tenant, Levels::NONE.with(Level::L3)).await?;
        }
        let (samples, listings, undos) = Default::default();
        let place = Place { size, cache, rows, samples, listings, undos };
        place.check().await?;
        Ok(place)
    }

    /// Makes sure that the library reads from L3 what it has not put itself.
    async fn check(&self) -> Result<(), Box<dyn Error>> {
        for tenant in Tenant::of(self.size) {
            let key = tenant.keys().last().expect("a tenant has entries");
            let hit = self.cache.get(&key, Read::default()).await?.hit;
            if hit.is_none_or(|hit| hit.level != Level::L3 || hit.entry.json().as_bytes() != *tenant.put().value.text())
            {
                return Err(format!("{} is not readable", key.as_str()).into());
            }
        }
        Ok(())
    }

    /// Invalidates one tenant in each way, and puts it back.
    async fn take_turns(&mut self, round: usize) -> Result<(), Box<dyn Error>> {
        let ways = if round < SCAN_ROUNDS { WAYS.len() } else { WAYS.len() - 1 };
        for (turn, way) in WAYS.into_iter().enumerate().take(ways) {
            let tenant = Tenant((round * WAYS.len() + turn) % (self.size / GROUP));
            let start = Instant::now();
            let removed = self.remove(way, tenant).await?;
            let elapsed = start.elapsed();
            if removed != GROUP {
                return Err(format!("{way:?} removed {removed} entries of {GROUP}").into());
            }
            self.samples[turn].push(elapsed.as_secs_f64() * 1e3);
            self.rows.load(&self.cache, tenant, Levels::NONE.with(Level::L3)).await?;
        }
        let tenant = Tenant(round % (self.size / GROUP));
        self.undos[0].take_turn(&self.cache, tenant.by_prefix(), GROUP as u64).await?;
        self.undos[1].take_turn(&self.cache, tenant.by_tag(), GROUP as u64).await?;
        self.listings.take_turn(&self.cache, Tenant(round % (self.size / GROUP))).await
    }

    /// Invalidates all there is, in turns with undoing that.
    async fn measure_whole(&self) -> Result<Section, Box<dyn Error>> {
        let mut everything = Everything::default();
        for _ in 0..WHOLE_ROUNDS {
            everything.remove(&self.cache, self.size).await?;
            for tenant in Tenant::of(self.size) {
                self.rows.load(&self.cache, tenant, Levels::NONE.with(Level::L3)).await?;
            }
            everything.take_turn(&self.cache, self.size).await?;
        }
        Ok(everything.section(self.size))
    }

    async fn remove(&self, way: Way, tenant: Tenant) -> Result<usize, Box<dyn Error>> {
        let selector = match way {
            Way::Prefix => tenant.by_prefix(),
            Way::Tag => tenant.by_tag(),
            // Each entry has a row of its own and one of its tag.
            Way::Scan => return Ok(self.rows.scan_and_delete(&tenant.prefix()).await? / 2),
        };
        Ok(usize::try_from(self.cache.invalidate(&Invalidate::new(selector)).await?.matched)?)
    }

    fn summary(&self, way: Way) -> Summary {
        let samples = WAYS.iter().zip(&self.samples).find_map(|(other, samples)| (*other == way).then_some(samples));
        Summary::of(samples.expect("every way is measured").clone())
    }

    fn undo_costs(&self) -> Vec<Row> {
        let costs = |(way, undos): (Way, &Undos)| undos.costs(way.name(), self.size, self.summary(way));
        [Way::Prefix, Way::Tag].into_iter().zip(&self.undos).flat_map(costs).collect()
    }

    fn costs(&self) -> Vec<Row> {
        let row = |way: Way| {
            let what = format!("by {}, among {}", way.name(), in_words(self.size));
            Row::new(what, Unit::Milliseconds, self.summary(way)).beside(self.summary(Way::Scan))
        };
        [Way::Prefix, Way::Tag].map(row).into()
    }
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Prefix => "prefix",
            Way::Tag => "tag",
            Way::Scan => "Scan",
        }
    }
}
