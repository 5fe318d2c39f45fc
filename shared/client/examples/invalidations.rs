use std::time::Duration;
use strata_client::{Client, Error, InvalidationState};

/// What can be undone at the moment.
pub async fn run(client: &Client) -> Result<(), Error> {
    client.put("mistake:2", "dear").await?;
    client.delete("mistake:2").undo_within(Duration::from_secs(600)).await?.expect("it was there");

    for invalidation in client.invalidations().await?.invalidations {
        if invalidation.state == InvalidationState::Undoable {
            println!("{} {:?} until {:?}", invalidation.invalidation_id, invalidation.key, invalidation.undo_until);
        }
    }
    Ok(())
}
