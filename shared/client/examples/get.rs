use strata_client::{Client, Error, Level};

/// An entry that is there, and one that is not.
pub async fn run(client: &Client) -> Result<(), Error> {
    client.put("customer:1", &["Ada", "Grace"]).await?;

    let entry = client.get("customer:1").fresh().await?.expect("it was just stored");
    let names: Vec<String> = entry.parse().expect("it is a list of names");
    assert_eq!(names, ["Ada", "Grace"]);
    assert!(Level::ALL.contains(&entry.metadata.level));

    assert!(client.get("customer:0").await?.is_none());
    Ok(())
}
