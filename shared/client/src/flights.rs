//! One load for all who ask for a key at once.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Instant,
};
use tokio::sync::OnceCell;

/// What came of a load, and when that was right.
#[derive(Debug, Clone)]
pub(crate) struct Landed<T> {
    /// Nothing that was acknowledged before this is missing in it.
    pub(crate) as_of: Instant,
    pub(crate) what: T,
}

/// Loads that are under way, by key, and leases that were granted and not used.
#[derive(Debug)]
pub(crate) struct Flights<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    under_way: HashMap<String, Weak<OnceCell<Landed<T>>>>,
    leases: HashMap<String, (String, Instant)>,
}

impl<T> Default for Flights<T> {
    fn default() -> Flights<T> {
        Flights { state: Mutex::new(State { under_way: HashMap::new(), leases: HashMap::new() }) }
    }
}

impl<T: Clone> Flights<T> {
    /// What `load` comes to, or what another comes to that is under way, if that is as new as this call. Where whoever
    /// loads is dropped, the next one who waits does it.
    pub(crate) async fn one(&self, key: &str, load: impl Future<Output = Landed<T>>) -> T {
        let called = Instant::now();
        // What it comes to is as new as the call, so that it is asked to its end once.
        let mut load = pin!(load);
        loop {
            let seat = self.seat(key);
            let (load, seat) = (load.as_mut(), &seat);
            let landed = seat.cell.get_or_init(|| async move {
                let landed = load.await;
                // Who comes from now on begins another.
                seat.leave();
                landed
            });
            let landed = landed.await;
            if landed.as_of >= called {
                return landed.what.clone();
            }
        }
    }

    fn seat<'f>(&'f self, key: &'f str) -> Seat<'f, T> {
        let mut state = self.locked();
        let under_way = state.under_way.get(key).and_then(Weak::upgrade);
        let cell = under_way.unwrap_or_else(|| {
            let cell = Arc::new(OnceCell::new());
            state.under_way.insert(key.to_owned(), Arc::downgrade(&cell));
            cell
        });
        Seat { flights: self, key, cell }
    }

    /// Keeps a lease for the next one who loads the key: nobody else is granted one until it ends.
    pub(crate) fn keep_lease(&self, key: &str, token: String, until: Instant) {
        let leases = &mut self.locked().leases;
        let now = Instant::now();
        leases.retain(|_, (_, until)| *until > now);
        leases.insert(key.to_owned(), (token, until));
    }

    /// The token of a lease that was kept, and until when it lasts.
    pub(crate) fn lease(&self, key: &str) -> Option<(String, Instant)> {
        self.locked().leases.remove(key).filter(|(_, until)| *until > Instant::now())
    }

    fn locked(&self) -> MutexGuard<'_, State<T>> {
        // Nothing panics while it is locked, and the maps are whole all the same.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody's place in a load.
struct Seat<'f, T: Clone> {
    flights: &'f Flights<T>,
    key: &'f str,
    cell: Arc<OnceCell<Landed<T>>>,
}

impl<T: Clone> Seat<'_, T> {
    /// Lets nobody else in.
    fn leave(&self) {
        self.end(|_| true);
    }

    fn end(&self, is_over: impl Fn(&Arc<OnceCell<Landed<T>>>) -> bool) {
        let mut state = self.flights.locked();
        let is_ours = state.under_way.get(self.key).is_some_and(|cell| cell.as_ptr() == Arc::as_ptr(&self.cell));
        if is_ours && is_over(&self.cell) {
            state.under_way.remove(self.key);
        }
    }
}

impl<T: Clone> Drop for Seat<'_, T> {
    /// The last one who leaves a load that never came to its end takes it along.
    fn drop(&mut self) {
        self.end(|cell| Arc::strong_count(cell) == 1);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::{cell::Cell, future::ready, time::Duration};
    use tokio::sync::Notify;

    fn now(what: u32) -> Landed<u32> {
        Landed { as_of: Instant::now(), what }
    }

    #[tokio::test]
    async fn who_asks_meanwhile_gets_what_is_as_new_as_the_question() {
        let (flights, go, loads) = (Flights::default(), Notify::new(), Cell::new(0));
        // As of its beginning, as what cannot be proven; then as of its end.
        for (is_proven, expected) in [(false, 2), (true, 1)] {
            loads.set(0);
            let load = async || {
                let begun = Instant::now();
                loads.set(loads.get() + 1);
                go.notified().await;
                Landed { as_of: if is_proven { Instant::now() } else { begun }, what: loads.get() }
            };
            let first = flights.one("k", load());
            let second = async {
                tokio::task::yield_now().await;
                std::thread::sleep(Duration::from_millis(1));
                let second = flights.one("k", load());
                go.notify_one();
                second.await
            };
            let third = async {
                for _ in 0..5 {
                    tokio::task::yield_now().await;
                }
                go.notify_one();
            };
            let (first, second, ()) = tokio::join!(first, second, third);
            assert_eq!((first, second, loads.get()), (1, expected, expected));
            assert!(flights.locked().under_way.is_empty());
        }
    }

    #[tokio::test]
    async fn who_gives_up_leaves_it_to_the_next() {
        let flights = Flights::default();
        let given_up = flights.one("k", std::future::pending());
        let next = flights.one("k", async { now(2) });
        let (_, next) = tokio::join!(tokio::time::timeout(Duration::from_millis(5), given_up), next);
        assert_eq!(next, 2);
        drop(flights.one("k", ready(now(3))));
        assert!(flights.locked().under_way.is_empty());
    }

    #[test]
    fn a_lease_is_kept_until_it_ends_and_taken_once() {
        let flights = Flights::<u32>::default();
        let soon = Instant::now() + Duration::from_secs(60);
        flights.keep_lease("over", "t".to_owned(), Instant::now());
        flights.keep_lease("k", "t".to_owned(), soon);
        assert_eq!(flights.locked().leases.len(), 1);
        assert_eq!(flights.lease("k"), Some(("t".to_owned(), soon)));
        assert_eq!((flights.lease("k"), flights.lease("over")), (None, None));
    }
}
