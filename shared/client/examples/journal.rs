use strata_client::{Client, Error};

/// Follows what is changed.
pub async fn run(client: &Client) -> Result<(), Error> {
    client.put("audit:1", &1).await?;
    let newest = client.journal().limit(1).await?;
    assert_eq!(newest.mutations[0].key.as_deref(), Some("audit:1"));

    client.delete("audit:1").await?;
    let since = newest.next.expect("there is one to go on from");
    for mutation in client.journal().since(since).await?.mutations {
        println!("{} {} {:?} by {:?}", mutation.at, mutation.kind, mutation.key, mutation.by);
    }
    Ok(())
}
