//! Requests of every kind to the functions, and what each takes of function, DynamoDB, Redis and log.

use super::{Kind, Taken, prices};
use crate::{
    batches,
    capacity::Capacity,
    corpus,
    counters::Work,
    engines::{Engines, connect},
    event,
    process::{Function, Running},
    tap::{Tap, Traffic},
    whole::warm_up,
};
use redis::{AsyncCommands, aio::MultiplexedConnection};
use serde_json::{Value, json};
use std::{
    error::Error,
    thread,
    time::{Duration, Instant},
};
use strata_stack::Consumed;
use tokio::runtime::{self, Runtime};

/// The kinds that hit ratios are of.
pub const FROM_L1: &str = "GET from L1";
/// A GET that L1 has nothing for.
pub const FROM_L2: &str = "GET from L2";
/// A GET that neither L1 nor L2 has anything for, and both have something afterwards.
pub const FROM_L3: &str = "GET from L3";

/// The same of a hundred entries at once.
pub const BATCH_FROM_L1: &str = "batch of 100 GETs from L1";

/// Entries that are put, read, warmed and invalidated, of some 200 bytes.
const ENTRIES: usize = 1000;
/// Requests of the other kinds.
const REQUESTS: usize = 300;
/// Batches: what their operations may count in a minute.
const BATCHES: usize = 30;
/// More time for each level than a machine takes that is busy with something else.
const PATIENT: &str = r#"{"l2_config":{"timeout_ms":1000},"l3_config":{"timeout_ms":20000}}"#;
/// Longer than a line of log takes to be read.
const LOG_DELAY: Duration = Duration::from_millis(50);
/// Slices after which a job is given up.
const SLICES: usize = 100;

/// What has been taken so far.
#[derive(Clone, Copy)]
struct Reading {
    cpu: Duration,
    at: Instant,
    consumed: Consumed,
    traffic: Traffic,
    redis_cpu_ms: f64,
    logged: u64,
}

struct Bench {
    runtime: Runtime,
    redis: MultiplexedConnection,
    tap: Tap,
    capacity: Capacity,
    /// Processor time of Redis for one bare GET, in milliseconds: an ECPU.
    ecpu_ms: f64,
}

/// Measures all kinds.
///
/// # Errors
/// When a function or an engine fails, or an answer comes from another level.
pub fn measure(engines: &Engines) -> Result<Vec<Kind>, Box<dyn Error>> {
    let (functions, _) = engines.built(&["entries", "invalidate", "warm", "warmer"])?;
    let mut bench = Bench::new(engines)?;
    let functions = functions.iter().map(|function| bench.metered(function)).collect::<Vec<_>>();
    let [entries, invalidate, warm, warmer] = &functions[..] else { return Err("four functions were built".into()) };
    let writer = entries.start_logging()?;
    writer.api.invoke(&event::put(event::KEY), 1)?;
    let tagged = bench.writes("PUT of a new entry, two tags", &writer, ENTRIES, event::put)?;
    let mut kinds = Vec::from(bench.reads(entries)?);
    bench.empty_redis()?;
    let warmed = bench.warms(warm, warmer)?;
    kinds.push(bench.writes("PUT of a new entry, no tag", &writer, REQUESTS, |key| untagged("other", key))?);
    kinds.push(tagged);
    kinds.extend(bench.overwrites(&writer)?);
    let delete = |key: &str| event::delete(&format!("other-{key}"));
    kinds.push(bench.writes("DELETE", &writer, REQUESTS, delete)?);
    kinds.extend([bench.invalidates(invalidate)?, warmed]);
    Ok(kinds)
}

fn key(number: usize) -> String {
    format!("customer:{number:06}")
}

/// A PUT without tags of an entry beside those with tags.
fn untagged(group: &str, key: &str) -> String {
    event::put_untagged(&format!("{group}-{key}"), &corpus::record(1).to_string())
}

/// The text of an answer's body as JSON.
fn body(answer: &str) -> Result<Value, Box<dyn Error>> {
    let answer: Value = serde_json::from_str(answer)?;
    Ok(serde_json::from_str(answer["body"].as_str().ok_or("an answer without a body")?)?)
}

