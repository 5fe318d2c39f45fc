//! Reading through the cache: how a missing value is loaded, how long it is kept, and why there may be none.

use crate::{
    config::Refusal,
    fill::{FillToken, MAX_LEASE_SECONDS},
    json::Json,
    level::Levels,
    outcome::Read,
    put::{Condition, Put},
};
use std::{error::Error, fmt, sync::Arc, time::Duration};

/// How long a load may take by default.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much longer than its load a lease lives, in seconds: the value is stored in that time.
const STORE_SECONDS: u64 = 5;

/// How to read through the cache. Make it once and borrow it for every read: a hit then costs what [`get`] costs.
///
/// [`get`]: crate::TieredCache::get
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Load {
    /// Time to live of a loaded value in seconds, 1 to [`MAX_TTL_SECONDS`](crate::MAX_TTL_SECONDS).
    pub ttl_seconds: u32,
    /// Time to live of a loaded `null` (such as `None`) in seconds; if this is `None` it is not kept.
    pub none_seconds: Option<u32>,
    /// By up to what fraction either is shortened at random, 0 to 0.5.
    pub ttl_jitter: f64,
    /// Tags of the value, at most [`MAX_TAGS`](crate::MAX_TAGS).
    pub tags: Vec<Arc<str>>,
    /// The levels to use; `None` for all that are enabled.
    pub levels: Option<Levels>,
    /// How long a load may take, and how long to wait for somebody else's: 10 s by default. Then the load is given up.
    pub timeout: Duration,
    /// How long a load may take if there is a current value to go on with, see [`Load::refresh_ahead`]; `None` for `timeout`.
    pub soft_timeout: Option<Duration>,
    /// How long before it expires a value is reloaded, by one reader, while the others go on with it. Zero for never.
    pub refresh_ahead: Duration,
    /// Whether to store a value even if it cannot be proven current.
    pub unfenced: bool,
    /// How to read. Expired values are never returned, not even during their [grace](crate::grace).
    pub read: Read,
    /// Who loads, for the journal; empty to name nobody.
    pub by: String,
    /// The API key whose [quota](crate::quota) the value counts against; empty for nobody's.
    pub api_key: String,
}

impl Load {
    /// A load whose values live for `ttl_seconds`.
    pub const fn new(ttl_seconds: u32) -> Load {
        Load {
            ttl_seconds,
            none_seconds: None,
            ttl_jitter: 0.0,
            tags: Vec::new(),
            levels: None,
            timeout: TIMEOUT,
            soft_timeout: None,
            refresh_ahead: Duration::ZERO,
            unfenced: false,
            read: Read::DEFAULT,
            by: String::new(),
            api_key: String::new(),
        }
    }

    /// Sets the tags of the value: 1 to [`MAX_TAG_BYTES`](crate::MAX_TAG_BYTES) bytes each, without control characters.
    #[must_use]
    pub fn tags<T: Into<Arc<str>>>(mut self, tags: impl IntoIterator<Item = T>) -> Load {
        self.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Also keeps `null` (such as `None`), for this many seconds, so that a missing value is not looked up again and again.
    #[must_use]
    pub const fn none_for(mut self, seconds: u32) -> Load {
        self.none_seconds = Some(seconds);
        self
    }

    /// Shortens the time to live at random by up to this fraction, so that values loaded together do not expire together.
    #[must_use]
    pub const fn jitter(mut self, part: f64) -> Load {
        self.ttl_jitter = part;
        self
    }

    /// Stores the value in these levels only; none of them may be switched off.
    #[must_use]
    pub const fn levels(mut self, levels: Levels) -> Load {
        self.levels = Some(levels);
        self
    }

    /// Gives up a load after this long.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Load {
        self.timeout = timeout;
        self
    }

    /// Gives up a load after this long if there is a current value to go on with.
    #[must_use]
    pub const fn soft_timeout(mut self, timeout: Duration) -> Load {
        self.soft_timeout = Some(timeout);
        self
    }

    /// Has one reader reload a value that expires within this time. That reader waits for it, for at most
    /// [`Load::soft_timeout`], because nothing can run on after an invocation; the others do not wait.
    #[must_use]
    pub const fn refresh_ahead(mut self, before_end: Duration) -> Load {
        self.refresh_ahead = before_end;
        self
    }

    /// Stores a value even if no lease can be had, because L2 or L3 is switched off or unreachable, provided that the key is
    /// empty. A value that was loaded before a DELETE or an invalidation may then be stored after it.
    #[must_use]
    pub const fn unfenced(mut self) -> Load {
        self.unfenced = true;
        self
    }

    /// Reads in this way.
    #[must_use]
    pub const fn read(mut self, read: Read) -> Load {
        self.read = read;
        self
    }

    /// Names `by` in the journal as the one who loads.
    #[must_use]
    pub fn by(mut self, by: impl Into<String>) -> Load {
        self.by = by.into();
        self
    }

    /// How to read: what has expired is loaded, also where the reader would take it.
    pub(crate) const fn reading(&self) -> Read {
        Read { max_stale_seconds: 0, stale_if_error_seconds: 0, ..self.read }
    }

