use strata_client::{Client, Code, Error};

/// Changes a setting, unless somebody else has changed any since.
pub async fn run(client: &Client) -> Result<(), Error> {
    let before = client.config().await?.etag;
    let changed = client.update_config().set("l1_config.ttl_minutes", 90).if_match(&before).await?;
    assert_eq!(changed.updated_fields, ["l1_config.ttl_minutes"]);

    let late = client.update_config().set("max_entry_size_mb", 5).if_match(before).await.expect_err("it has changed");
    assert_eq!(late.code(), Some(&Code::PreconditionFailed));
    Ok(())
}
