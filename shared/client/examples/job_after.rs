use std::time::Duration;
use strata_client::{Client, Error};

/// Follows a job to its end, with a request for each step.
pub async fn run(client: &Client) -> Result<(), Error> {
    let id = client.warm().keys(["page:home"]).await?.warming_job_id;
    let mut job = client.job(&id).await?;
    while !job.state.is_over() {
        job = client.job_after(&id, Duration::from_secs(10)).await?;
    }
    println!("{} of {} keys were there", job.done, job.done + job.missing);
    Ok(())
}
