use strata_client::{Client, Error};

/// A value that is stored, read and removed.
pub async fn run(url: &str, token: &str) -> Result<(), Error> {
    let client = Client::new(url, token)?;
    client.put("customer:12345", "John Doe").await?;
    if let Some(entry) = client.get("customer:12345").await? {
        assert_eq!(entry.value.get(), "\"John Doe\"");
    }
    client.delete("customer:12345").await?;
    Ok(())
}
