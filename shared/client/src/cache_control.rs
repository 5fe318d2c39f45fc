//! What a read says of the age of what it takes.

use std::time::Duration;

/// What a read says of the age of what it takes.
pub(crate) fn cache_control(fresh: bool, max_stale: Option<Duration>) -> Option<String> {
    let stale = max_stale.map(|time| format!("max-stale={}", time.as_secs().min(u32::MAX.into())));
    let said: Vec<String> = fresh.then(|| "no-cache".to_owned()).into_iter().chain(stale).collect();
    (!said.is_empty()).then(|| said.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_says_what_it_takes() {
        let said = |fresh, seconds: Option<u64>| cache_control(fresh, seconds.map(Duration::from_secs));
        assert_eq!((said(false, None), said(true, None).as_deref()), (None, Some("no-cache")));
        assert_eq!(said(false, Some(5)).as_deref(), Some("max-stale=5"));
        assert_eq!(said(true, Some(u64::MAX)).as_deref(), Some("no-cache, max-stale=4294967295"));
    }
}
