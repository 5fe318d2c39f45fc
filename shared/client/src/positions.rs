//! What the client has seen and done, as answers said it: sent back, it is answered by nothing older.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Mutations under way at once that all count; of more the latest. As many as a header has room for.
const MOST: usize = 64;

/// Positions, each of an answer that knew of nothing of the others. An answer knows of what was sent with its request, so
/// that there are as many as requests were under way at once.
#[derive(Debug, Default)]
pub(crate) struct Positions(Mutex<Vec<Arc<str>>>);

impl Positions {
    /// What a request is to send.
    pub(crate) fn known(&self) -> Vec<Arc<str>> {
        self.locked().clone()
    }

    /// Takes in what came with the answer to a request that had `sent` so much.
    pub(crate) fn answered(&self, sent: &[Arc<str>], position: &str) {
        let mut known = self.locked();
        known.retain(|one| !sent.contains(one) && **one != *position);
        known.push(position.into());
        let over = known.len().saturating_sub(MOST);
        known.drain(..over);
    }

    /// Forgets all; whether there was anything.
    pub(crate) fn forget(&self) -> bool {
        !std::mem::take(&mut *self.locked()).is_empty()
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Arc<str>>> {
        // The list is whole whatever has panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As a header has them.
pub(crate) fn header(positions: &[Arc<str>]) -> String {
    positions.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_takes_the_place_of_what_it_knows_of() {
        let positions = Positions::default();
        assert_eq!(header(&positions.known()), "");
        positions.answered(&[], "a");
        let sent = positions.known();
        // Two at once: neither answer knows of the other.
        positions.answered(&sent, "b");
        positions.answered(&sent, "c");
        assert_eq!(header(&positions.known()), "b, c");
        positions.answered(&positions.known(), "c");
        assert_eq!(header(&positions.known()), "c");
        assert!(positions.forget() && !positions.forget());
        (0..100).for_each(|number| positions.answered(&[], &number.to_string()));
        assert_eq!((positions.known().len(), &*positions.known()[0]), (MOST, "36"));
    }
}
