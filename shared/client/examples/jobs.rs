use strata_client::{Client, Error, JobState, Strategy};

/// The jobs that wait for their time.
pub async fn run(client: &Client) -> Result<(), Error> {
    let id = client.warm().patterns(["menu:*"]).strategy(Strategy::Scheduled).await?.warming_job_id;
    let waiting = client.jobs().state(JobState::Scheduled).limit(50).await?.jobs;
    assert!(waiting.iter().any(|job| job.job_id == id));
    Ok(())
}
