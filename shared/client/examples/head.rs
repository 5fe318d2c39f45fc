use strata_client::{Client, Error};

/// Whether an entry is there, and which value it has.
pub async fn run(client: &Client) -> Result<(), Error> {
    let stored = client.put("report:1", &"…".repeat(1000)).await?;
    let head = client.head("report:1").await?.expect("it was just stored");
    assert_eq!(head.etag, stored.etag);
    assert!(client.head("report:0").await?.is_none());
    Ok(())
}
