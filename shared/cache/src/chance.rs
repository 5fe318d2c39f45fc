//! Chance, drawn in one place.
//!
//! It comes from a generator of the thread, which the operating system seeds; a test that seeds it has the same draws each
//! time, and with a [clock](crate::Clock) of its own and [time](tokio::time) that stands still the same run. A tidy test
//! says that nobody draws elsewhere.

use std::ops::RangeBounds;

/// A number of the range.
pub(crate) fn u64(range: impl RangeBounds<u64>) -> u64 {
    fastrand::u64(range)
}

/// Any number.
pub(crate) fn u16() -> u16 {
    fastrand::u16(..)
}

/// A number of the range.
pub(crate) fn usize(range: impl RangeBounds<usize>) -> usize {
    fastrand::usize(range)
}

/// A number from 0 up to 1.
pub(crate) fn share() -> f64 {
    fastrand::f64()
}

/// A name that no other has, of 16 digits.
pub(crate) fn name() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// A number that nobody can foretell, also not who has seen others of this container: those above can be told from those
/// before.
pub(crate) fn unforeseen() -> u128 {
    #[cfg(feature = "in-memory")]
    if IS_SEEDED.get() {
        return fastrand::u128(..);
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the operating system has random numbers");
    u128::from_le_bytes(random)
}

#[cfg(feature = "in-memory")]
thread_local! {
    static IS_SEEDED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// From now on everything that is drawn by lot in this thread comes from the seed.
#[cfg(feature = "in-memory")]
pub fn seed(seed: u64) {
    fastrand::seed(seed);
    IS_SEEDED.set(true);
}
