//! Read-through: a missing value is loaded once, and stored only if nothing has touched its key since.
//!
//! One task of this process makes the flight: it takes the lease in the round trip that finds nothing, loads, and stores with
//! the token of its miss. The others wait for its result, and use it only if it is as new as what they would have read
//! themselves. A load stops when nobody waits for it any more.

pub(crate) mod flights;

use self::flights::{Landed, Pilot, Seat, landed};
use super::{TieredCache, fill::leases::OwnLease, view::View};
use crate::{
    chance,
    fill::{Fill, FillToken, Lease, MAX_WAIT_SECONDS},
    json::Json,
    key::Key,
    level::Level,
    load::{Load, LoadError},
    outcome::{CacheError, Hit, Lookup, Read},
    redis::Wanted,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{any::Any, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// Why a load gave no text.
enum Unloaded<E> {
    Failed(E),
    Json(serde_json::Error),
}

/// What was there when it was looked for.
enum Ground {
    Hit(Hit),
    /// Nothing; with the token to store what is loaded, if there is one.
    Miss(Option<FillToken>),
}

impl TieredCache {
    /// Reads `key`; where nothing is there, loads the value and keeps it as `load` says. Of all that ask for it at once, here
    /// and in other containers, one loads. What was touched while it was loaded is returned and not kept.
    ///
    /// A cache that is out of reach costs loads and is no error. A load must not ask for its own key.
    ///
    /// # Errors
    /// When the load fails or takes too long, or what is stored is of another type.
    pub async fn get_or_load<T, E>(
        &self,
        key: &Key,
        load: &Load,
        loader: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, LoadError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
    {
        let mut own = None;
        let written = async || -> Result<Json, Unloaded<E>> {
            let value = loader().await.map_err(Unloaded::Failed)?;
            let text = Json::of(&value).map_err(Unloaded::Json)?;
            own = Some(value);
            Ok(text)
        };
        let text = self.look_or_load(key, load, written).await?;
        match own {
            Some(value) => Ok(value),
            None => serde_json::from_slice(text.text()).map_err(LoadError::Json),
        }
    }

    /// The same with values as JSON text, which is returned byte for byte.
    ///
    /// # Errors
    /// When the load fails or takes too long.
    pub async fn get_or_load_json<E: Send + Sync + 'static>(
        &self,
        key: &Key,
        load: &Load,
        loader: impl AsyncFnOnce() -> Result<Json, E>,
    ) -> Result<Json, LoadError<E>> {
        self.look_or_load(key, load, async || loader().await.map_err(Unloaded::Failed)).await
    }

    /// What own L1 may answer with.
    async fn get_held(&self, key: &Key, read: Read) -> Option<Hit> {
        let mut hit = self.view().held_value(key, read)?;
        self.put_off_end(key, &mut hit).await;
        self.prefetch().await;
        Some(hit)
    }

    async fn look_or_load<E: Send + Sync + 'static>(
        &self,
        key: &Key,
        load: &Load,
        loader: impl AsyncFnOnce() -> Result<Json, Unloaded<E>>,
    ) -> Result<Json, LoadError<E>> {
        let held = self.get_held(key, load.reading()).await;
        match held {
            Some(hit) if !load.is_due(hit.entry.expires_at_ms, self.clock.now_ms()) => Ok(text_of(&hit)),
            // On the heap, so that a hit does not carry it about.
            held => Box::pin(self.board(key, load, held, loader)).await,
        }
    }

    /// Waits for who looks below L1 already, or does so. Where there is a value that is to be loaded anew, it is `held`.
    async fn board<E: Send + Sync + 'static>(
        &self,
        key: &Key,
        load: &Load,
        held: Option<Hit>,
        loader: impl AsyncFnOnce() -> Result<Json, Unloaded<E>>,
    ) -> Result<Json, LoadError<E>> {
        let refusals = load.refusals();
        if !refusals.is_empty() {
            return Err(LoadError::Refused(refusals));
        }
        let asked_ms = self.clock.steady_ms();
        loop {
            let flight = match self.flights.board(key) {
                Seat::Pilot(pilot) => return self.fly(pilot, key, load, held, loader).await,
                Seat::Passenger(flight) => flight,
            };
            if let Some(hit) = &held {
                // Somebody loads it anew.
                return Ok(text_of(hit));
            }
            match landed(flight).await {
                Some(Landed::Found { value, known_ms })
                    if asked_ms <= known_ms.saturating_add(self.window(load.reading())) =>
                {
                    return Ok(value);
                }
                Some(Landed::Failed(error)) => {
                    if let Ok(error) = error.downcast::<E>() {
                        return Err(LoadError::Failed(error));
                    }
                }
                Some(Landed::TimedOut) => return Err(LoadError::TimedOut),
                // It may not know of what was acknowledged before this was asked.
                Some(Landed::Found { .. }) => {
                    if let Ok(Lookup { hit: Some(hit), .. }) = self.get(key, load.reading()).await {
                        return Ok(text_of(&hit));
                    }
                }
                None => {}
            }
        }
    }

    /// Δ of a read, in ms.
    fn window(&self, read: Read) -> i64 {
        let window_ms = if read.at_least.is_nothing() { self.view().window_ms(read) } else { 0 };
        i64::try_from(window_ms).unwrap_or(i64::MAX)
    }

    async fn fly<E: Send + Sync + 'static>(
        &self,
        pilot: Pilot<'_>,
        key: &Key,
        load: &Load,
        held: Option<Hit>,
        loader: impl AsyncFnOnce() -> Result<Json, Unloaded<E>>,
    ) -> Result<Json, LoadError<E>> {
        let began_ms = self.clock.steady_ms();
        let ground = match held {
            Some(hit) => Ground::Hit(hit),
            None => self.find_or_lease(key, load).await,
        };
        let (hit, token) = match ground {
            Ground::Hit(hit) if load.is_due(hit.entry.expires_at_ms, self.clock.now_ms()) => {
                let (value, known_ms) = self.load_anew(key, load, hit, loader).await;
                pilot.land(Landed::Found { value: value.clone(), known_ms });
                return Ok(value);
            }
            Ground::Hit(hit) => (Some(hit), None),
            Ground::Miss(token) => (None, token),
        };
        if let Some(hit) = hit {
            // L1 may have been believed for what is known of it since Δ.
            let known_ms =
                if hit.level == Level::L1 { began_ms.saturating_sub(self.window(Read::DEFAULT)) } else { began_ms };
            let value = text_of(&hit);
            pilot.land(Landed::Found { value: value.clone(), known_ms });
            return Ok(value);
        }
        let lease = token.as_ref().map(|token| OwnLease::new(self, key, token.lease));
        let (mut known_ms, mut is_kept) = (self.clock.steady_ms(), false);
        let loaded = timeout(load.timeout, loader()).await;
        let (landed, ended) = match loaded {
            Ok(Ok(value)) => {
                let loaded_ms = self.clock.steady_ms();
                is_kept = self.keep(key, load, &value, token).await;
                if is_kept {
                    known_ms = loaded_ms;
                }
                (Some(Landed::Found { value: value.clone(), known_ms }), Ok(value))
            }
            Ok(Err(Unloaded::Failed(error))) => {
                let error = Arc::new(error);
                let told: Arc<dyn Any + Send + Sync> = error.clone();
                (Some(Landed::Failed(told)), Err(LoadError::Failed(error)))
            }
            Ok(Err(Unloaded::Json(error))) => (None, Err(LoadError::Json(error))),
            Err(_) => (Some(Landed::TimedOut), Err(LoadError::TimedOut)),
        };
        match lease {
            // It went with what was stored.
            Some(lease) if is_kept => lease.forget(),
            Some(lease) => lease.give_back().await,
            None => {}
        }
        if let Some(landed) = landed {
            pilot.land(landed);
        }
        ended
    }

    /// Looks for the value, and takes the lease to load it where there is none. While somebody else has that, waits, for as
    /// long as a load may take.
    async fn find_or_lease(&self, key: &Key, load: &Load) -> Ground {
        let until = Instant::now() + load.timeout.min(Duration::from_secs(u64::from(u32::MAX)));
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let wait = left.min(Duration::from_secs(MAX_WAIT_SECONDS.into()));
            let lease = Lease { seconds: load.lease_seconds(), wait, api_key: load.api_key.clone() };
            match self.get_or_lease(key, load.reading(), &lease).await {
                Ok((Lookup { hit: Some(hit), .. }, _)) => return Ground::Hit(hit),
                Ok((_, Some(Fill::Granted { token, .. }))) => return Ground::Miss(Some(token)),
                Ok((_, Some(Fill::Held { retry_after }))) if Instant::now() < until => {
                    let ms = u64::from(retry_after) * 1000;
                    let pause = Duration::from_millis(chance::u64(ms / 2..=ms));
                    sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
                }
                Ok(_) => return Ground::Miss(None),
                Err(error) => {
                    tracing::debug!(error = error.chain(), "loaded without a lease");
                    return Ground::Miss(None);
                }
            }
        }
    }

    /// Keeps what was loaded. Returns whether it is proven that nothing had touched the key by then.
    async fn keep(&self, key: &Key, load: &Load, value: &Json, token: Option<FillToken>) -> bool {
        let is_fenced = token.is_some();
        let Some(put) = load.put_with(value, token) else { return false };
        told(self.put(key, put).await.map(drop)) && is_fenced
    }

    /// Loads a value anew that ends soon, if nobody else does. Where that fails, or takes too long, or something has touched
    /// the key, the one that is there is good for as long as it was. Returns what is to be answered, and since when nothing
    /// has been acknowledged that it does not know.
    async fn load_anew<E>(
        &self,
        key: &Key,
        load: &Load,
        hit: Hit,
        loader: impl AsyncFnOnce() -> Result<Json, Unloaded<E>>,
    ) -> (Json, i64) {
        let known_ms = self.clock.steady_ms();
        let as_it_was = (text_of(&hit), known_ms.saturating_sub(self.window(Read::DEFAULT)));
        let wanted = Wanted { lease: chance::u64(1..), seconds: load.lease_seconds() };
        if !self.view().lease_anyway(key, wanted).await {
            return as_it_was;
        }
        let lease = OwnLease::new(self, key, wanted.lease);
        let most = load.soft_timeout.unwrap_or(load.timeout).min(load.timeout);
        let loaded = timeout(most, loader()).await;
        let answer = match loaded {
            Ok(Ok(value)) => {
                if let Some(put) =
                    load.put(&value).filter(|put| put.tags.iter().all(|tag| hit.entry.tags.contains(tag)))
                {
                    told(self.renew(key, hit.entry.version, &put).await.map(drop));
                }
                (value, known_ms)
            }
            Ok(Err(_)) | Err(_) => {
                tracing::debug!("a value that ends soon was not loaded anew");
                as_it_was
            }
        };
        drop(lease);
        answer
    }
}

impl View<'_> {
    /// The value that own L1 may answer with, as a read of it would.
    fn held_value(&self, key: &Key, read: Read) -> Option<Hit> {
        if !self.uses(Level::L2) {
            return None;
        }
        let mut path = self.path();
        let found = self.get_from_memory(key, self.honour_position(read), &mut path)?;
        let found = Ok(Some(found));
        self.count_lookup(&path, &found);
        found.ok().flatten()
    }
}

fn text_of(hit: &Hit) -> Json {
    Json::checked(hit.entry.text.clone())
}

/// Whether it was stored. That others came first, or that a level is out of reach, is as it should be; anything else is worth
/// a line in the log.
fn told(stored: Result<(), CacheError>) -> bool {
    match stored {
        Ok(()) => return true,
        Err(
            error @ (CacheError::LeaseLost
            | CacheError::PreconditionFailed
            | CacheError::Contended
            | CacheError::Unavailable { .. }),
        ) => tracing::debug!(error = error.chain(), "what was loaded is not kept"),
        Err(error) => tracing::warn!(error = error.chain(), "what was loaded is not kept"),
    }
    false
}
