//! Invalidation in L2, with L3 switched off: the library beside SCAN and UNLINK over the same keys with the same
//! client. Every number of entries has a database of its own in the same server, and they take turns.

use super::{
    GROUP,
    copies::Copies,
    growth::{growth, in_words},
    listing::Listings,
    memory, scan,
    tenant::Tenant,
};
use crate::{
    counters::Work,
    report::{Row, Section, Unit},
    stats::Summary,
};
use std::{error::Error, time::Instant};
use strata_cache::Invalidate;

/// Invalidations of each kind.
const ROUNDS: usize = 7;
/// Of them by SCAN with its default COUNT, which among a million takes some 16 s, give or take 3 %.
const DEFAULT_ROUNDS: usize = 1;
/// Among so many entries it is meant to be a hundred times faster than SCAN.
const AIMED_AT: usize = 1_000_000;

/// How to invalidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Prefix,
    Tag,
    /// The baseline: SCAN with this COUNT.
    Scan(usize),
}

/// The slowest last.
const WAYS: [Way; 4] = [Way::Prefix, Way::Tag, Way::Scan(scan::LARGE_COUNT), Way::Scan(scan::DEFAULT_COUNT)];

/// A database of so many entries, and what was measured in it.
struct Place {
    size: usize,
    copies: Copies,
    samples: [Samples; WAYS.len()],
    listings: Listings,
}

#[derive(Default)]
struct Samples {
    ms: Vec<f64>,
    work: Vec<Work>,
}

/// Measures with so many entries, in databases of the server at `url`.
///
/// # Errors
/// When Redis cannot be used, or an invalidation does not find what it means.
pub async fn measure(url: &str, sizes: &[usize]) -> Result<Vec<Section>, Box<dyn Error>> {
    let mut places = Vec::new();
    for (database, size) in sizes.iter().enumerate() {
        places.push(Place::fill(&format!("{url}/{database}"), *size).await?);
    }
    for round in 0..ROUNDS {
        for place in &mut places {
            place.take_turns(round).await?;
        }
    }
    let growing = [Way::Prefix, Way::Tag].into_iter().flat_map(|way| {
        let times: Vec<_> = places.iter().map(|place| (place.size, place.time(way))).collect();
        growth(way.name(), &times)
    });
    let mut sections = vec![
        Section {
            title: "Invalidating 1,000 entries in L2".into(),
            baseline: "SCAN MATCH COUNT 1000 of the same keys, and UNLINK of what it finds, with the same client"
                .into(),
            rows: places.iter().flat_map(Place::costs).collect(),
        },
        Section {
            title: "Invalidating 1,000 entries in L2, beside SCAN with its default COUNT".into(),
            baseline: "SCAN MATCH COUNT 10 of the same keys, and UNLINK of what it finds, with the same client".into(),
            rows: places.iter().map(Place::beside_defaults).collect(),
        },
        Section {
            title: "Invalidating 1,000 entries in L2, by how many there are".into(),
            baseline: "the same among the fewest".into(),
            rows: growing.collect(),
        },
        Listings::section("L2", &places.iter().map(|place| (place.size, &place.listings)).collect::<Vec<_>>()),
    ];
    sections.push(
        memory::measure(&mut places.iter_mut().map(|place| (place.size, &mut place.copies)).collect::<Vec<_>>())
            .await?,
    );
    Ok(sections)
}

impl Place {
    async fn fill(url: &str, size: usize) -> Result<Place, Box<dyn Error>> {
        let mut copies = Copies::open(url).await?;
        for tenant in Tenant::of(size) {
            copies.load(tenant).await?;
            copies.check(tenant).await?;
        }
        Ok(Place { size, copies, samples: Default::default(), listings: Listings::default() })
    }

    /// Invalidates one tenant in each way, and puts it back.
    async fn take_turns(&mut self, round: usize) -> Result<(), Box<dyn Error>> {
        let ways = if round < DEFAULT_ROUNDS { WAYS.len() } else { WAYS.len() - 1 };
        for (turn, way) in WAYS.into_iter().enumerate().take(ways) {
            let tenant = Tenant((round * WAYS.len() + turn) % (self.size / GROUP));
            let before = Work::so_far(&mut self.copies.bare).await?;
            let start = Instant::now();
            let removed = self.remove(way, tenant).await?;
            let elapsed = start.elapsed();
            let work = Work::so_far(&mut self.copies.bare).await?.since(before);
            if removed != GROUP {
                return Err(format!("{way:?} removed {removed} entries of {GROUP}").into());
            }
            self.samples[turn].add(elapsed.as_secs_f64() * 1e3, work);
            self.copies.load(tenant).await?;
        }
        self.listings.take_turn(&self.copies.cache, Tenant(round % (self.size / GROUP))).await
    }

    async fn remove(&mut self, way: Way, tenant: Tenant) -> Result<usize, Box<dyn Error>> {
        let selector = match way {
            Way::Prefix => tenant.by_prefix(),
            Way::Tag => tenant.by_tag(),
            Way::Scan(count) => return Ok(scan::remove(&mut self.copies.bare, &Copies::glob(tenant), count).await?),
        };
        Ok(usize::try_from(self.copies.cache.invalidate(&Invalidate::new(selector)).await?.matched)?)
    }

    fn time(&self, way: Way) -> Summary {
        Summary::of(self.samples(way).ms.clone())
    }

    fn samples(&self, way: Way) -> &Samples {
        let samples = WAYS.iter().zip(&self.samples).find_map(|(other, samples)| (*other == way).then_some(samples));
        samples.expect("every way is measured")
    }

    /// Time and work of both ways, beside the faster SCAN.
    fn costs(&self) -> Vec<Row> {
        let scan = self.samples(Way::Scan(scan::LARGE_COUNT)).figures();
        let rows = |way: Way| {
            let what = format!("by {}, among {}", way.name(), in_words(self.size));
            let both = self.samples(way).figures().into_iter().zip(scan);
            both.map(move |((name, unit, strata), (_, _, scan))| {
                let row = Row::new(format!("{what}{name}"), unit, strata).beside(scan);
                if name.is_empty() { self.aimed(row) } else { row }
            })
        };
        [Way::Prefix, Way::Tag].into_iter().flat_map(rows).collect()
    }

    fn beside_defaults(&self) -> Row {
        let what = format!("by prefix, among {}", in_words(self.size));
        let row = Row::new(what, Unit::Milliseconds, self.time(Way::Prefix));
        self.aimed(row.beside(self.time(Way::Scan(scan::DEFAULT_COUNT))))
    }

    fn aimed(&self, row: Row) -> Row {
        if self.size >= AIMED_AT { row.aim("≤ 1/100") } else { row }
    }
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Prefix => "prefix",
            Way::Tag => "tag",
            Way::Scan(_) => "SCAN",
        }
    }
}

impl Samples {
    fn add(&mut self, ms: f64, work: Work) {
        self.ms.push(ms);
        self.work.push(work);
    }

    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    /// Time and work, each as what stands after the way and the number of entries, its unit, and the samples.
    fn figures(&self) -> [(&'static str, Unit, Summary); 5] {
        let work = |of: fn(&Work) -> f64| Summary::of(self.work.iter().map(of).collect());
        [
            ("", Unit::Milliseconds, Summary::of(self.ms.clone())),
            (", processor time of Redis", Unit::Milliseconds, work(|work| work.cpu_ms)),
            (", round trips", Unit::Count, work(|work| work.reads as f64)),
            (", commands sent", Unit::Count, work(|work| work.sent as f64)),
            (", commands with those of scripts", Unit::Count, work(|work| work.executed as f64)),
        ]
    }
}
