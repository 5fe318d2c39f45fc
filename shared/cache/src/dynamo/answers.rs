//! What L3 has answered lately, whatever it was: tells a level that is sick, and may have taken what others sent it, from
//! one that is dead.

use crate::Clock;
use aws_sdk_dynamodb::config::{
    ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeDeserializationInterceptorContextRef,
};
use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
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
}

impl Answers {
    pub(super) fn new(clock: Clock) -> Answers {
        Answers { clock, last_ms: AtomicI64::new(i64::MIN), failed_ms: AtomicI64::new(i64::MIN) }
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

impl Intercept for Listener {
    fn name(&self) -> &'static str {
        "Answers"
    }

    fn read_before_deserialization(
        &self,
        _: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.0.last_ms.store(self.0.clock.steady_ms(), Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_for_a_while() {
        let clock = Clock::manual(100_000);
        let answers = Answers::new(clock.clone());
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
}
