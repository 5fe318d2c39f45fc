use strata_client::{Client, Error};

/// What is not there is nothing to fail for.
pub async fn run(client: &Client) -> Result<(), Error> {
    client.put("session:1", &true).await?;
    let deleted = client.delete("session:1").await?.expect("it was just stored");
    println!("deleted from {:?}", deleted.deleted_from_levels);
    assert!(client.delete("session:1").await?.is_none());
    Ok(())
}
