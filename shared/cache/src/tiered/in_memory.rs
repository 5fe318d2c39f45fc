//! A cache with no server, for a program's own tests.

use super::{Deployment, OpenError, TieredCache};
use crate::{Config, engines::Engines};

impl TieredCache {
    /// A cache whose L2 and L3 are in this process's memory, empty and not shared with anybody: for a program's own tests. To
    /// have several containers share them, give each the same [`Deployment::engines`].
    ///
    /// # Errors
    /// When the configuration contradicts itself.
    pub fn in_memory(config: Config) -> Result<TieredCache, OpenError> {
        let mut deployment = Deployment::new("cache_control");
        deployment.engines = Some(Engines::in_memory(&config.l3_config.table_name, &deployment.control_table));
        TieredCache::open(deployment, config)
    }
}
