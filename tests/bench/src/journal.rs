//! What a journal that others fill costs a container: its first sync, the hits of a hot set, and what it keeps while nobody
//! asks it.
//!
//! The records are appended by the script by which mutations append theirs, as fast as no engine behind the real
//! mutations could.

use crate::{
    engines::{Engines, connect},
    event,
    process::{Function, Running},
    report::{Row, Section, Unit},
    stats::{Summary, micros},
    tap::Tap,
};
use redis::{RedisResult, aio::MultiplexedConnection};
use std::{
    error::Error,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::{self, Runtime};

/// The keys of the script, in its order.
const KEYS: [&str; 4] = ["bench:{j}journal", "bench:{j}open", "bench:{j}meta", "bench:{j}index"];
/// How many records the journal holds when a container begins; the first is the baseline. It holds no more than the last.
const HELD: [usize; 4] = [0, 5_000, 50_000, 200_000];
/// Containers that begin, for each of them.
const STARTS: usize = 9;
/// Records appended in a second while a hot set is read; the first is the baseline.
const RATES: [usize; 4] = [0, 100, 1_000, 10_000];
/// Keys of the hot set.
const HOT: usize = 100;
/// How long it is read.
const READ_FOR: Duration = Duration::from_secs(3);
/// How long nobody asks a container: at the highest rate, for longer than the journal and its index reach back.
const IDLE: Duration = Duration::from_secs(60);
/// Records are appended so often.
const TICK: Duration = Duration::from_millis(50);
/// Records of one round trip.
const BATCH: usize = 500;

/// Appends records of keys that nobody reads.
struct Writer {
    runtime: Runtime,
    redis: MultiplexedConnection,
    script: String,
    appended: usize,
}

/// What one first request cost.
struct First {
    bytes: f64,
    redis_us: f64,
    cpu_us: f64,
}

/// Measures all three.
///
/// # Errors
/// When a function fails or Redis does not keep up with the records.
pub fn measure(engines: &Engines) -> Result<Vec<Section>, Box<dyn Error>> {
    let entries = engines.functions()?.entries.with("RATE_LIMITS", "off");
    let tap = Tap::start(engines.redis_url().trim_start_matches("redis://"))?;
    let tapped = entries.with("REDIS_URL", tap.url());
    entries.start()?.api.invoke(&event::put(event::KEY), 1)?;
    let mut writer = Writer::new(engines.redis_url())?;
    let first = first_syncs(&tapped, &tap, &mut writer)?;
    let hits = hits(&tapped, &tap, engines.redis_url())?;
    Ok(vec![first, hits, idle(&entries, engines.redis_url())?])
}

/// Begins containers beside ever fuller journals.
fn first_syncs(entries: &Function, tap: &Tap, writer: &mut Writer) -> Result<Section, Box<dyn Error>> {
    let mut measured = Vec::new();
    for held in HELD {
        writer.append(held - writer.appended)?;
        let firsts = (0..STARTS).map(|_| first(entries, tap, writer)).collect::<Result<Vec<First>, _>>()?;
        measured.push((held, firsts));
    }
    let (_, baseline) = &measured[0];
    let rows = [
        ("bytes from Redis", "≤ +16384 B", Unit::Bytes, (|first: &First| first.bytes) as fn(&First) -> f64),
        ("time of Redis' scripts", "≤ +300 µs", Unit::Microseconds, |first| first.redis_us),
        ("processor time of the container", "≤ +1000 µs", Unit::Microseconds, |first| first.cpu_us),
    ];
    let rows = rows.into_iter().flat_map(|(what, aim, unit, of)| {
        let sum = move |firsts: &[First]| Summary::of(firsts.iter().map(of).collect());
        measured[1..].iter().map(move |(held, firsts)| {
            Row::on(what, "records in the journal", *held, unit, sum(firsts)).beside(sum(baseline)).aim(aim)
        })
    });
    Ok(Section {
        title: "First request of a container, a GET from L2".into(),
        baseline: "the same with one record in the journal".into(),
        rows: rows.collect(),
    })
}

fn first(entries: &Function, tap: &Tap, writer: &mut Writer) -> Result<First, Box<dyn Error>> {
    let container = entries.start()?;
    let (traffic, redis_us, cpu) = (tap.traffic(), writer.script_us()?, container.cpu()?);
    let (_, answer) = container.api.invoke(&event::get(event::KEY), 1)?;
    let cpu_us = micros(container.cpu()? - cpu);
    if !answer.contains("L2_REDIS; hit") {
        return Err(format!("not answered by L2: {answer}").into());
    }
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let bytes = (tap.traffic() - traffic).received as f64;
    Ok(First { bytes, redis_us: writer.script_us()? - redis_us, cpu_us })
}

/// Reads a hot set while others write ever more.
fn hits(entries: &Function, tap: &Tap, redis_url: &str) -> Result<Section, Box<dyn Error>> {
    let container = holding(entries)?;
    let mut measured = Vec::new();
    for rate in RATES {
        measured.push(beside(redis_url, rate, || hit_ratio(&container, tap))?);
    }
    let rows = RATES.iter().zip(&measured).skip(1).map(|(rate, ratio)| {
        let row = Row::on("Reads without a round trip", "records a second", *rate, Unit::Count, *ratio);
        row.beside(measured[0]).aim("≥ 0.98")
    });
    Ok(Section {
        title: "Share of the reads of 100 hot keys that L1 answers alone".into(),
        baseline: "the same in a fleet that writes nothing".into(),
        rows: rows.collect(),
    })
}

/// Which part of the reads made no round trip, and was answered by L1.
#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn hit_ratio(container: &Running, tap: &Tap) -> Result<Summary, Box<dyn Error>> {
    let gets: Vec<String> = (0..HOT).map(|number| event::get(&hot(number))).collect();
    let (until, mut reads, mut hits) = (Instant::now() + READ_FOR, 0_u64, 0_u64);
    for get in gets.iter().cycle() {
        let before = tap.traffic().round_trips;
        let (_, answer) = container.api.invoke(get, 1)?;
        reads += 1;
        hits += u64::from(answer.contains("L1_MEMORY; hit") && tap.traffic().round_trips == before);
        if Instant::now() > until {
            break;
        }
    }
    Ok(Summary::single(hits as f64 / reads as f64))
}

