//! What there is before a tenant asks for anything, and what of it must be the same after.

use super::table::{Table, Tenant};
use crate::{
    support::{command, copy_name},
    tables::{Item, all, entries, text_of},
};
use futures_util::stream::{self, StreamExt};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use strata_it::{Api, entry, stack::Claims};

/// Stands in the values, tags and names of others.
const SECRET: &str = "outsider-";
/// Requests under way at once.
pub const AT_ONCE: usize = 12;

/// What there is.
pub struct World {
    pub table: Table,
    /// By tenant, the jobs of somebody else about its keys, and about others, by the names of the table.
    pub jobs: BTreeMap<String, BTreeMap<String, String>>,
    /// The same of invalidations that can be undone.
    pub invalidations: BTreeMap<String, BTreeMap<String, String>>,
}

/// What is in the levels that no tenant owns: rows of the tables, and copies in Redis with how often they were read.
pub struct Outside(BTreeSet<String>);

impl World {
    /// Stores an entry under each key of every tenant, but for those that are said to be absent: the values of others have
    /// a secret in them. All have a tag in common, and those of one tenant's keys another.
    pub async fn furnished(api: &Api, table: Table) -> (World, Vec<Tenant>) {
        let tenants = table.tenants();
        let mut world = World { table, jobs: BTreeMap::new(), invalidations: BTreeMap::new() };
        let others = api.stack.token(Claims::default().subject("outsider-0").api_key("outsider-0"));
        let keys = tenants.iter().flat_map(|tenant| world.keys(tenant).into_iter().map(move |key| (tenant, key)));
        let keys: Vec<_> = keys.filter(|(_, key)| !key.ends_with(":absent")).enumerate().collect();
        let puts = keys.iter().map(|(number, (tenant, key))| {
            let (value, by) = if tenant.owns(key) {
                ("mine".to_owned(), api.stack.token(Claims::default().subject(&tenant.me)))
            } else {
                (format!("{SECRET}{number}"), others.clone())
            };
            let body = json!({"value": value, "tags": ["shared", tenant.said("{me}-tag")]}).to_string();
            api.put(&entry(key), body).bearer(&by).send()
        });
        stream::iter(puts).buffer_unordered(AT_ONCE).for_each(async |stored| drop(stored.expect(201))).await;
        for tenant in &tenants {
            let (mine, other) = (tenant.mine(), tenant.other());
            let mut jobs = BTreeMap::from([("absent".to_owned(), format!("warm_job_{:032x}", 0))]);
            for (name, keys) in [("inside", vec![&mine]), ("mixed", vec![&mine, &other]), ("outside", vec![&other])] {
                let request = api.request("POST", "/warm").bearer(&others).body(json!({"keys": keys}).to_string());
                let begun = request.send().await.expect(202).json();
                jobs.insert(name.to_owned(), begun["warming_job_id"].as_str().unwrap().to_owned());
            }
            world.jobs.insert(tenant.me.clone(), jobs);
            world.invalidations.insert(tenant.me.clone(), invalidated(api, tenant, &others).await);
        }
        (world, tenants)
    }

    /// The keys of the table as a tenant says them, and one of its own.
    pub fn keys(&self, tenant: &Tenant) -> BTreeSet<String> {
        self.table.keys.iter().map(|key| tenant.said(key)).chain([tenant.mine()]).collect()
    }

    /// The job of somebody else that a tenant may know of as an administrator, if it may touch the key it is about.
    pub fn shown_job(&self, tenant: &Tenant) -> Option<&String> {
        tenant.owns(&tenant.mine()).then(|| &self.jobs[&tenant.me]["inside"])
    }

    /// The invalidation of somebody else that a tenant may know of, and undo as an administrator.
    pub fn shown_invalidation(&self, tenant: &Tenant) -> Option<&String> {
        tenant.owns(&tenant.mine()).then(|| &self.invalidations[&tenant.me]["inside"])
    }

    /// What no answer to a tenant may have in it, unless the request had.
    pub fn hidden_from(&self, tenant: &Tenant) -> impl Iterator<Item = &String> {
        let shown = [self.shown_job(tenant), self.shown_invalidation(tenant)];
        let names = self.jobs.values().chain(self.invalidations.values()).flat_map(BTreeMap::values);
        self.table.masked.iter().chain(names.filter(move |id| !shown.contains(&Some(*id))))
    }

    /// All that is outside of what the tenants own.
    pub async fn outside(&self, api: &Api, tenants: &[Tenant]) -> Outside {
        let is_owned = |key: &str| tenants.iter().any(|tenant| tenant.owns(key));
        let shown: BTreeSet<&String> = tenants.iter().filter_map(|tenant| self.shown_job(tenant)).collect();
        let hidden: BTreeSet<&String> =
            self.jobs.values().flat_map(BTreeMap::values).filter(|job| !shown.contains(job)).collect();
        let is_kept = |row: &Item| match text_of(row, "pk").strip_prefix("job#") {
            Some(job) => hidden.contains(&job.to_owned()),
            None => text_of(row, "pk") == "note" && text_of(row, "sk") == "!document",
        };
        let rows = entries(api).await.into_iter().filter(|row| !is_owned(text_of(row, "sk")));
        let control = all(api, "cache_control").await.into_iter().filter(is_kept);
        let ordered = |row: Item| format!("{:?}", row.into_iter().collect::<BTreeMap<_, _>>());
        let mut there: BTreeSet<String> = rows.chain(control).map(ordered).collect();
        for key in tenants.iter().flat_map(|tenant| self.keys(tenant)).filter(|key| !is_owned(key)) {
            let copy: Option<Vec<u8>> = command(api, &["GET", &copy_name(&key)]).await;
            there.insert(format!("copy of {key}: {copy:?}"));
        }
        Outside(there)
    }
}

/// Invalidates, by somebody else, what is a tenant's, both, and what is not; the names by which that can be undone. Who
/// invalidated what is a tenant's is told to it.
async fn invalidated(api: &Api, tenant: &Tenant, others: &str) -> BTreeMap<String, String> {
    let (mine, other) = (format!("{}:undone", tenant.mine()), format!("{}:undone", tenant.other()));
    let mut names = BTreeMap::from([("absent".to_owned(), format!("{:044x}", 0))]);
    let told = api.stack.token(Claims::default().subject("neighbour").api_key("neighbour"));
    let invalidations =
        [("inside", vec![&mine], &*told), ("mixed", vec![&mine, &other], others), ("outside", vec![&other], others)];
    for (name, keys, by) in invalidations {
        let body = json!({"keys": keys, "undo_seconds": 3600}).to_string();
        let done = api.request("POST", "/invalidate").bearer(by).body(body).send().await.expect(200).json();
        names.insert(name.to_owned(), done["invalidation_id"].as_str().unwrap().to_owned());
    }
    names
}

impl Outside {
    /// What is there before and not after, or after and not before.
    pub fn differences(&self, after: &Outside) -> Vec<String> {
        self.0.symmetric_difference(&after.0).cloned().collect()
    }
}

/// The secrets in a text.
pub fn secrets(text: &str) -> BTreeSet<String> {
    let of = |(at, _): (usize, _)| {
        let rest = &text[at + SECRET.len()..];
        let name = rest.chars().take_while(char::is_ascii_alphanumeric);
        SECRET.chars().chain(name).collect()
    };
    text.match_indices(SECRET).map(of).collect()
}
