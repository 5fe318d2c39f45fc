//! L3 that is up and not well, for longer than anybody may be without what it knows: it answers slowly, refuses some
//! requests, or those of one partition.
//!
//! What a container could not tell Redis is in L3 only. Whoever cannot read it there does not know what is old.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::{join, join3};
use strata_stack::L3Fault;

use super::left;
use super::steps::pause;
use crate::client::Client;
use crate::history::Operation;
use crate::rig::{FOLLOWED, L3_TIMEOUT_MS, Rig};
use crate::rules::DEGRADED_BOUND;

/// The times that containers are told to give L3.
const TIMEOUTS_MS: RangeInclusive<u64> = 1000..=4000;
/// How slow L3 is, in hundredths of that: one attempt of a request has thirty of them.
const WITHIN_ATTEMPT: RangeInclusive<u64> = 15..=28;
const BEYOND_ATTEMPT: RangeInclusive<u64> = 29..=90;
/// How slow it is where it has other complaints, in milliseconds.
const SLOW_MS: RangeInclusive<u64> = 0..=150;
/// How long after the bound of what was told to nobody it goes on.
const MARGIN: Duration = Duration::from_secs(2);
/// When Redis comes back for the container that was cut off.
const BACK_MS: RangeInclusive<u64> = 500..=20_000;

/// L3 is slow, and slower than the containers know it: what they may wait for it is changed as well.
pub(super) async fn slow_for_long(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let timeout_ms = rng.u64(TIMEOUTS_MS);
    let share = if rng.bool() { rng.u64(WITHIN_ATTEMPT) } else { rng.u64(BEYOND_ATTEMPT) };
    if !client.rig.set_l3_timeout(timeout_ms).await {
        return Vec::new();
    }
    tokio::time::sleep(client.rig.promise + FOLLOWED).await;
    let operations = outlast(client, L3Fault::Slow { ms: timeout_ms * share / 100 }, rng).await;
    // The end of the run sees to it where this does not.
    client.rig.set_l3_timeout(L3_TIMEOUT_MS).await;
    client.remark(format!("with a timeout of {timeout_ms} ms"));
    operations
}

/// L3 throttles and fails now and then, or only where mutations are read that Redis was not told of.
pub(super) async fn sick_for_long(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let fault = if rng.bool() {
        L3Fault::ControlThrottling
    } else {
        let of = rng.u64(4..=8);
        let throttled = rng.u64(1..of - 1);
        L3Fault::Sick { ms: rng.u64(SLOW_MS), throttled, failing: rng.u64(..of - throttled), of }
    };
    outlast(client, fault, rng).await
}

/// Cuts a container off from Redis and lets it make an end of values while L3 is not well, or just before, and reads them
/// everywhere for longer than others may take to hear of it.
async fn outlast(client: &Client<'_>, fault: L3Fault, rng: &mut Rng) -> Vec<Operation> {
    client.remark(format!("{fault:?}"));
    let rig = client.rig;
    let stack = &rig.api.stack;
    let function = if rng.u32(..4) == 0 { "invalidate" } else { "entries" };
    let container = rig.container(function, rng);
    let mut operations = left::store(client, rng).await;
    operations.extend(left::read_everywhere(client, left::keys()).await);
    stack.redis_path(&container).cut().await;
    let falls_ill_later = rng.bool();
    if !falls_ill_later {
        stack.l3().set(fault).await;
    }
    let (mut ending, mut reading, mut killing) = (rng.fork(), rng.fork(), rng.fork());
    let watched: Vec<_> = left::keys().collect();
    operations.extend(left::end(client, &container, &mut ending).await);
    stack.l3().set(fault).await;
    let long = DEGRADED_BOUND + rig.promise + MARGIN;
    let returning = async {
        tokio::time::sleep(Duration::from_millis(ending.u64(BACK_MS)).min(long)).await;
        stack.redis_path(&container).restore().await;
    };
    let renewing = async {
        pause(&mut killing, 2000, 10_000).await;
        let fresh = Rig::containers("entries").find(|other| *other != container);
        rig.kill(&fresh.expect("there are several")).await;
    };
    let (read, (), ()) = join3(left::watch(client, &watched, long, &mut reading), returning, renewing).await;
    operations.extend(read);
    join(stack.redis_path(&container).restore(), stack.l3().set(L3Fault::Ok)).await;
    operations
}
