//! What the fleet has counted, and what Redis holds.

mod strain;

pub(crate) use strain::{Evictions, refusal};

use super::{Down, Keyspace, link::read, scripts};
use crate::{
    memory::Usage,
    shard::SHARDS,
    stats::{Amount, Census, Counts, Report},
    version::Position,
};
use redis::{Cmd, Value, cmd};
use std::collections::HashMap;

/// A container that has not reported for so long is taken for gone, in ms: Lambda ends most idle ones earlier.
pub(crate) const MEMORY_MS: i64 = 900_000;
/// Recent counts are kept in windows of a minute, in ms.
const WINDOW_MS: u64 = 60_000;
/// Recent counts are those of the window that runs and of so many before it: an hour, and up to a minute more.
const WINDOWS: u64 = 60;
/// Copies that are looked for in one shard: a thousand in all make the estimate as good as it is said to be. A shard of no
/// more keys is counted.
const WANTED: u64 = 64;
/// Most keys of one shard that are drawn for them, where many have expired and were not swept yet: some milliseconds of
/// Redis in all, in sixteen parts.
const MOST_DRAWN: u64 = 512;

/// Makes the commands of the fleet's statistics.
#[derive(Debug)]
pub(crate) struct Fleet(Keyspace);

/// What the fleet has told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FleetTotals {
    /// Since counting began.
    pub counts: Counts,
    /// Of the last hour.
    pub recent: Counts,
    /// Of each of the minutes that were asked for, the oldest first, by when it began in ms.
    pub minutes: Vec<(i64, Counts)>,
    /// The greatest age of a copy that an audit found, in ms.
    pub oldest_ms: u64,
    /// When counting began, in ms of Redis time.
    pub since_ms: Option<i64>,
    /// Containers that have reported lately.
    pub containers: u64,
    /// What their L1s hold together.
    pub usage: Usage,
    /// Values in L3 and their bytes, where they have been counted.
    pub rows: Option<Amount>,
    /// Records in the journal.
    pub records: u64,
    /// The newest of them.
    pub newest: Option<Position>,
    /// What Redis had evicted when that was asked last for the fleet, and the time before.
    pub evicted: Option<Evictions>,
    pub evicted_before: Option<Evictions>,
}

/// What Redis says it takes, in bytes; a cluster's nodes together. `None` where it does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heap(pub Option<u64>);

impl Fleet {
    pub(crate) fn new(keys: Keyspace) -> Fleet {
        Fleet(keys)
    }

    /// The command that hands in a report, and the greatest age of a copy that an audit found, in ms.
    pub(crate) fn report(&self, report: &Report, oldest_ms: u64) -> Cmd {
        let mut call = scripts::REPORT.call(&[self.0.stats(), self.0.gauges()]);
        call.arg(&report.container)
            .arg(report.number)
            .arg(MEMORY_MS)
            .arg(sizes(&report.held.usage))
            .arg(forecast(&report.held.forecast))
            .arg(report.rows.entries)
            .arg(report.rows.bytes)
            .arg(report.rows.oldest_ms)
            .arg(WINDOW_MS)
            .arg(WINDOWS)
            .arg(oldest_ms);
        for (count, value) in report.counts.iter() {
            call.arg(count.name()).arg(value);
        }
        call
    }

    /// The command that reads what all have reported, and what of it in each of the last so many minutes.
    pub(crate) fn totals(&self, minutes: u64) -> Cmd {
        let mut call = scripts::TOTALS.call(&[self.0.stats(), self.0.gauges(), self.0.journal()]);
        call.arg(WINDOW_MS).arg(WINDOWS).arg(minutes.min(WINDOWS));
        call
    }

    /// The command that says what a census counted, of L3 if `of_l3`, when a level had been switched at `switched` last.
    pub(crate) fn counted(&self, switched: &str, census: &Census, of_l3: bool) -> Cmd {
        let mut call = scripts::COUNTED.call(&[self.0.stats(), self.0.meta(), self.0.census()]);
        call.arg(switched).arg(census.began_ms).arg(census.to_json());
        if of_l3 {
            call.arg(census.counted.total.entries).arg(census.counted.total.bytes);
        }
        call
    }

    /// The command that asks whether there is a census.
    pub(crate) fn is_counted(&self) -> Cmd {
        let mut exists = cmd("EXISTS");
        exists.arg(self.0.census());
        exists
    }

    /// The command that reads the last census.
    pub(crate) fn census(&self) -> Cmd {
        let mut get = cmd("GET");
        get.arg(self.0.census());
        get
    }

    /// The commands that draw copies, one for each shard.
    pub(crate) fn draw(&self) -> impl Iterator<Item = Cmd> {
        (0..SHARDS).map(|shard| {
            let mut call = scripts::CENSUS.call(&[self.0.index(shard)]);
            call.arg(WANTED).arg(MOST_DRAWN).arg(self.0.copies(shard));
            call
        })
    }

    /// The command that asks what Redis takes.
    pub(crate) fn heap(&self) -> Cmd {
        let mut info = cmd("INFO");
        info.arg("memory");
        info
    }
}

/// A usage as scripts read it.
fn sizes(usage: &Usage) -> String {
    format!("{} {} {}", usage.entries, usage.text_bytes, usage.bytes)
}

