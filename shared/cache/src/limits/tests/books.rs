//! The twin of `lease.lua`.

use crate::limits::{Lent, Report};
use std::collections::{BTreeMap, HashMap};

/// What the script is told besides the report.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub limit: u32,
    pub spare: u32,
    pub window: i64,
    pub life: i64,
}

/// The count of one limit.
#[derive(Debug, Default)]
pub(crate) struct Books {
    used: BTreeMap<i64, i64>,
    leased: BTreeMap<i64, i64>,
    containers: HashMap<usize, Account>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Account {
    report: u64,
    lent: i64,
    until: i64,
    counted: bool,
}

impl Books {
    /// Takes a report at `time_us` of its own time; `None` when a later one is known.
    pub(crate) fn renew(&mut self, terms: Terms, container: usize, report: &Report, time_us: i64) -> Option<Lent> {
        let now = time_us / 1_000_000;
        let last = self.containers.get(&container).copied().unwrap_or_default();
        if report.number < last.report {
            return None;
        }
        self.used.retain(|second, _| *second > now - terms.window && *second <= now);
        self.leased.retain(|second, _| *second > now && *second <= now + terms.life + 1);
        if let Some(leased) = self.leased.get_mut(&last.until) {
            *leased -= last.lent;
        }
        let limit = i64::from(terms.limit);
        let mut counted = last.counted;
        if report.number > last.report {
            report.uses.iter().for_each(|(second, uses)| self.spend(terms, *second, now, *uses));
            let fits = |permits| self.used() + i64::from(permits) <= limit;
            let asks = report.asks.filter(|(second, permits)| *second > now - terms.window && fits(*permits));
            asks.into_iter().for_each(|(second, permits)| self.spend(terms, second, now, permits));
            counted = asks.is_some();
        }
        let (used, leased) = (self.used(), self.leased.values().sum::<i64>());
        let free = (limit - used - leased).div_euclid(2);
        let lent = if used < limit { free.max(0).min(i64::from(terms.spare)) } else { 0 };
        let until = now + terms.life + 1;
        if lent > 0 {
            *self.leased.entry(until).or_default() += lent;
        }
        self.containers.insert(container, Account { report: report.number, lent, until, counted });
        let needs = report.asks.filter(|_| !counted).map_or(1, |(_, permits)| i64::from(permits));
        let back = self.back(terms, limit - needs, used).unwrap_or(now + terms.window);
        let granted = lent.try_into().unwrap();
        Some(Lent { time_us, granted, counted, used: used.try_into().unwrap(), back })
    }

    fn spend(&mut self, terms: Terms, second: i64, now: i64, uses: u32) {
        let second = second.min(now);
        if second > now - terms.window {
            *self.used.entry(second).or_default() += i64::from(uses);
        }
    }

    fn used(&self) -> i64 {
        self.used.values().sum()
    }

    /// When no more than `most` are used.
    fn back(&self, terms: Terms, most: i64, used: i64) -> Option<i64> {
        let mut left = used;
        let mut leaving = self.used.iter().skip_while(|(_, uses)| {
            left -= **uses;
            left > most
        });
        leaving.next().map(|(second, _)| second + terms.window)
    }
}
