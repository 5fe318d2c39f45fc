use std::time::Duration;
use strata_client::{Client, Code, Error, Lease};

/// What is missing is loaded by one, and stored unless something has touched the key meanwhile.
pub async fn run(client: &Client) -> Result<(), Error> {
    let missed = client.get_or_lease("report:1").lease(Duration::from_secs(30)).await?;
    let Lease::Granted { token, .. } = missed else { panic!("nobody else asks for it: {missed:?}") };
    assert!(matches!(client.get_or_lease("report:1").await?, Lease::Held { .. }));

    client.delete("report:1").await?;
    let late = client.put("report:1", "old").fill_token(token).await.expect_err("it was deleted since");
    assert_eq!(late.code(), Some(&Code::LeaseLost));
    Ok(())
}
