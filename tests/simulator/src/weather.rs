//! What fails, and what that means for messages.

use crate::{network::Fate, world::State};
use std::{collections::BTreeSet, time::Duration};

/// After everything is well again a container is, too, within so long: it leaves a level alone for a second, and asks it
/// when it is needed.
pub(crate) const RECOVERY: Duration = Duration::from_secs(5);

/// What may fail for a while, or happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    RedisCut,
    RedisSlow,
    RedisLossy,
    RedisBreaks,
    RedisStalls,
    RedisFull,
    RedisReadOnly,
    RedisNoReplicas,
    RedisLoading,
    RedisDenies,
    RedisRestartsEmpty,
    RedisLosesTail,
    JournalTrimmed,
    L2SwitchedOff,
    L3SwitchedOff,
    L3Cut,
    L3Slow,
    L3Lossy,
    L3Throttles,
    L3Fails,
    L3Conflicts,
    Freeze,
    Rest,
    Kill,
    ClockSteps,
}

impl Fault {
    pub(crate) const ALL: [Fault; 25] = [
        Fault::RedisCut,
        Fault::RedisSlow,
        Fault::RedisLossy,
        Fault::RedisBreaks,
        Fault::RedisStalls,
        Fault::RedisFull,
        Fault::RedisReadOnly,
        Fault::RedisNoReplicas,
        Fault::RedisLoading,
        Fault::RedisDenies,
        Fault::RedisRestartsEmpty,
        Fault::RedisLosesTail,
        Fault::JournalTrimmed,
        Fault::L2SwitchedOff,
        Fault::L3SwitchedOff,
        Fault::L3Cut,
        Fault::L3Slow,
        Fault::L3Lossy,
        Fault::L3Throttles,
        Fault::L3Fails,
        Fault::L3Conflicts,
        Fault::Freeze,
        Fault::Rest,
        Fault::Kill,
        Fault::ClockSteps,
    ];

    /// Whether L3 answers as ever meanwhile, and so does every process.
    pub(crate) fn leaves_l3_well(self) -> bool {
        use Fault::{ClockSteps, Freeze, Kill};
        use Fault::{L3Conflicts, L3Cut, L3Fails, L3Lossy, L3Slow, L3SwitchedOff, L3Throttles};
        let is_of_l3 = matches!(self, L3Cut | L3Slow | L3Lossy | L3Throttles | L3Fails | L3Conflicts | L3SwitchedOff);
        !is_of_l3 && !matches!(self, Freeze | Kill | ClockSteps)
    }

    /// Whether Redis loses what it was told by it: without L3 that is lost for good.
    pub(crate) fn loses_redis(self) -> bool {
        matches!(self, Fault::RedisRestartsEmpty | Fault::RedisLosesTail)
    }
}

/// What is wrong at present. Parts are of a thousand messages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weather {
    delay_ms: u64,
    pub(crate) redis: Way,
    pub(crate) l3: Way,
    /// Parts of requests that L3 refuses.
    pub(crate) throttled: u32,
    pub(crate) failing: u32,
    pub(crate) conflicting: u32,
}

/// The ways to one level.
#[derive(Debug, Clone, Default)]
pub(crate) struct Way {
    /// Containers that are cut off.
    pub(crate) cut: BTreeSet<usize>,
    /// How much longer a message takes, at most, in ms.
    pub(crate) slow_ms: u64,
    /// Parts that are lost, and connections that break.
    pub(crate) lost: u32,
    pub(crate) broken: u32,
    /// Everything waits: so much longer, in ms.
    pub(crate) stalls_ms: u64,
}

impl Weather {
    /// Nothing is wrong; messages take so long at most.
    pub(crate) fn fine(delay_ms: u64) -> Weather {
        Weather { delay_ms, ..Weather::default() }
    }

    /// The same with nothing wrong.
    pub(crate) fn clears(&mut self) {
        *self = Weather::fine(self.delay_ms);
    }
}

impl State {
    pub(crate) fn redis_fate(&mut self, container: usize) -> Fate {
        let way = self.weather.redis.clone();
        self.fate(&way, container)
    }

    pub(crate) fn dynamo_fate(&mut self, container: usize) -> Fate {
        let way = self.weather.l3.clone();
        self.fate(&way, container)
    }

    fn fate(&mut self, way: &Way, container: usize) -> Fate {
        let (delay_ms, rng) = (self.weather.delay_ms, &mut self.rng);
        if way.cut.contains(&container) {
            // Either nothing comes back, or word that nobody is there.
            return Fate { out_ms: None, back_ms: None, breaks: rng.bool() };
        }
        let mut ms = || if delay_ms == 0 { 0 } else { rng.u64(..=delay_ms) };
        let (mut out_ms, mut back_ms) = (ms(), ms());
        if way.slow_ms > 0 {
            match rng.u8(..3) {
                0 => out_ms += rng.u64(..=way.slow_ms),
                1 => back_ms += rng.u64(..=way.slow_ms),
                _ => {}
            }
        }
        let mut happens = |part: u32| part > 0 && rng.u32(..1000) < part;
        let (lost_out, lost_back, breaks) = (happens(way.lost), happens(way.lost), happens(way.broken));
        Fate { out_ms: (!lost_out).then_some(out_ms + way.stalls_ms), back_ms: (!lost_back).then_some(back_ms), breaks }
    }

    /// What L3 answers without doing anything.
    pub(crate) fn dynamo_refusal(&mut self, target: &str) -> Option<(u16, Vec<u8>)> {
        let Weather { throttled, failing, conflicting, .. } = self.weather;
        let rng = &mut self.rng;
        let mut happens = |part: u32| part > 0 && rng.u32(..1000) < part;
        let (throttles, fails, conflicts) = (happens(throttled), happens(failing), happens(conflicting));
        let answer = |status: u16, name: &str| {
            let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{name}","message":""}}"#);
            Some((status, body.into_bytes()))
        };
        if throttles {
            return answer(400, "ProvisionedThroughputExceededException");
        }
        if fails {
            return answer(500, "InternalServerError");
        }
        if conflicts && target.ends_with("PutItem") {
            return answer(400, "TransactionConflictException");
        }
        None
    }
}
