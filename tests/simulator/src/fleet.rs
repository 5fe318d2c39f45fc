//! The containers, and what it takes to have one of them do something.

use crate::{
    action::Actions,
    container::{Broken, Container},
    explained::Case,
    mix::Mix,
    omitted::Omitted,
    world::World,
};
use fastrand::Rng;
use std::{
    cell::{Cell, RefCell},
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::timeout;

/// How long a client waits for an answer: as long as the gateway does.
const PATIENCE: Duration = Duration::from_secs(29);

/// The containers, and the world they are in.
pub(crate) struct Fleet {
    pub(crate) world: Arc<World>,
    pub(crate) mix: Mix,
    /// What is left out of the run.
    pub(crate) omitted: Omitted,
    pub(crate) actions: RefCell<Actions>,
    /// What was explained.
    pub(crate) cases: RefCell<Vec<Case>>,
    /// A container that nobody asks for anything at present.
    pub(crate) resting: Cell<Option<usize>>,
    /// How often somebody has looked at the time.
    moments: Cell<u64>,
    containers: Mutex<Vec<Arc<Container>>>,
}

impl Fleet {
    pub(crate) fn begin(world: Arc<World>, mix: Mix, omitted: Omitted, rng: &mut Rng) -> Fleet {
        let begin = |number| {
            let ahead_ms = rng.i64(-mix.skew_ms..=mix.skew_ms);
            Arc::new(Container::begin(&world, &mix, number, 0, ahead_ms))
        };
        let containers = Mutex::new((0..mix.containers).map(begin).collect());
        let (actions, cases, resting, moments) = Default::default();
        Fleet { world, mix, omitted, actions, cases, resting, moments, containers }
    }

    pub(crate) fn containers(&self) -> MutexGuard<'_, Vec<Arc<Container>>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn any(&self, rng: &mut Rng) -> Arc<Container> {
        let containers = self.containers();
        let drawn = rng.usize(..containers.len());
        let instead = if self.resting.get() == Some(drawn) { drawn + 1 } else { drawn };
        Arc::clone(&containers[instead % containers.len()])
    }

    /// The time since the run began. What happens later is later by a nanosecond at least, also within one millisecond: the
    /// judge is to know what came first.
    pub(crate) fn now(&self) -> Duration {
        self.moments.update(|moments| moments + 1);
        let ms = u64::try_from(self.world.now_ms()).unwrap_or_default();
        Duration::from_millis(ms) + Duration::from_nanos(self.moments.get())
    }

    /// Does something in a container, when that has the time.
    pub(crate) async fn within<T>(
        &self,
        container: &Container,
        work: impl Future<Output = T>,
    ) -> (Duration, Result<T, Broken>) {
        let _turn = container.turn.acquire().await;
        let start = self.now();
        // Who is not answered in time gives up; what it has asked for goes no further.
        let done = timeout(PATIENCE, container.run(work)).await;
        (start, done.unwrap_or(Err(Broken::TooLate)))
    }
}