impl Bench {
    fn new(engines: &Engines) -> Result<Bench, Box<dyn Error>> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let redis = runtime.block_on(connect(engines.redis_url()))?;
        let tap = Tap::start(engines.redis_url().trim_start_matches("redis://"))?;
        let capacity = Capacity::start(engines.dynamodb_endpoint())?;
        let mut bench = Bench { runtime, redis, tap, capacity, ecpu_ms: 0.0 };
        bench.ecpu_ms = bench.bare_get()?;
        Ok(bench)
    }

    fn metered(&self, function: &Function) -> Function {
        let metered = function.with("REDIS_URL", self.tap.url());
        let metered = metered.with("AWS_ENDPOINT_URL_DYNAMODB", self.capacity.endpoint());
        metered.with("CACHE_CONFIG", PATIENT).with("RATE_LIMIT_WRITE", "1000000")
    }

    #[allow(clippy::cast_precision_loss, reason = "a small constant")]
    fn bare_get(&mut self) -> Result<f64, Box<dyn Error>> {
        let mut redis = self.redis.clone();
        let text = corpus::record(1).to_string();
        self.runtime.block_on(redis.set::<_, _, ()>(event::KEY, text))?;
        let before = self.redis_cpu_ms()?;
        for _ in 0..ENTRIES {
            self.runtime.block_on(redis.get::<_, String>(event::KEY))?;
        }
        Ok((self.redis_cpu_ms()? - before) / ENTRIES as f64)
    }

    fn redis_cpu_ms(&mut self) -> Result<f64, Box<dyn Error>> {
        Ok(self.runtime.block_on(Work::so_far(&mut self.redis))?.cpu_ms)
    }

    fn empty_redis(&mut self) -> Result<(), Box<dyn Error>> {
        Ok(self.runtime.block_on(redis::cmd("FLUSHALL").query_async(&mut self.redis))?)
    }

    fn read(&mut self, function: &Running) -> Result<Reading, Box<dyn Error>> {
        Ok(Reading {
            cpu: function.cpu()?,
            at: Instant::now(),
            consumed: self.capacity.so_far(),
            traffic: self.tap.traffic(),
            redis_cpu_ms: self.redis_cpu_ms()?,
            logged: function.logged(),
        })
    }

    /// Has a function answer all events, each of which must contain a text.
    fn observe(
        &mut self,
        name: &'static str,
        function: &Running,
        events: &[String],
        expected: &str,
    ) -> Result<Kind, Box<dyn Error>> {
        let before = self.read(function)?;
        for event in events {
            let (_, answer) = function.api.invoke(event, 1)?;
            if !answer.contains(expected) {
                return Err(format!("{name}: no {expected} in {answer}").into());
            }
        }
        Ok(Kind { name, taken: self.taken(before, function, events.len())? })
    }

    /// What one of so many requests took, which waits for one request to DynamoDB after the other.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn taken(&mut self, before: Reading, function: &Running, requests: usize) -> Result<Taken, Box<dyn Error>> {
        // The log of the last request may still be on its way.
        thread::sleep(LOG_DELAY);
        let after = self.read(function)?;
        let requests = requests as f64;
        let of_one = |count: f64| count / requests;
        let Consumed { requests: asked, read, written } = after.consumed - before.consumed;
        let traffic = after.traffic - before.traffic;
        let round_trips = of_one(traffic.round_trips as f64);
        let work = of_one(after.redis_cpu_ms - before.redis_cpu_ms) / self.ecpu_ms;
        Ok(Taken {
            cpu_ms: of_one((after.cpu - before.cpu).as_secs_f64() * 1e3),
            waits_ms: of_one(asked) * prices::DYNAMODB_MS + round_trips * prices::REDIS_MS,
            dynamo: Consumed { requests: of_one(asked), read: of_one(read), written: of_one(written) },
            round_trips,
            // At least one for each command, more for those that take longer than a GET.
            ecpu: work.max(of_one(traffic.commands as f64)),
            log_bytes: of_one((after.logged - before.logged) as f64),
        })
    }

    fn writes(
        &mut self,
        name: &'static str,
        writer: &Running,
        requests: usize,
        event: impl Fn(&str) -> String,
    ) -> Result<Kind, Box<dyn Error>> {
        let events: Vec<String> = (0..requests).map(|number| event(&key(number))).collect();
        self.observe(name, writer, &events, "L3_DATABASE")
    }

    /// PUTs over entries that have two tags, which they keep or lose.
    fn overwrites(&mut self, writer: &Running) -> Result<[Kind; 2], Box<dyn Error>> {
        let tagged = |key: &str| event::put(&format!("tagged-{key}"));
        self.writes("PUT of what is put again", writer, REQUESTS, tagged)?;
        let kept = self.writes("PUT over an entry with two tags, with both", writer, REQUESTS, tagged)?;
        let lost = |key: &str| untagged("tagged", key);
        let lost = self.writes("PUT over an entry with two tags, without", writer, REQUESTS, lost)?;
        Ok([kept, lost])
    }

    /// GETs of each level: of one entry that is in L1, of each entry once, and of others when Redis has been emptied.
    fn reads(&mut self, entries: &Function) -> Result<[Kind; 4], Box<dyn Error>> {
        let gets: Vec<String> = (0..REQUESTS).map(|number| event::get(&key(number))).collect();
        let get = event::get(event::KEY);
        let container = entries.start_logging()?;
        warm_up(&container, &get)?;
        let from_l1 = self.observe(FROM_L1, &container, &vec![get.clone(); REQUESTS], "L1_MEMORY")?;
        let from_l2 = self.observe(FROM_L2, &container, &gets, "L2_REDIS")?;
        let keys: Vec<String> = (0..batches::OPERATIONS).map(key).collect();
        let batch = batches::gets(&keys);
        container.api.invoke(&batch, 1)?;
        let batches = self.observe(BATCH_FROM_L1, &container, &vec![batch; BATCHES], "L1_MEMORY; hit")?;
        self.empty_redis()?;
        let container = entries.start_logging()?;
        // Takes note that Redis has begun anew.
        container.api.invoke(&get, 1)?;
        let from_l3 = self.observe(FROM_L3, &container, &gets, "L3_DATABASE")?;
        Ok([from_l1, batches, from_l2, from_l3])
    }

    /// A job for all entries.
    fn warms(&mut self, warm: &Function, warmer: &Function) -> Result<Kind, Box<dyn Error>> {
        let (warm, warmer) = (warm.start()?, warmer.start_logging()?);
        let request = event::post("/cache/warm", &json!({ "patterns": ["customer:*"], "strategy": "LAZY" }));
        let accepted = body(&warm.api.invoke(&request, 1)?.1)?;
        let id = accepted["warming_job_id"].as_str().ok_or_else(|| format!("no job: {accepted}"))?;
        let before = self.read(&warmer)?;
        for _ in 0..SLICES {
            warmer.api.invoke(&event::of_job(id), 1)?;
            if body(&warm.api.invoke(&event::get_job(id), 1)?.1)?["state"] == "done" {
                let took = before.at.elapsed();
                let taken = self.taken(before, &warmer, 1)?.waiting_as_here(took);
                return Ok(Kind { name: "warm job of 1,000 entries, in the warmer", taken });
            }
        }
        Err("the job does not end".into())
    }

    /// An invalidation of all entries.
    fn invalidates(&mut self, invalidate: &Function) -> Result<Kind, Box<dyn Error>> {
        let invalidate = invalidate.start_logging()?;
        let before = self.read(&invalidate)?;
        let request = event::post("/cache/invalidate", &json!({ "pattern": "customer:*" }));
        let done = body(&invalidate.api.invoke(&request, 1)?.1)?;
        let took = before.at.elapsed();
        let taken = self.taken(before, &invalidate, 1)?.waiting_as_here(took);
        if done["invalidated_count"].as_u64() < Some(ENTRIES as u64) {
            return Err(format!("not all were invalidated: {done}").into());
        }
        Ok(Kind { name: "invalidate, of 1,000 entries by prefix", taken })
    }
}

impl Taken {
    /// With the time that it took here in the place of what requests one after the other would take: where many are
    /// under way at once, their number does not tell how long it is.
    fn waiting_as_here(self, took: Duration) -> Taken {
        Taken { waits_ms: (took.as_secs_f64() * 1e3 - self.cpu_ms).max(0.0), ..self }
    }
}
