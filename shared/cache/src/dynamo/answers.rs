//! What L3 has answered lately, whatever it was: tells a level that is sick, and may have taken what others sent it, from
//! one that is dead; and one that is slow, whose answers come if they are waited for, from one that is well.

use crate::Clock;
use aws_sdk_dynamodb::config::{
    ConfigBag, Intercept, RuntimeComponents,
    interceptors::{BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef},
};
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
    },
};

/// When L3 answered.
#[derive(Debug)]
pub(super) struct Answers {
    clock: Clock,
    /// The last answer to any attempt, in steady ms.
    last_ms: AtomicI64,
    /// The last answer that an operation failed by.
    failed_ms: AtomicI64,
    /// How long an attempt waits for its answer where L3 is well, in milliseconds.
    attempt_ms: AtomicI64,
    /// Attempts wait longer than usual: none has been answered in its usual time since somebody doubted that.
    slow: AtomicBool,
}

impl Answers {
    /// `attempt_ms`: how long an attempt waits for its answer where L3 is well.
    pub(super) fn new(clock: Clock, attempt_ms: i64) -> Answers {
        let [last_ms, failed_ms] = [i64::MIN; 2].map(AtomicI64::new);
        Answers { clock, last_ms, failed_ms, attempt_ms: AtomicI64::new(attempt_ms), slow: AtomicBool::new(false) }
    }

    /// Another time for an attempt from now on.
    pub(super) fn configure(&self, attempt_ms: i64) {
        self.attempt_ms.store(attempt_ms, Relaxed);
    }

    /// Whether attempts may have to wait longer than usual for their answers.
    pub(super) fn are_slow(&self) -> bool {
        self.slow.load(Relaxed)
    }

    /// L3 is taken for slow until an attempt is answered in its usual time.
    pub(super) fn expect_slowness(&self) {
        self.slow.store(true, Relaxed);
    }

    /// An attempt that began at `began_ms` is answered.
    fn note_answer(&self, began_ms: i64) {
        let now_ms = self.clock.steady_ms();
        self.last_ms.store(now_ms, Relaxed);
        if now_ms.saturating_sub(began_ms) <= self.attempt_ms.load(Relaxed) && self.slow.load(Relaxed) {
            self.slow.store(false, Relaxed);
        }
    }

    /// An operation failed by an answer.
    pub(super) fn note_failure(&self) {
        self.failed_ms.store(self.clock.steady_ms(), Relaxed);
    }

    /// Whether anything was answered at `since_ms` or later, but no longer than `within_ms` ago.
    pub(super) fn any_since(&self, since_ms: i64, within_ms: i64) -> bool {
        let last_ms = self.last_ms.load(Relaxed);
        last_ms >= since_ms && self.is_within(last_ms, within_ms)
    }

    /// Whether an operation failed by an answer no longer than `within_ms` ago.
    pub(super) fn any_failure(&self, within_ms: i64) -> bool {
        self.is_within(self.failed_ms.load(Relaxed), within_ms)
    }

    fn is_within(&self, at_ms: i64, within_ms: i64) -> bool {
        (0..=within_ms).contains(&self.clock.steady_ms().saturating_sub(at_ms))
    }
}

/// Listens to the SDK's client: an answer is there as soon as its head is.
#[derive(Debug)]
pub(super) struct Listener(pub(super) Arc<Answers>);

/// When an attempt began, in steady ms.
#[derive(Debug)]
struct BeganMs(i64);

impl Storable for BeganMs {
    type Storer = StoreReplace<BeganMs>;
}

impl Intercept for Listener {
    fn name(&self) -> &'static str {
        "Answers"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        state: &mut ConfigBag,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        state.interceptor_state().store_put(BeganMs(self.0.clock.steady_ms()));
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        _: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        state: &mut ConfigBag,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.0.note_answer(state.load::<BeganMs>().map_or(i64::MIN, |began| began.0));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_for_a_while() {
        let clock = Clock::manual(100_000);
        let answers = Answers::new(clock.clone(), 300);
        assert!(!answers.any_since(i64::MIN, 10_000) && !answers.any_failure(10_000));
        let answered_ms = clock.steady_ms();
        answers.last_ms.store(answered_ms, Relaxed);
        answers.note_failure();
        clock.set(110_000);
        assert!(answers.any_since(answered_ms, 10_000) && answers.any_failure(10_000));
        assert!(!answers.any_since(answered_ms + 1, 10_000), "that was before");
        clock.set(110_001);
        assert!(!answers.any_since(answered_ms, 10_000) && !answers.any_failure(10_000));
        answers.note_failure();
        clock.set(99_999);
        assert!(!answers.any_failure(10_000), "a clock that went back makes nothing last longer");
    }

    #[test]
    fn slowness_lasts_until_an_attempt_is_answered_in_its_usual_time() {
        let clock = Clock::manual(100_000);
        let answers = Answers::new(clock.clone(), 300);
        answers.expect_slowness();
        let began_ms = clock.steady_ms();
        clock.set(100_301);
        answers.note_answer(began_ms);
        assert!(answers.are_slow() && answers.any_since(began_ms, 10_000), "it came, and late");
        answers.configure(301);
        answers.note_answer(began_ms);
        assert!(!answers.are_slow());
    }
}
