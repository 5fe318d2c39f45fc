use strata_client::{Client, Code, Error, Selector};

/// Looks at what would be removed, and removes it by pattern; then by tag, but not too much of it.
pub async fn run(client: &Client) -> Result<(), Error> {
    for key in ["order:1", "order:2", "order:3"] {
        client.put(key, &0).tags(["order"]).await?;
    }
    let looked = client.invalidate(Selector::pattern("order:[12]")).dry_run().await?;
    assert_eq!(looked.invalidated_count, 2);
    let removed = client.invalidate(Selector::pattern("order:[12]")).reason("prices have changed").await?;
    assert_eq!(removed.invalidated_count, 2);

    let refused = client.invalidate(Selector::tags(["order"])).max_affected(0).await.expect_err("there is one left");
    assert_eq!(refused.code(), Some(&Code::TooManyMatches));
    Ok(())
}
