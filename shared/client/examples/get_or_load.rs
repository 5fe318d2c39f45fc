use std::{io, time::Duration};
use strata_client::{Client, LoadError, Loaded, Source};

/// Stands for your database.
async fn load() -> io::Result<Vec<&'static str>> {
    Ok(vec!["Ada", "Grace"])
}

/// The customers, from the cache or from where they are.
async fn customers(client: &Client) -> Result<Loaded, LoadError> {
    client.get_or_load("customers:all", load).ttl(Duration::from_secs(600)).tags(["customers"]).await
}

/// Reads them twice: they are loaded once.
pub async fn run(client: &Client) -> Result<(), LoadError> {
    let names: Vec<String> = customers(client).await?.parse().expect("they are names");
    assert_eq!(names, ["Ada", "Grace"]);
    assert!(matches!(customers(client).await?.source, Source::Cache));
    Ok(())
}
