//! The levels of the cache.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A level of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Level {
    /// The memory of each container.
    #[serde(rename = "L1_MEMORY")]
    L1Memory,
    /// Redis or Valkey.
    #[serde(rename = "L2_REDIS")]
    L2Redis,
    /// DynamoDB.
    #[serde(rename = "L3_DATABASE")]
    L3Database,
}

impl Level {
    /// All of them, the fastest first.
    pub const ALL: [Level; 3] = [Level::L1Memory, Level::L2Redis, Level::L3Database];

    /// The name that the API has for it.
    pub fn name(self) -> &'static str {
        match self {
            Level::L1Memory => "L1_MEMORY",
            Level::L2Redis => "L2_REDIS",
            Level::L3Database => "L3_DATABASE",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
