use strata_client::{Client, Error};

/// What one client has stored, another one reads at once, in whatever container.
pub async fn run(client: &Client) -> Result<(), Error> {
    client.put("shared:1", "new").await?;

    // It goes along with a request to another service, or with a message.
    let position = client.position().expect("there was an answer");
    let other = client.clone();
    other.has_seen(position);
    assert_eq!(other.get("shared:1").await?.expect("it was just stored").value.get(), "\"new\"");
    Ok(())
}
