//! What several faults do.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::Client;
use crate::history::{Action, Operation};

/// How slow Redis is where it is slow, in hundredths of the time that containers wait for it, and at most.
const SLOW: RangeInclusive<u32> = 20..=80;
const MOST_SLOW: Duration = Duration::from_millis(600);

/// Does an operation in any container.
pub(super) async fn perform(client: &Client<'_>, action: Action, rng: &mut Rng) -> Operation {
    let container = client.rig.container(Client::function(&action), rng);
    client.perform(&container, action).await
}

/// How slow Redis is for a container that does not give it up.
pub(super) fn slowness(client: &Client<'_>, rng: &mut Rng) -> Duration {
    (client.rig.patience * rng.u32(SLOW) / 100).min(MOST_SLOW)
}

pub(super) async fn pause(rng: &mut Rng, from_ms: u64, to_ms: u64) {
    tokio::time::sleep(Duration::from_millis(rng.u64(from_ms..=to_ms))).await;
}

pub(super) fn signal(pid: u32, what: Signal) {
    let pid = i32::try_from(pid).expect("process ids are small");
    // A process that is gone needs no signal.
    let _ = kill(Pid::from_raw(pid), what);
}
