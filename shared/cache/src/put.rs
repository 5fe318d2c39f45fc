//! What is asked of the cache when a value is stored.

use crate::{fill::FillToken, level::Levels};
use bytes::Bytes;
use std::sync::Arc;

/// A value to store.
#[derive(Debug, Clone)]
pub struct Put {
    /// The JSON text, checked by the caller to be one JSON value in UTF-8.
    pub text: Bytes,
    /// Life in seconds, 1 to [`crate::MAX_TTL_SECONDS`].
    pub ttl_seconds: u32,
    /// Tags; replaces those of the value before.
    pub tags: Vec<Arc<str>>,
    /// Whether compression is allowed; the configured threshold decides.
    pub compress: bool,
    /// The levels to use; `None` for all that are enabled. Must be enabled ones.
    pub levels: Option<Levels>,
    /// Under which condition.
    pub condition: Condition,
    /// Who asked for it, for the journal; empty when nobody should be named.
    pub by: String,
    /// The API key in whose stock it is, see [`quota`](crate::quota); empty for nobody's.
    pub api_key: String,
    /// Store it only where nothing has touched the key since the miss that this is of. It bears no condition beside it.
    pub fill: Option<FillToken>,
    /// By which part of itself its life may be shortened, 0 to 0.5: by chance, so that what is put together does not expire
    /// together.
    pub ttl_jitter: f64,
}

impl Put {
    /// How long the value is to live, in ms: its life, or less by chance, but a second at least.
    pub(crate) fn life_ms(&self) -> i64 {
        let life_ms = i64::from(self.ttl_seconds) * 1000;
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a year in ms is below 2^53")]
        let less_ms = (life_ms as f64 * self.ttl_jitter.clamp(0.0, 1.0) * fastrand::f64()) as i64;
        (life_ms - less_ms).max(1000)
    }
}

/// A condition on the value a PUT replaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    /// None.
    #[default]
    Always,
    /// There is no live value (`If-None-Match: *`).
    Absent,
    /// There is a live value (`If-Match: *`).
    Present,
    /// There is a live value with one of these checksums (`If-Match`).
    Matches(Vec<u128>),
}
