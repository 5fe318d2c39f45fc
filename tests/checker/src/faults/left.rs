//! Values that nobody else touches: what a fault makes of them stays until the last look.

use fastrand::Rng;

use super::perform;
use crate::client::Client;
use crate::history::{Action, Operation};
use crate::keys::Keys;

/// How many of them one fault takes.
const VALUES: usize = 4;
/// How many more it takes that are invalidated as soon as they are there.
const INVALIDATED: usize = 3;

/// Stores the values.
pub(super) async fn store(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    for key in Keys::left().take(VALUES) {
        operations.push(perform(client, client.workload.put_with(key, vec![], &[], rng), rng).await);
    }
    operations
}

/// Deletes, replaces or invalidates the values, in this container.
pub(super) async fn end(client: &Client<'_>, container: &str, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    for key in Keys::left().take(VALUES) {
        let end = if container.starts_with("invalidate") {
            Action::Invalidate { scope: client.workload.keys.exactly(key), levels: &[] }
        } else if rng.bool() {
            Action::Delete { key }
        } else {
            client.workload.put_with(key, vec![], &[], rng)
        };
        operations.push(client.perform(container, end).await);
    }
    operations
}

/// Stores more of them in this container, and has each invalidated at once by whoever is asked.
pub(super) async fn store_and_invalidate(client: &Client<'_>, container: &str, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    for key in Keys::left().skip(VALUES).take(INVALIDATED) {
        operations.push(client.perform(container, client.workload.put_with(key, vec![], &[], rng)).await);
        let scope = client.workload.keys.exactly(key);
        operations.push(perform(client, Action::Invalidate { scope, levels: &[] }, rng).await);
    }
    operations
}
