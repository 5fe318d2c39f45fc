//! Invalidation in L2, with L3 switched off: the library beside SCAN and UNLINK over the same keys with the same
//! client. Every number of entries has a database of its own in the same server, and they take turns.

use super::{GROUP, copies::Copies, growth, in_words, request, scan, tenant::Tenant};
use crate::{
    counters::Work,
    report::{Row, Section, Unit},
    stats::Summary,
};
use redis::{cmd, pipe};
use std::{error::Error, time::Instant};

/// Invalidations of each kind.
const ROUNDS: usize = 7;
/// Among so many entries it is meant to be a hundred times faster than SCAN.
const AIMED_AT: usize = 1_000_000;
/// Keys that one DEL removes after the measurement.
const DELETED_AT_ONCE: usize = 1000;

/// How to invalidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Prefix,
    Tag,
    /// The baseline: SCAN with this COUNT.
    Scan(usize),
}

const WAYS: [Way; 4] = [Way::Prefix, Way::Tag, Way::Scan(scan::LARGE_COUNT), Way::Scan(scan::DEFAULT_COUNT)];

/// A database of so many entries, and what was measured in it.
struct Place {
    size: usize,
    copies: Copies,
    samples: [Samples; WAYS.len()],
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
    let (costs, defaults) =
        places.iter().map(|place| (place.costs(), place.beside_defaults())).unzip::<_, _, Vec<_>, Vec<_>>();
    let growing = WAYS.into_iter().take(2).flat_map(|way| {
        let times: Vec<_> = places.iter().map(|place| (place.size, place.time(way))).collect();
        growth(way.name(), &times)
    });
    let mut sections = vec![
        section(
            "Invalidating 1,000 entries in L2",
            "SCAN MATCH COUNT 1000 of the same keys and UNLINK of what matches, same client",
            costs.concat(),
        ),
        section(
            "The same beside SCAN as it is without COUNT",
            "SCAN MATCH COUNT 10, its default, and UNLINK, same client",
            defaults,
        ),
        section("The same by how many entries there are", "Strata itself with the fewest entries", growing.collect()),
    ];
    let mut memory = Vec::new();
    for place in &mut places {
        memory.extend(place.memory().await?);
    }
    sections.push(section(
        "Memory of Redis for each entry of 200 bytes with one tag",
        "the copies alone, without the indexes",
        memory,
    ));
    Ok(sections)
}

fn section(title: &str, baseline: &str, rows: Vec<Row>) -> Section {
    Section { title: title.to_owned(), baseline: baseline.to_owned(), rows }
}

impl Place {
    async fn fill(url: &str, size: usize) -> Result<Place, Box<dyn Error>> {
        let mut copies = Copies::open(url).await?;
        for tenant in Tenant::of(size) {
            copies.load(tenant).await?;
            copies.check(tenant).await?;
        }
        Ok(Place { size, copies, samples: Default::default() })
    }

    /// Invalidates one tenant in each way, and puts it back.
    async fn take_turns(&mut self, round: usize) -> Result<(), Box<dyn Error>> {
        for (turn, way) in WAYS.into_iter().enumerate() {
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
        Ok(())
    }

    async fn remove(&mut self, way: Way, tenant: Tenant) -> Result<usize, Box<dyn Error>> {
        let selector = match way {
            Way::Prefix => tenant.by_prefix(),
            Way::Tag => tenant.by_tag(),
            Way::Scan(count) => return Ok(scan::remove(&mut self.copies.bare, &Copies::glob(tenant), count).await?),
        };
        Ok(usize::try_from(self.copies.cache.invalidate(&request(selector)).await?.matched)?)
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
        let scan = self.samples(Way::Scan(scan::LARGE_COUNT)).summaries();
        let rows = |way: Way| {
            let what = format!("by {}, among {}", way.name(), in_words(self.size));
            let row =
                move |((name, unit, strata), (_, _, scan))| Row::new(what.clone() + name, unit, strata).beside(scan);
            self.samples(way).summaries().into_iter().zip(scan).map(row)
        };
        let aimed = |row: Row| match row.unit {
            Unit::Milliseconds if self.size >= AIMED_AT => row.aim("≤ 1/100"),
            _ => row,
        };
        [Way::Prefix, Way::Tag].into_iter().flat_map(rows).map(aimed).collect()
    }

    fn beside_defaults(&self) -> Row {
        let what = format!("by prefix, among {}", in_words(self.size));
        let row = Row::new(what, Unit::Milliseconds, self.time(Way::Prefix));
        row.beside(self.time(Way::Scan(scan::DEFAULT_COUNT)))
    }

    /// What the entries take, and their indexes of it. Removes them all.
    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    async fn memory(&mut self) -> Result<[Row; 3], Box<dyn Error>> {
        let tags: Vec<String> = Tenant::of(self.size).flat_map(Copies::tag_indexes).collect();
        let [keys, tagged] = [self.usage(&Copies::indexes()).await?, self.usage(&tags).await?];
        let full = self.copies.used_memory().await?;
        for names in [Copies::indexes(), tags].concat().chunks(DELETED_AT_ONCE) {
            cmd("DEL").arg(names).query_async::<()>(&mut self.copies.bare).await?;
        }
        let copies = self.copies.used_memory().await?;
        cmd("FLUSHDB").arg("SYNC").query_async::<()>(&mut self.copies.bare).await?;
        let nothing = self.copies.used_memory().await?;
        let each = |bytes: u64| Summary::single(bytes as f64 / self.size as f64);
        let row = |what: &str, bytes| Row::new(format!("{what}, of {}", in_words(self.size)), Unit::Bytes, each(bytes));
        Ok([
            row("copy and indexes (used_memory)", full.saturating_sub(nothing))
                .beside(each(copies.saturating_sub(nothing))),
            row("index by key (MEMORY USAGE)", keys),
            row("index by tag (MEMORY USAGE)", tagged),
        ])
    }

    /// Bytes of keys by MEMORY USAGE, every member looked at.
    async fn usage(&mut self, names: &[String]) -> Result<u64, Box<dyn Error>> {
        let mut usage = pipe();
        for name in names {
            usage.cmd("MEMORY").arg("USAGE").arg(name).arg("SAMPLES").arg(0);
        }
        let bytes: Vec<Option<u64>> = usage.query_async(&mut self.copies.bare).await?;
        Ok(bytes.into_iter().flatten().sum())
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
    fn summaries(&self) -> [(&'static str, Unit, Summary); 5] {
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
