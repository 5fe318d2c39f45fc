//! How long the last syncs took, for whoever watches a container.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Most syncs that are remembered until somebody asks.
const MOST: usize = 100;

/// The times of syncs since they were asked for last; of the first hundred.
#[derive(Debug, Default)]
pub(crate) struct SyncTimes(Mutex<Vec<Duration>>);

impl SyncTimes {
    pub(crate) fn add(&self, took: Duration) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if times.len() < MOST {
            times.push(took);
        }
    }

    pub(crate) fn take(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
