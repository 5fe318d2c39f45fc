use std::time::Duration;
use strata_client::{Client, Code, Error};

/// Stores a value with a time to live and tags, unless somebody else was faster.
pub async fn run(client: &Client) -> Result<(), Error> {
    let customer = std::collections::BTreeMap::from([("name", "John Doe"), ("status", "ACTIVE")]);
    let put = client.put("customer:2", &customer).ttl(Duration::from_secs(600)).tags(["customer", "active"]);
    let stored = put.if_absent().await?;
    assert!(stored.created);

    let late = client.put("customer:2", &customer).if_absent().await.expect_err("there is one already");
    assert_eq!(late.code(), Some(&Code::PreconditionFailed));
    assert!(!late.may_have_happened());
    println!("the server has logged it as {}", late.request_id().expect("it has answered"));
    Ok(())
}
