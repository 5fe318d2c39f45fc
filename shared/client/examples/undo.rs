use std::time::Duration;
use strata_client::{Client, Error, Selector};

/// Invalidates too much, and takes it back.
pub async fn run(client: &Client) -> Result<(), Error> {
    client.put("mistake:1", "dear").await?;
    let removed = client.invalidate(Selector::pattern("mistake:*")).undo_within(Duration::from_secs(600)).await?;
    assert!(client.get("mistake:1").fresh().await?.is_none());

    let id = removed.invalidation_id.expect("what was removed is kept");
    assert_eq!(client.undo(&id).await?.restored, 1);
    assert!(client.get("mistake:1").fresh().await?.is_some());
    Ok(())
}
