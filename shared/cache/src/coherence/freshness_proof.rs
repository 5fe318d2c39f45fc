//! What says until when a copy in L2 is known to be current.

use crate::version::{Position, Version};

/// The certificate of a copy in L2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FreshnessProof {
    pub version: Version,
    pub as_of: Position,
    pub certified_ms: i64,
}
