//! The containers of one function. A busy one never gets a second event; events wait their turn when none is free.
//!
//! Lambda prefers the container that was used last. Here it is the one that has been free longest, so that tests meet
//! all of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::container::Container;
use crate::invoke_error::{InvokeError, REQUEST_LIMIT};
use crate::request::request_id;

pub(crate) struct Pool {
    pub(crate) containers: Vec<Container>,
    turns: Mutex<Turns>,
}

/// Who is free and who waits.
#[derive(Default)]
struct Turns {
    free: VecDeque<usize>,
    waiting: VecDeque<Waiter>,
}

struct Waiter {
    /// Waits for this container and no other.
    pin: Option<usize>,
    turn: oneshot::Sender<Lease>,
}

/// The right to use a container, given back when it is dropped.
pub(crate) struct Lease {
    pool: Arc<Pool>,
    index: usize,
}

impl Pool {
    pub(crate) fn new(containers: Vec<Container>) -> Arc<Self> {
        let free = (0..containers.len()).collect();
        Arc::new(Self { containers, turns: Mutex::new(Turns { free, waiting: VecDeque::new() }) })
    }

    /// Invokes a free container, or the one named; also says which one it was, unless it came to none.
    pub(crate) async fn invoke(
        self: &Arc<Self>,
        event: Bytes,
        pin: Option<&str>,
    ) -> (Option<String>, Result<Bytes, InvokeError>) {
        self.invoke_as(request_id(), event, pin).await
    }

    /// The same under a request id that the caller knows.
    pub(crate) async fn invoke_as(
        self: &Arc<Self>,
        id: String,
        event: Bytes,
        pin: Option<&str>,
    ) -> (Option<String>, Result<Bytes, InvokeError>) {
        if event.len() > REQUEST_LIMIT {
            return (None, Err(InvokeError::RequestTooLarge));
        }
        let pin = match pin.map(|name| self.position(name).ok_or(name)).transpose() {
            Ok(pin) => pin,
            Err(name) => return (None, Err(InvokeError::UnknownContainer(name.to_owned()))),
        };
        let Ok(lease) = self.turn(pin).await else { return (None, Err(InvokeError::ShutDown)) };
        let container = &self.containers[lease.index];
        (Some(container.name.clone()), container.invoke(lease, id, event).await)
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.containers.iter().position(|container| container.name == name)
    }

    /// Queues up for a container.
    fn turn(self: &Arc<Self>, pin: Option<usize>) -> oneshot::Receiver<Lease> {
        let (turn, lease) = oneshot::channel();
        let mut turns = self.turns();
        match turns.take_free(pin) {
            Some(index) => {
                drop(turns);
                let _ = turn.send(Lease { pool: self.clone(), index });
            }
            None => turns.waiting.push_back(Waiter { pin, turn }),
        }
        lease
    }

    /// Hands a container that got free to who waits longest for it.
    fn release(self: &Arc<Self>, index: usize) {
        let waiter = self.turns().next_waiter(index);
        if let Some(waiter) = waiter {
            // A waiter that has gone away drops the lease, which releases the container again.
            let _ = waiter.turn.send(Lease { pool: self.clone(), index });
        }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().expect("nothing panics while it holds the turns")
    }
}

impl Turns {
    fn take_free(&mut self, pin: Option<usize>) -> Option<usize> {
        match pin {
            None => self.free.pop_front(),
            Some(pin) => {
                let position = self.free.iter().position(|&index| index == pin)?;
                self.free.remove(position)
            }
        }
    }

    /// The first waiter that takes this container; without one, the container is free.
    fn next_waiter(&mut self, index: usize) -> Option<Waiter> {
        self.waiting.retain(|waiter| !waiter.turn.is_closed());
        let position = self.waiting.iter().position(|waiter| waiter.pin.is_none_or(|pin| pin == index));
        if position.is_none() {
            self.free.push_back(index);
        }
        position.and_then(|position| self.waiting.remove(position))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.release(self.index);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn turns(free: impl IntoIterator<Item = usize>) -> Turns {
        Turns { free: free.into_iter().collect(), waiting: VecDeque::new() }
    }

    fn wait(turns: &mut Turns, pin: Option<usize>) -> oneshot::Receiver<Lease> {
        let (turn, lease) = oneshot::channel();
        turns.waiting.push_back(Waiter { pin, turn });
        lease
    }

    #[test]
    fn the_container_free_longest_is_next_unless_one_is_named() {
        let mut turns = turns([0, 1, 2]);
        assert_eq!(turns.take_free(Some(1)), Some(1));
        assert_eq!(turns.take_free(None), Some(0));
        assert!(turns.next_waiter(1).is_none());
        assert_eq!([turns.take_free(None), turns.take_free(None)], [Some(2), Some(1)]);
        assert_eq!(turns.take_free(None), None);
        assert_eq!(turns.take_free(Some(0)), None);
    }

    #[test]
    fn waiters_are_served_in_order_and_get_what_they_named() {
        let mut turns = turns([]);
        let _pinned = wait(&mut turns, Some(1));
        drop(wait(&mut turns, None));
        let _any = wait(&mut turns, None);
        assert_eq!(turns.next_waiter(0).unwrap().pin, None);
        assert!(turns.next_waiter(0).is_none());
        assert_eq!(turns.next_waiter(1).unwrap().pin, Some(1));
        assert_eq!(turns.free, [0]);
    }
}
