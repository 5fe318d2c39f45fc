//! What Lambda says of an invocation.

use lambda_runtime::Context;
use std::time::Duration;

/// A time that the invocation has certainly reached, in milliseconds since the Unix epoch: when Lambda began to count its
/// time. After a thaw the container's own clock may be behind it. 0 when it is not known.
pub(crate) fn began_ms(context: &Context, timeout: Option<Duration>) -> i64 {
    let began = timeout.and_then(|timeout| context.deadline.checked_sub(timeout.as_millis().try_into().ok()?));
    began.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_began_its_time_limit_before_its_deadline() {
        let mut context = Context::default();
        let began = |context: &Context, seconds: Option<u64>| began_ms(context, seconds.map(Duration::from_secs));
        context.deadline = 1_700_000_030_500;
        assert_eq!(began(&context, Some(30)), 1_700_000_000_500);
        assert_eq!(began(&context, None), 0);
        context.deadline = 0;
        assert_eq!(began(&context, Some(30)), 0);
    }
}