    /// What of it no entry may have.
    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        let of_value = |text: &'static str| self.put(&Json::checked(text.into())).map(|put| put.refusals());
        let mut refusals: Vec<Refusal> = ["1", "null"].into_iter().filter_map(of_value).flatten().collect();
        refusals.dedup();
        refusals
    }

    /// How long a lease is to live, in seconds.
    pub(crate) fn lease_seconds(&self) -> u32 {
        let seconds = self.timeout.as_secs().saturating_add(STORE_SECONDS).min(MAX_LEASE_SECONDS.into());
        u32::try_from(seconds).unwrap_or(MAX_LEASE_SECONDS)
    }

    /// Whether a value that ends then is to be loaded anew at `now_ms`.
    pub(crate) fn is_due(&self, expires_at_ms: i64, now_ms: i64) -> bool {
        !self.refresh_ahead.is_zero()
            && u128::from(expires_at_ms.saturating_sub(now_ms).max(0).unsigned_abs()) < self.refresh_ahead.as_millis()
    }

    /// The PUT of a loaded value; `None` where it is not kept.
    pub(crate) fn put(&self, value: &Json) -> Option<Put> {
        let is_none = value.text().trim_ascii() == b"null";
        let ttl_seconds = if is_none { self.none_seconds? } else { self.ttl_seconds };
        let mut put = Put::new(value.clone(), ttl_seconds).by(self.by.clone());
        (put.tags, put.levels, put.ttl_jitter) = (self.tags.clone(), self.levels, self.ttl_jitter);
        put.api_key.clone_from(&self.api_key);
        Some(put)
    }

    /// The same with the token of its miss. Without one it is stored only where that was asked for.
    pub(crate) fn put_with(&self, value: &Json, token: Option<FillToken>) -> Option<Put> {
        let put = self.put(value)?;
        match token {
            Some(token) => Some(put.fill(token)),
            None => self.unfenced.then(|| put.only_if(Condition::Absent)),
        }
    }
}

/// Why there is no value. An unreachable cache is no reason: the value is then loaded and not kept.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError<E> {
    /// The load failed: this caller's own, or the one it waited for.
    Failed(Arc<E>),
    /// It was not loaded in time.
    TimedOut,
    /// The options ask for something that no entry can have. Nothing was loaded.
    Refused(Vec<Refusal>),
    /// The value cannot be serialized as JSON, or what is stored is not of the caller's type.
    Json(serde_json::Error),
}

impl<E: fmt::Display> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Failed(error) => write!(f, "the load failed: {error}"),
            LoadError::TimedOut => f.write_str("the load took too long"),
            LoadError::Refused(refusals) => write!(f, "{} options are refused", refusals.len()),
            LoadError::Json(error) => write!(f, "the value is of another shape: {error}"),
        }
    }
}

// Not only for errors, so that it is for those in a box as well.
impl<E: fmt::Debug + fmt::Display> Error for LoadError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            LoadError::Json(error) => Some(error),
            LoadError::Failed(_) | LoadError::TimedOut | LoadError::Refused(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn json(text: &'static str) -> Json {
        Json::new(text).unwrap()
    }

    #[test]
    fn nothing_has_a_life_of_its_own() {
        let load = Load::new(60).tags(["a"]).by("me");
        let put = load.put(&json("[null]")).unwrap();
        assert_eq!((put.ttl_seconds, &*put.tags, &*put.by), (60, &["a".into()][..], "me"));
        assert!(load.put(&json(" null ")).is_none());
        assert_eq!(load.none_for(5).put(&json("null")).unwrap().ttl_seconds, 5);
    }

    #[test]
    fn what_is_not_proven_is_stored_only_where_that_was_asked_for() {
        assert!(Load::new(1).put_with(&json("1"), None).is_none());
        let put = Load::new(1).unfenced().put_with(&json("1"), None).unwrap();
        assert_eq!((put.condition, put.fill), (Condition::Absent, None));
    }

    #[test]
    fn options_that_no_entry_may_have_are_named_once() {
        let refused = |load: Load| load.refusals().into_iter().map(|refusal| refusal.field).collect::<Vec<_>>();
        assert_eq!(refused(Load::new(1).none_for(1)), [""; 0]);
        assert_eq!(refused(Load::new(0)), ["ttl_seconds"]);
        assert_eq!(refused(Load::new(1).none_for(0)), ["ttl_seconds"]);
        assert_eq!(refused(Load::new(1).none_for(1).tags(["a\n"])), ["tags"]);
    }

    #[test]
    fn a_value_is_due_before_its_end() {
        let ahead = Load::new(1).refresh_ahead(Duration::from_secs(5));
        assert!(!ahead.is_due(10_000, 5_000) && ahead.is_due(10_000, 5_001) && ahead.is_due(10_000, 20_000));
        assert!(!Load::new(1).is_due(10_000, 10_000));
    }

    #[test]
    fn a_lease_outlives_its_load() {
        assert_eq!(Load::new(1).lease_seconds(), 15);
        assert_eq!(Load::new(1).timeout(Duration::from_millis(1)).lease_seconds(), 5);
        assert_eq!(Load::new(1).timeout(Duration::MAX).lease_seconds(), MAX_LEASE_SECONDS);
    }
}
