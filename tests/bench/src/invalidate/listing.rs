//! Listing a tenant's thousand keys among more and more entries of others: it is measured where invalidations are, for
//! what takes long is to fill the levels.

use super::{GROUP, growth::growth, tenant::Tenant};
use crate::{report::Section, stats::Summary};
use std::{error::Error, time::Instant};
use strata_cache::{List, TieredCache, Within};

/// Milliseconds that lists took.
#[derive(Default)]
pub struct Listings {
    by_prefix: Vec<f64>,
    by_tag: Vec<f64>,
}

impl Listings {
    /// Lists the keys of `tenant` both ways.
    ///
    /// # Errors
    /// When a level fails, or they are not those that there are.
    pub async fn take_turn(&mut self, cache: &TieredCache, tenant: Tenant) -> Result<(), Box<dyn Error>> {
        let (prefix, tag) = (tenant.prefix(), tenant.tag());
        let list = |prefix, tag: Option<&str>| List {
            within: Within::of(prefix, None).expect("nothing bounds it"),
            tag: tag.map(Into::into),
            from: None,
            limit: GROUP,
        };
        self.by_prefix.push(time(cache, list(&prefix, None), tenant).await?);
        self.by_tag.push(time(cache, list("", Some(&tag)), tenant).await?);
        Ok(())
    }

    /// What was measured among so many entries each.
    pub fn section(level: &str, measured: &[(usize, &Listings)]) -> Section {
        let times = |of: fn(&Listings) -> &Vec<f64>| -> Vec<(usize, Summary)> {
            measured.iter().map(|(size, listings)| (*size, Summary::of(of(listings).clone()))).collect()
        };
        let by_prefix = growth("prefix", &times(|listings| &listings.by_prefix));
        let by_tag = growth("tag", &times(|listings| &listings.by_tag));
        Section {
            title: format!("Listing 1,000 keys in {level}, by how many there are"),
            baseline: "the same among the fewest".into(),
            rows: by_prefix.into_iter().chain(by_tag).collect(),
        }
    }
}

/// Milliseconds that the whole list takes, page by page.
async fn time(cache: &TieredCache, mut list: List, tenant: Tenant) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let mut found = Vec::new();
    loop {
        let page = cache.list(&list).await?;
        found.extend(page.found);
        match page.next {
            Some(next) => list.from = Some(next),
            None => break,
        }
    }
    let elapsed = start.elapsed();
    if tenant.keys().map(|key| key.to_string()).eq(found.into_iter().map(|entry| entry.key)) {
        Ok(elapsed.as_secs_f64() * 1e3)
    } else {
        Err("a list does not have the keys that there are".into())
    }
}
