//! A container: the real cache, with a clock of its own, which can be frozen and killed at any await.

use crate::{
    mix::Mix,
    network::Network,
    world::{CONTROL, World, ZERO_MS},
};
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};
use strata_cache::{Clock, Config, Deployment, TieredCache, engines::Engines};
use tokio::sync::Semaphore;

/// A life of a container.
#[derive(Debug)]
pub(crate) struct Container {
    /// Which of the fleet it is, and how many lives it had before.
    pub(crate) number: usize,
    pub(crate) life: u32,
    pub(crate) cache: TieredCache,
    /// Who may ask it for something at present.
    pub(crate) turn: Semaphore,
    world: Arc<World>,
    clock: Clock,
    state: Mutex<Standing>,
}

#[derive(Debug)]
struct Standing {
    is_frozen: bool,
    is_dead: bool,
    /// How far its clock is ahead, in ms.
    ahead_ms: i64,
    /// Up to when its monotonic clock has come, in ms of the world.
    reached_ms: i64,
    waiting: Vec<Waker>,
}

/// How an operation in a container ended otherwise than by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    Killed,
    Panicked,
    /// Nobody waits for it any more.
    TooLate,
}

impl Container {
    /// Begins a life, with a clock so far ahead.
    pub(crate) fn begin(world: &Arc<World>, mix: &Mix, number: usize, life: u32, ahead_ms: i64) -> Container {
        let now_ms = world.now_ms();
        let clock = Clock::manual(ZERO_MS + now_ms + ahead_ms);
        let network = Arc::new(Network { world: Arc::clone(world), container: number });
        let engines = Engines { redis: Arc::clone(&network) as _, dynamodb: network };
        let deployment = Deployment { clock: clock.clone(), engines: Some(engines), ..Deployment::new(CONTROL) };
        let mut config = Config::default();
        config.l1_config.coherence_window_ms = u64::try_from(mix.window.as_millis()).unwrap_or(u64::MAX);
        config.l2_config.revalidate_seconds = mix.revalidate_seconds;
        let cache = TieredCache::open(deployment, config).expect("the configuration goes together");
        let turn = Semaphore::new(if mix.is_lambda { 1 } else { 1000 });
        let state = Standing { is_frozen: false, is_dead: false, ahead_ms, reached_ms: now_ms, waiting: Vec::new() };
        Container { number, life, cache, turn, world: Arc::clone(world), clock, state: Mutex::new(state) }
    }

    /// Its name in a history.
    pub(crate) fn process(&self) -> String {
        format!("c{}.{}", self.number, self.life)
    }

    fn state(&self) -> MutexGuard<'_, Standing> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn freeze(&self) {
        self.state().is_frozen = true;
    }

    /// Lets it go on; its monotonic clock stood still, or not.
    pub(crate) fn thaw(&self, stood_still: bool) {
        let now_ms = self.world.now_ms();
        let mut state = self.state();
        state.is_frozen = false;
        if stood_still {
            state.reached_ms = now_ms;
        }
        state.waiting.drain(..).for_each(Waker::wake);
    }

    pub(crate) fn kill(&self) {
        let mut state = self.state();
        state.is_dead = true;
        state.waiting.drain(..).for_each(Waker::wake);
    }

    pub(crate) fn step_clock(&self, ahead_ms: i64) {
        self.state().ahead_ms = ahead_ms;
    }

    /// Does something in the container.
    pub(crate) fn run<F: Future>(&self, work: F) -> Run<'_, F> {
        Run { container: self, work: Box::pin(work) }
    }

    /// Moves its clock to where it is now.
    fn tick(&self) {
        let now_ms = self.world.now_ms();
        let mut state = self.state();
        let passed_ms = now_ms - state.reached_ms;
        state.reached_ms = now_ms;
        self.clock.set(ZERO_MS + now_ms + state.ahead_ms);
        self.clock.tick(u32::try_from(passed_ms).unwrap_or_default());
    }
}

/// Something that a container does.
pub(crate) struct Run<'a, F> {
    container: &'a Container,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for Run<'_, F> {
    type Output = Result<F::Output, Broken>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        {
            let mut state = self.container.state();
            if state.is_dead {
                return Poll::Ready(Err(Broken::Killed));
            }
            // Asked again when it is thawed, and when it is killed.
            state.waiting.retain(|waker| !waker.will_wake(context.waker()));
            state.waiting.push(context.waker().clone());
            if state.is_frozen {
                return Poll::Pending;
            }
        }
        self.container.tick();
        match catch_unwind(AssertUnwindSafe(|| self.work.as_mut().poll(context))) {
            Ok(polled) => polled.map(Ok),
            Err(_) => Poll::Ready(Err(Broken::Panicked)),
        }
    }
}
