use strata_client::{Client, Error};

/// Asks why there is no value.
pub async fn run(client: &Client) -> Result<(), Error> {
    client.put("session:9", &"value").await?;
    client.delete("session:9").await?;
    let explained = client.explain("session:9").await?;
    // A container that has not heard of it yet says that its copy is stale; the others that it is a miss.
    assert_eq!(explained.reason.as_deref(), Some("deleted"));
    let cause = explained.cause.expect("it was a moment ago");
    println!("deleted at {} by {:?}", cause.at, cause.by);
    Ok(())
}
