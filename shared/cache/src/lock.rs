//! The only lock for state that threads share, and the only place that decides what a panic leaves of it.
//!
//! A panic does not end a container: it is caught around the request, and the next request finds what the last one left half
//! done. So a lock cannot be entered without saying what becomes of its value then: what a container *knows* is forgotten and
//! learned again; what it still has to tell others is kept.

#[cfg(feature = "shuttle")]
use shuttle::sync::{Mutex, MutexGuard};
#[cfg(not(feature = "shuttle"))]
use std::sync::{Mutex, MutexGuard};

/// A mutex.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

/// Its holder has exclusive access to the value.
pub(crate) type Held<'a, T> = MutexGuard<'a, T>;

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Lock<T> {
        Lock(Mutex::new(value))
    }

    /// Enters. Where a holder has panicked since, `anew` makes of the value what may be gone on with.
    pub(crate) fn enter(&self, anew: impl FnOnce(&mut T)) -> Held<'_, T> {
        self.0.lock().unwrap_or_else(|poisoned| {
            let mut held = poisoned.into_inner();
            // Should this panic as well, the next one finds the lock as this one did.
            anew(&mut held);
            self.0.clear_poison();
            held
        })
    }

    /// The value, when nobody can share it any more.
    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// For a value that is whole after every single step of its holders: a panic between two of them leaves nothing half done.
pub(crate) fn whole<T>(_: &mut T) {}

/// For a value that can be learnt or made again.
pub(crate) fn emptied<T: Default>(value: &mut T) {
    *value = T::default();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
    };

    #[test]
    fn what_a_panic_left_is_begun_anew_once() {
        let (lock, begun) = (Lock::new(vec![1]), AtomicUsize::new(0));
        let enter = || {
            lock.enter(|value| {
                begun.fetch_add(1, Relaxed);
                emptied(value);
            })
        };
        let half_done = || {
            let mut held = enter();
            held.push(2);
            panic!("between two steps");
        };
        assert_eq!(*enter(), [1]);
        assert!(catch_unwind(AssertUnwindSafe(half_done)).is_err());
        assert!(enter().is_empty());
        assert_eq!((enter().len(), begun.load(Relaxed)), (0, 1));
    }

    #[test]
    fn a_panic_while_it_is_begun_anew_leaves_it_to_the_next() {
        let lock = Lock::new(1);
        let panicking = |step: fn(&mut i32)| catch_unwind(AssertUnwindSafe(|| step(&mut lock.enter(step))));
        assert!(panicking(|_| panic!("within")).is_err());
        assert!(panicking(|_| panic!("again")).is_err());
        assert_eq!(*lock.enter(|value| *value = 7), 7);
    }
}
