use strata_client::{Client, Error};

/// Goes through all keys under a prefix.
pub async fn run(client: &Client) -> Result<(), Error> {
    for number in 0..5 {
        client.put(format!("shelf:{number}"), &number).tags(["shelf"]).await?;
    }
    let mut found = Vec::new();
    let mut page = client.keys().prefix("shelf:").limit(2).await?;
    loop {
        found.extend(page.keys.into_iter().map(|listed| listed.key));
        let Some(next) = page.next else { break };
        page = client.keys().prefix("shelf:").limit(2).cursor(next).await?;
    }
    assert_eq!(found, ["shelf:0", "shelf:1", "shelf:2", "shelf:3", "shelf:4"]);
    Ok(())
}
