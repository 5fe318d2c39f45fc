//! The meters of every API key that a container has served lately.

use super::{
    Class, Limits, Standing,
    meter::{Lent, Meter, Report},
};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, sync::Arc};

/// Most API keys a container keeps in mind, about 500 bytes each. With more of them within a minute, the uses that the
/// one heard of least recently has not reported are forgotten.
const MOST_KEYS: usize = 1000;
/// Most reports that ride along with one sync.
const MOST_RIDING: usize = 8;
/// Bytes of the hash that stands for an API key in Redis.
const NAME_BYTES: usize = 16;

/// Where a request that was admitted stands with each class; or where one stands that was refused.
pub(crate) type Admitted<const N: usize> = Result<[Option<Standing>; N], Standing>;

/// The meters of a container.
#[derive(Debug)]
pub(crate) struct Meters {
    limits: Limits,
    keys: HashMap<Box<str>, Metered>,
    /// Number of the last report.
    reports: u64,
}

#[derive(Debug)]
struct Metered {
    name: Arc<str>,
    meters: [Option<Meter>; Class::ALL.len()],
}

/// A report on its way, and what it is about.
#[derive(Debug)]
pub(crate) struct Renewal {
    /// Stands for the API key where others can see it.
    pub name: Arc<str>,
    pub class: Class,
    pub report: Report,
    pub limit: u32,
    /// Most permits to borrow.
    pub spare: u32,
    /// When it was made, by this container's clock.
    pub sent_ms: i64,
    api_key: Box<str>,
}

impl Meters {
    pub(crate) fn new(limits: Limits) -> Meters {
        Meters { limits, keys: HashMap::new(), reports: 0 }
    }

    /// Whether the limit of a class holds exactly while Redis answers.
    pub(crate) fn is_exact(&self, class: Class) -> bool {
        self.limits.is_exact(class)
    }

    /// The limit of a class.
    pub(crate) fn limit(&self, class: Class) -> Option<u32> {
        self.limits.of(class)
    }

    /// Admits or refuses a request that needs permits of some classes, all or none, without asking anybody. Otherwise says
    /// of which class Redis must be asked.
    pub(crate) fn decide<const N: usize>(
        &mut self,
        api_key: &str,
        needs: [(Class, u32); N],
        now_ms: i64,
    ) -> Result<Admitted<N>, Class> {
        for (class, permits) in needs.into_iter().filter(|(_, permits)| *permits > 0) {
            let Some(meter) = self.meter(api_key, class, now_ms) else { continue };
            match meter.decide(now_ms, permits) {
                Some(Ok(())) => {}
                Some(Err(standing)) => return Ok(Err(standing)),
                None => return Err(class),
            }
        }
        Ok(Ok(self.take(api_key, needs, now_ms, Meter::take)))
    }

    /// Admits or refuses a request that [`decide`](Meters::decide) left open, by what this container itself has admitted.
    pub(crate) fn decide_alone<const N: usize>(
        &mut self,
        api_key: &str,
        needs: [(Class, u32); N],
        now_ms: i64,
    ) -> Admitted<N> {
        for (class, permits) in needs.into_iter().filter(|(_, permits)| *permits > 0) {
            if let Some(meter) = self.meter(api_key, class, now_ms) {
                meter.decide_alone(now_ms, permits)?;
            }
        }
        Ok(self.take(api_key, needs, now_ms, Meter::take_alone))
    }

    fn take<const N: usize>(
        &mut self,
        api_key: &str,
        needs: [(Class, u32); N],
        now_ms: i64,
        take: fn(&mut Meter, i64, u32) -> Standing,
    ) -> [Option<Standing>; N] {
        needs.map(|(class, permits)| {
            let meter = self.meter(api_key, class, now_ms).filter(|_| permits > 0)?;
            Some(take(meter, now_ms, permits))
        })
    }

    /// The report that asks for a lease for one limit; `None` where there is no limit.
    pub(crate) fn renewal(&mut self, api_key: &str, class: Class, now_ms: i64) -> Option<Renewal> {
        self.meter(api_key, class, now_ms)?;
        let (key, metered) = self.keys.get_key_value(api_key)?;
        let (key, name) = (key.clone(), Arc::clone(&metered.name));
        self.reports += 1;
        let number = self.reports;
        let meter = self.meter(api_key, class, now_ms)?;
        Some(renewal(key, name, meter, number, class, now_ms))
    }

    /// The reports that a sync sent now should carry.
    pub(crate) fn due(&mut self, now_ms: i64) -> Vec<Renewal> {
        let reports = &mut self.reports;
        let meters = self.keys.iter_mut().flat_map(|(key, metered)| {
            let name = &metered.name;
            let meters = metered.meters.iter_mut().zip(Class::ALL);
            meters.filter_map(move |(meter, class)| Some((key, name, meter.as_mut()?, class)))
        });
        let mut due: Vec<_> = meters.filter(|(_, _, meter, _)| meter.is_due(now_ms)).collect();
        due.sort_by_key(|(_, _, meter, _)| !meter.is_wanted());
        let riding = due.into_iter().take(MOST_RIDING);
        let renewals = riding.map(|(key, name, meter, class)| {
            *reports += 1;
            renewal(key.clone(), Arc::clone(name), meter, *reports, class, now_ms)
        });
        renewals.collect()
    }

    /// Takes in the answer to a report.
    pub(crate) fn answered(&mut self, renewal: &Renewal, lent: &Lent, received_ms: i64) {
        let metered = self.keys.get_mut(&renewal.api_key);
        if let Some(meter) = metered.and_then(|metered| metered.meters[renewal.class as usize].as_mut()) {
            meter.answered(renewal.report.number, lent, renewal.sent_ms, received_ms);
        }
    }

    fn meter(&mut self, api_key: &str, class: Class, now_ms: i64) -> Option<&mut Meter> {
        let limit = self.limits.of(class)?;
        if !self.keys.contains_key(api_key) {
            self.make_room(now_ms);
            self.keys.insert(api_key.into(), Metered { name: name(api_key), meters: Default::default() });
        }
        let metered = self.keys.get_mut(api_key)?;
        Some(metered.meters[class as usize].get_or_insert_with(|| Meter::new(class, limit)))
    }

    fn make_room(&mut self, now_ms: i64) {
        if self.keys.len() < MOST_KEYS {
            return;
        }
        self.keys.retain(|_, metered| !metered.meters.iter().flatten().all(|meter| meter.is_idle(now_ms)));
        if self.keys.len() >= MOST_KEYS
            && let Some((oldest, _)) = self.keys.iter().min_by_key(|(_, metered)| metered.last_spent())
        {
            let oldest = oldest.clone();
            self.keys.remove(&oldest);
        }
    }
}

impl Metered {
    fn last_spent(&self) -> i64 {
        self.meters.iter().flatten().map(Meter::last_spent).max().unwrap_or(i64::MIN)
    }
}

fn renewal(api_key: Box<str>, name: Arc<str>, meter: &mut Meter, number: u64, class: Class, now_ms: i64) -> Renewal {
    let report = meter.report(number, now_ms);
    Renewal { name, class, report, limit: meter.limit(), spare: meter.spare(), sent_ms: now_ms, api_key }
}

/// What stands for an API key in Redis: its SHA-256, shortened to 128 bits. API keys may be secrets, and are chosen by
/// others, who must not be able to find two that share a count.
pub(crate) fn name(api_key: &str) -> Arc<str> {
    let digest = Sha256::digest(api_key.as_bytes());
    digest.iter().take(NAME_BYTES).map(|byte| format!("{byte:02x}")).collect::<String>().into()
}
