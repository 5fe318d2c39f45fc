//! How long the last syncs took, for observing a container.

use crate::lock::{Lock, emptied};
use std::time::Duration;

/// Most syncs that are remembered until somebody asks.
const MOST: usize = 100;

/// The times of syncs since they were asked for last; of the first hundred.
#[derive(Debug, Default)]
pub(crate) struct SyncTimes(Lock<Vec<Duration>>);

impl SyncTimes {
    pub(crate) fn add(&self, took: Duration) {
        let mut times = self.0.enter(emptied);
        if times.len() < MOST {
            times.push(took);
        }
    }

    pub(crate) fn take(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.0.enter(emptied))
    }
}
