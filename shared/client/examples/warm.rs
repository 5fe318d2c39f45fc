use strata_client::{Client, Error, Strategy};

/// Loads what will be asked for, and waits until it is there.
pub async fn run(client: &Client) -> Result<(), Error> {
    client.put("page:home", "…").await?;
    let warm = client.warm().keys(["page:home"]).patterns(["page:news:*"]).strategy(Strategy::Lazy);
    let job = warm.await?.warming_job_id;
    while !client.job(&job).await?.state.is_over() {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    Ok(())
}
