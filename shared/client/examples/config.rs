use strata_client::{Client, Error};

/// Reads a setting.
pub async fn run(client: &Client) -> Result<(), Error> {
    let config = client.config().await?;
    let minutes = config.field("l1_config.ttl_minutes").and_then(|minutes| minutes.as_u64());
    println!("memory keeps entries for {minutes:?} minutes");
    assert!(minutes.is_some());
    Ok(())
}
