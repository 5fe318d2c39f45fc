//! Single flight: of all that miss a key in this process one looks below L1 and loads, and the others wait for what it finds.

use crate::{
    json::Json,
    key::Key,
    lock::{Lock, whole},
};
use std::{any::Any, collections::HashMap, sync::Arc};
use tokio::sync::watch;

/// What is under way, by key.
#[derive(Debug, Default)]
pub(crate) struct Flights(Lock<HashMap<Key, watch::Receiver<Option<Landed>>>>);

/// What came of a flight.
#[derive(Debug, Clone)]
pub(crate) enum Landed {
    /// A value, of which nothing had been acknowledged in `known_ms` of steady time that it does not know.
    Found { value: Json, known_ms: i64 },
    /// The same of one that has expired, at `ended_ms`, for who takes that. It may be told before the end of a flight.
    Expired { value: Json, known_ms: i64, ended_ms: i64 },
    /// The load failed, with an error of a type that its caller knows.
    Failed(Arc<dyn Any + Send + Sync>),
    /// It took too long.
    TimedOut,
}

/// What a caller is to do.
pub(crate) enum Seat<'a> {
    /// Fly.
    Pilot(Pilot<'a>),
    /// Wait for who does.
    Passenger(watch::Receiver<Option<Landed>>),
}

/// Whoever flies. However that ends, nobody waits for it any more then.
pub(crate) struct Pilot<'a> {
    flights: &'a Flights,
    key: &'a Key,
    landing: watch::Sender<Option<Landed>>,
}

impl Flights {
    /// Takes a seat.
    pub(crate) fn board<'a>(&'a self, key: &'a Key) -> Seat<'a> {
        // Each flight is put in and taken out in one step.
        let mut flights = self.0.enter(whole);
        if let Some(flight) = flights.get(key) {
            return Seat::Passenger(flight.clone());
        }
        let (landing, flight) = watch::channel(None);
        flights.insert(key.clone(), flight);
        Seat::Pilot(Pilot { flights: self, key, landing })
    }

    /// Whether anybody flies.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.enter(whole).is_empty()
    }
}

impl Pilot<'_> {
    /// Tells those who wait.
    pub(crate) fn land(self, landed: Landed) {
        self.tell(landed);
    }

    /// Tells those who wait, and whoever comes, what there is already.
    pub(crate) fn tell(&self, landed: Landed) {
        self.landing.send_replace(Some(landed));
    }
}

impl Drop for Pilot<'_> {
    fn drop(&mut self) {
        self.flights.0.enter(whole).remove(self.key);
    }
}

/// Waits until a flight comes to what its passenger takes; `None` when it never will, because its pilot is gone.
pub(crate) async fn landed(
    mut flight: watch::Receiver<Option<Landed>>,
    takes: impl Fn(&Landed) -> bool,
) -> Option<Landed> {
    flight.wait_for(|landed| landed.as_ref().is_some_and(&takes)).await.ok()?.clone()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn passenger(flights: &Flights, key: &Key) -> watch::Receiver<Option<Landed>> {
        match flights.board(key) {
            Seat::Passenger(flight) => flight,
            Seat::Pilot(_) => panic!("nobody flies"),
        }
    }

    #[tokio::test]
    async fn one_flies_and_all_land() {
        let (flights, key) = (Flights::default(), Key::new("k").unwrap());
        let Seat::Pilot(pilot) = flights.board(&key) else { panic!("somebody flies") };
        let waiting: Vec<_> = (0..3).map(|_| landed(passenger(&flights, &key), |_| true)).collect();
        assert!(matches!(flights.board(&Key::new("other").unwrap()), Seat::Pilot(_)));
        pilot.land(Landed::Found { value: Json::of(&1).unwrap(), known_ms: 7 });
        for waiting in waiting {
            assert!(matches!(waiting.await, Some(Landed::Found { known_ms: 7, .. })));
        }
        assert!(flights.is_empty());
    }

    #[tokio::test]
    async fn who_takes_what_has_expired_does_not_wait_for_the_end() {
        let (flights, key) = (Flights::default(), Key::new("k").unwrap());
        let Seat::Pilot(pilot) = flights.board(&key) else { panic!("somebody flies") };
        let is_found = |landed: &Landed| matches!(landed, Landed::Found { .. });
        let waiting = landed(passenger(&flights, &key), is_found);
        let value = Json::of(&1).unwrap();
        pilot.tell(Landed::Expired { value: value.clone(), known_ms: 7, ended_ms: 5 });
        let early = landed(passenger(&flights, &key), |_| true).await;
        assert!(matches!(early, Some(Landed::Expired { ended_ms: 5, .. })));
        pilot.land(Landed::Found { value, known_ms: 7 });
        assert!(waiting.await.is_some_and(|landed| is_found(&landed)) && flights.is_empty());
    }

    #[tokio::test]
    async fn nobody_waits_for_a_pilot_who_is_gone() {
        let (flights, key) = (Flights::default(), Key::new("k").unwrap());
        let Seat::Pilot(pilot) = flights.board(&key) else { panic!("somebody flies") };
        let waiting = landed(passenger(&flights, &key), |_| true);
        drop(pilot);
        assert!(waiting.await.is_none() && flights.is_empty());
        assert!(matches!(flights.board(&key), Seat::Pilot(_)));
    }
}