/// Leaves a container alone while others write.
#[allow(clippy::cast_precision_loss, reason = "there are few")]
fn idle(entries: &Function, redis_url: &str) -> Result<Section, Box<dyn Error>> {
    let kept = |rate| {
        let container = holding(entries)?;
        beside(redis_url, rate, || {
            thread::sleep(IDLE);
            Ok(())
        })?;
        let mut kept = 0;
        for number in 0..HOT {
            let (_, answer) = container.api.invoke(&event::get(&hot(number)), 1)?;
            // One in doubt is confirmed by L3, and L2 is not asked for it.
            kept += usize::from(!answer.contains("L2_REDIS"));
        }
        Ok::<_, Box<dyn Error>>(Summary::single(kept as f64))
    };
    let most = RATES[RATES.len() - 1];
    let row = Row::new(format!("of 100, at {most} records a second"), Unit::Count, kept(most)?);
    Ok(Section {
        title: format!("Entries that L1 has still after {} s in which nobody asked", IDLE.as_secs()),
        baseline: "the same in a fleet that writes nothing".into(),
        rows: vec![row.beside(kept(0)?).aim("= 1×")],
    })
}

/// A container that holds the hot set in L1.
fn holding(entries: &Function) -> Result<Running, Box<dyn Error>> {
    let container = entries.start()?;
    for number in 0..HOT {
        container.api.invoke(&event::put(&hot(number)), 1)?;
        container.api.invoke(&event::get(&hot(number)), 2)?;
    }
    Ok(container)
}

fn hot(number: usize) -> String {
    format!("hot:{number}")
}

/// Does something while so many records a second are appended.
fn beside<T>(
    redis_url: &str,
    rate: usize,
    act: impl FnOnce() -> Result<T, Box<dyn Error>>,
) -> Result<T, Box<dyn Error>> {
    let (is_over, begun) = (Arc::new(AtomicBool::new(false)), Instant::now());
    let (ends, url) = (Arc::clone(&is_over), redis_url.to_owned());
    let writing = thread::spawn(move || {
        let mut writer = Writer::new(&url).map_err(|error| error.to_string())?;
        while !ends.load(Relaxed) {
            let due = due(rate, begun.elapsed());
            writer.append(due - writer.appended).map_err(|error| error.to_string())?;
            thread::sleep(TICK);
        }
        Ok::<_, String>(writer.appended)
    });
    let done = act();
    let due = due(rate, begun.elapsed());
    is_over.store(true, Relaxed);
    let appended = writing.join().expect("the writer does not panic")?;
    if appended * 10 < due * 9 {
        return Err(format!("{appended} records appended where {due} were due").into());
    }
    done
}

/// How many records are due after so long.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "it is small")]
fn due(rate: usize, elapsed: Duration) -> usize {
    (elapsed.as_secs_f64() * rate as f64) as usize
}

impl Writer {
    fn new(redis_url: &str) -> Result<Writer, Box<dyn Error>> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cache/src/redis/lua");
        let parts = ["prelude.lua", "index.lua", "append.lua"].map(|name| fs::read_to_string(folder.join(name)));
        let code = parts.into_iter().collect::<Result<String, _>>()?;
        let (redis, script) = runtime.block_on(async {
            let mut redis = connect(redis_url).await?;
            let script = redis::cmd("SCRIPT").arg("LOAD").arg(code).query_async(&mut redis).await?;
            RedisResult::Ok((redis, script))
        })?;
        Ok(Writer { runtime, redis, script, appended: 0 })
    }

    fn append(&mut self, records: usize) -> RedisResult<()> {
        let (runtime, redis) = (&self.runtime, &mut self.redis);
        let until = self.appended + records;
        while self.appended < until {
            let some = self.appended..until.min(self.appended + BATCH);
            self.appended = some.end;
            let mut batch = redis::pipe();
            for number in some {
                let (key, version) = (format!("flood:{number}"), format!("{number:020}"));
                batch.cmd("EVALSHA").arg(&self.script).arg(KEYS.len()).arg(&KEYS);
                // As the cache calls it: time, how long the journal keeps records, and how many; nothing is opened.
                batch.arg(now_us()).arg(600_000_000).arg(600_000).arg(200_000).arg("").arg(0).arg("");
                batch.arg(format!("{number:08}")).arg(&version).arg("");
                batch.arg(&["kind", "put", "key", &key, "version", &version, "by", "nobody"]).ignore();
            }
            runtime.block_on(batch.query_async::<()>(redis))?;
        }
        Ok(())
    }

    /// How long Redis has been at scripts so far, in microseconds.
    fn script_us(&mut self) -> RedisResult<f64> {
        let mut info = redis::cmd("INFO");
        let said: String = self.runtime.block_on(info.arg("commandstats").query_async(&mut self.redis))?;
        let of =
            |line: &str| line.strip_prefix("cmdstat_evalsha:")?.split(',').nth(1)?.strip_prefix("usec=")?.parse().ok();
        Ok(said.lines().find_map(of).unwrap_or(0.0))
    }
}

fn now_us() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_micros()
}
