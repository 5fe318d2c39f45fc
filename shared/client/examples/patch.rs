use std::time::Duration;
use strata_client::{Client, Error};

/// Lets a session live on, and marks it.
pub async fn run(client: &Client) -> Result<(), Error> {
    client.put("session:2", &"state").ttl(Duration::from_secs(60)).tags(["new"]).await?;
    let patch = client.patch("session:2").ttl(Duration::from_secs(600)).only_longer();
    let patched = patch.add_tags(["seen"]).remove_tags(["new"]).await?.expect("it was just stored");
    assert!(patched.changed);
    assert_eq!((patched.metadata.ttl_seconds, patched.metadata.tags), (600, vec!["seen".to_owned()]));
    assert!(client.patch("session:0").ttl(Duration::from_secs(600)).await?.is_none());
    Ok(())
}
