//! A Redis that is far away, and a way to it that carries little: what is small comes late, what is large comes later than
//! anybody waits for.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join;
use strata_stack::ALL;

use super::flood::flood;
use super::left;
use super::steps::{pause, perform};
use crate::client::Client;
use crate::history::Operation;
use crate::keys::Keys;

/// What each way carries while a container waits for Redis, in thousands of bytes: from this on, and so many times doubled.
/// With the default of 100 ms it is 200 KB/s to 12.8 MB/s.
const LEAST_KB: u64 = 20;
const DOUBLED: RangeInclusive<u32> = 0..=6;
/// How late commands are, in hundredths of the time that containers wait for Redis, and at most.
const LATE: RangeInclusive<u32> = 0..=60;
const MOST_LATE: Duration = Duration::from_millis(50);
/// How many records wait for a new container.
const RECORDS: RangeInclusive<usize> = 500..=6000;
/// How long it lasts.
const LONG: RangeInclusive<u64> = 3000..=9000;

/// Lets values come to an end while all containers are far from Redis, of which one begins anew.
pub(super) async fn work_far_away(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let rig = client.rig;
    let patience_ms = u64::try_from(rig.patience.as_millis()).expect("some seconds");
    let kb_per_second = (LEAST_KB << rng.u32(DOUBLED)) * 1000 / patience_ms.max(1);
    let late = (rig.patience * rng.u32(LATE) / 100).min(MOST_LATE);
    let mut operations = left::store(client, rng).await;
    // Whoever reads it from Redis waits in vain where little is carried, and so does who comes behind.
    let large = Keys::left().next_back().expect("there are some");
    operations.push(perform(client, client.workload.put_large(large, rng), rng).await);
    operations.extend(left::read_everywhere(client, left::keys()).await);
    let records = flood(client, rng.usize(RECORDS)).await;
    client.remark(format!("{kb_per_second} KB/s, {} ms late, {records} records", late.as_millis()));
    let path = rig.api.stack.redis_path(ALL);
    path.narrow(kb_per_second, late).await;
    let watched: Vec<_> = left::keys().chain([large]).collect();
    let long = Duration::from_millis(rng.u64(LONG));
    let mut own = rng.fork();
    let ending = async {
        let container = rig.container(if own.bool() { "entries" } else { "invalidate" }, &mut own);
        let ended = left::end(client, &container, &mut own).await;
        pause(&mut own, 0, 1000).await;
        rig.kill(&rig.container("entries", &mut own)).await;
        ended
    };
    let (ended, read) = join(ending, left::watch(client, &watched, long, rng)).await;
    path.restore().await;
    operations.extend(ended.into_iter().chain(read));
    operations.extend(left::read_everywhere(client, left::keys()).await);
    operations
}
