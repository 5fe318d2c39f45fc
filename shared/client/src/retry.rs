//! When a request is sent again. The table is in the crate's documentation.

use crate::error::{Code, Error};
use std::time::Duration;

/// The first pause is drawn from this, and each one from twice as much as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// No pause is drawn from more.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often, and for how long, an operation is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Times that a request is sent again after the first.
    pub times: u32,
    /// Most time that an operation pauses in all. Where `Retry-After` asks for more the error is returned at once.
    pub patience: Duration,
}

impl Default for Retry {
    /// Three times, within 5 seconds.
    fn default() -> Retry {
        Retry { times: 3, patience: Duration::from_secs(5) }
    }
}

impl Retry {
    /// Nothing is sent again.
    pub const NONE: Retry = Retry { times: 0, patience: Duration::ZERO };

    pub(crate) fn begin(self) -> Retries {
        Retries { left: self, made: 0 }
    }
}

/// Whether an operation may be sent again that may have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Done twice it does what it does once, or costs a miss at most.
    Harmless,
    /// Done twice it could undo what another did in between.
    Never,
}

/// The retries of one operation.
pub(crate) struct Retries {
    left: Retry,
    made: u32,
}

impl Retries {
    /// How long to pause before the request is sent again; `None` when it is not.
    pub(crate) fn next(&mut self, error: &Error, repeat: Repeat) -> Option<Duration> {
        if self.made == self.left.times || !may_be_sent_again(error, repeat) {
            return None;
        }
        let most = (FIRST_PAUSE * 2u32.saturating_pow(self.made)).min(LONGEST_PAUSE);
        let pause = error.retry_after().unwrap_or_default() + most.mul_f64(fastrand::f64());
        self.left.patience = self.left.patience.checked_sub(pause)?;
        self.made += 1;
        Some(pause)
    }
}

fn may_be_sent_again(error: &Error, repeat: Repeat) -> bool {
    match error {
        // More of a quota comes by no pause, unless the server says so.
        Error::Api(said) if said.code == Code::QuotaExceeded => said.retry_after.is_some(),
        Error::Api(said) if said.status == 429 => true,
        Error::Unreachable(_) => true,
        Error::Api(said) if said.status == 503 => repeat == Repeat::Harmless,
        Error::Broken(_) => repeat == Repeat::Harmless,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::error::ApiError;
    use serde_json::Value;

    fn refused(status: u16, after: Option<u64>) -> Error {
        Error::Api(Box::new(ApiError {
            status,
            code: Code::Other(String::new()),
            message: String::new(),
            details: Value::Null,
            request_id: String::new(),
            retry_after: after.map(Duration::from_secs),
            fill_token: None,
        }))
    }

    fn broken() -> Error {
        Error::Broken(String::new())
    }

    #[test]
    fn what_may_have_happened_is_sent_again_only_where_that_is_harmless() {
        let again = |error: Error, repeat| Retry::default().begin().next(&error, repeat).is_some();
        for error in [refused(429, Some(1)), Error::Unreachable(String::new())] {
            assert!(again(error.clone(), Repeat::Never) && again(error, Repeat::Harmless));
        }
        for error in [refused(503, Some(1)), broken()] {
            assert!(!again(error.clone(), Repeat::Never) && again(error, Repeat::Harmless));
        }
        let timeout = Error::Timeout(Duration::ZERO);
        for error in [refused(500, None), refused(504, None), refused(404, None), timeout] {
            assert!(!again(error, Repeat::Harmless));
        }
    }

    #[test]
    fn pauses_are_drawn_never_before_retry_after_and_within_patience() {
        for _ in 0..1000 {
            let mut retries = Retry { times: 9, patience: Duration::from_secs(60) }.begin();
            let first = retries.next(&refused(503, Some(2)), Repeat::Harmless).unwrap();
            assert!((Duration::from_secs(2)..=Duration::from_millis(2100)).contains(&first), "{first:?}");
            let second = retries.next(&broken(), Repeat::Harmless).unwrap();
            assert!(second <= Duration::from_millis(200), "{second:?}");
        }
        let mut retries = Retry::default().begin();
        assert_eq!(retries.next(&refused(429, Some(6)), Repeat::Never), None, "longer than there is patience for");
        for _ in 0..3 {
            assert!(retries.next(&broken(), Repeat::Harmless).is_some());
        }
        assert_eq!(retries.next(&broken(), Repeat::Harmless), None);
    }
}