/// A forecast as scripts read it: a space stands before each of its steps.
fn forecast(steps: &[(i64, Usage)]) -> String {
    steps.iter().fold(String::new(), |text, (ms, usage)| text + &format!(" {ms} {}", sizes(usage)))
}

/// Reads the reply to [`Fleet::report`]: when the last census of L3 began, in ms.
pub(crate) fn reported(reply: Value) -> Option<i64> {
    read::<String>(reply, "a report").ok()?.parse().ok()
}

/// Reads the reply to [`Fleet::is_counted`].
pub(crate) fn is_counted(reply: Value) -> Result<bool, Down> {
    read(reply, "whether there is a census")
}

/// Reads the reply to [`Fleet::census`]; what cannot be read is as good as none.
pub(crate) fn census(reply: Value) -> Result<Option<Census>, Down> {
    let text = read::<Option<String>>(reply, "a census")?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Reads the reply to [`Fleet::counted`]: whether it was taken; not when a level was switched since.
pub(crate) fn counted(reply: Value) -> Result<bool, Down> {
    read::<i64>(reply, "a count of rows").map(|taken| taken == 1)
}

type RawCounts = HashMap<String, String>;
type RawStanding = (RawCounts, HashMap<String, u64>, u64, u64, u64, u64, u64, String, RawMinutes);
type RawMinutes = Vec<(i64, HashMap<String, u64>)>;

impl FleetTotals {
    /// Reads the reply to [`Fleet::totals`].
    pub(crate) fn parse(reply: Value) -> Result<FleetTotals, Down> {
        let raw = read::<RawStanding>(reply, "the fleet's statistics")?;
        let (counts, recent, containers, entries, text_bytes, bytes, records, newest, minutes) = raw;
        let number = |name: &str| counts.get(name)?.parse::<i64>().ok();
        // What was told late may make a sum negative for a while.
        let sum = |name: &str| u64::try_from(number(name).unwrap_or_default()).unwrap_or_default();
        Ok(FleetTotals {
            counts: Counts::from_names(counts.iter().map(|(name, value)| (&**name, value.parse().unwrap_or_default()))),
            recent: counts_of(&recent),
            minutes: minutes.into_iter().map(|(at_ms, counts)| (at_ms, counts_of(&counts))).collect(),
            oldest_ms: sum("oldest"),
            since_ms: number("since"),
            containers,
            usage: Usage { entries, text_bytes, bytes },
            rows: number("census").map(|_| Amount { entries: sum("rows"), bytes: sum("row_bytes") }),
            records,
            newest: Position::parse(&newest),
            evicted: counts.get("evicted").and_then(|text| Evictions::parse(text)),
            evicted_before: counts.get("evicted_before").and_then(|text| Evictions::parse(text)),
        })
    }
}

fn counts_of(named: &HashMap<String, u64>) -> Counts {
    Counts::from_names(named.iter().map(|(name, value)| (&**name, *value)))
}

/// Reads the replies to [`Fleet::draw`]: the copies in L2.
pub(crate) fn drawn(replies: impl IntoIterator<Item = Value>) -> Result<Amount, Down> {
    replies.into_iter().try_fold(Amount::default(), |sum, reply| {
        let (indexed, drawn, copies, bytes) = read::<(u64, u64, u64, u64)>(reply, "a census")?;
        Ok(sum + scaled(Amount { entries: copies, bytes }, drawn, indexed))
    })
}

/// What a shard of `indexed` keys holds, by what was found of `drawn` keys. With no more keys than were drawn this is
/// exact.
fn scaled(found: Amount, drawn: u64, indexed: u64) -> Amount {
    let scale = |part: u64| {
        let whole = (u128::from(part) * u128::from(indexed)).checked_div(u128::from(drawn)).unwrap_or_default();
        u64::try_from(whole).unwrap_or(u64::MAX)
    };
    Amount { entries: scale(found.entries), bytes: scale(found.bytes) }
}

impl Heap {
    /// Reads the reply to [`Fleet::heap`].
    pub(crate) fn parse(reply: Value) -> Heap {
        Heap(match reply {
            Value::Map(nodes) => nodes.into_iter().map(|(_, node)| used(node)).sum(),
            node => used(node),
        })
    }
}

fn used(info: Value) -> Option<u64> {
    let info = read::<String>(info, "INFO").ok()?;
    info.lines().find_map(|line| line.strip_prefix("used_memory:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_scaled_to_its_shard() {
        let amount = |entries, bytes| Amount { entries, bytes };
        assert_eq!(scaled(amount(9, 900), 10, 10), amount(9, 900), "all were drawn: exact, expired ones left out");
        assert_eq!(scaled(amount(32, 3200), 64, 1000), amount(500, 50_000));
        assert_eq!(scaled(amount(0, 0), 0, 0), amount(0, 0));
    }

    #[test]
    fn the_nodes_of_a_cluster_are_added_up() {
        let node = |bytes: &str| Value::BulkString(format!("# Memory\r\nused_memory:{bytes}\r\nx:1\r\n").into_bytes());
        assert_eq!(Heap::parse(node("5")), Heap(Some(5)));
        let nodes = vec![(Value::Int(1), node("5")), (Value::Int(2), node("7"))];
        assert_eq!(Heap::parse(Value::Map(nodes)), Heap(Some(12)));
        assert_eq!(Heap::parse(Value::Nil), Heap(None));
    }
}
