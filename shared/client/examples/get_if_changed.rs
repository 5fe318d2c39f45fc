use strata_client::{Change, Client, Error};

/// Asks whether a value that is at hand is still the one in force.
pub async fn run(client: &Client) -> Result<(), Error> {
    let stored = client.put("rates:eur", &1.09).await?;
    assert!(matches!(client.get_if_changed("rates:eur", stored.etag).await?, Change::None));

    let old = client.put("rates:eur", &1.10).await?.etag;
    client.put("rates:eur", &1.11).await?;
    match client.get_if_changed("rates:eur", old).fresh().await? {
        Change::Changed(entry) => assert_eq!(entry.value.get(), "1.11"),
        other => panic!("{other:?}"),
    }
    Ok(())
}
