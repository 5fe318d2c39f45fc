use strata_client::{Client, Error, JobState, Strategy};

/// Takes back a job that has not begun.
pub async fn run(client: &Client) -> Result<(), Error> {
    let id = client.warm().patterns(["page:*"]).strategy(Strategy::Scheduled).await?.warming_job_id;
    assert_eq!(client.cancel_job(&id).await?.state, JobState::Cancelled);
    Ok(())
}
