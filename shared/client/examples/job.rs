use strata_client::{Client, Code, Error, JobKind};

/// How far a job is.
pub async fn run(client: &Client) -> Result<(), Error> {
    let id = client.warm().keys(["page:home"]).await?.warming_job_id;
    let job = client.job(&id).await?;
    assert_eq!(job.kind, JobKind::Warm);
    println!("{:?}: {} of {:?} keys", job.state, job.done, job.estimated_keys);

    let unknown = client.job("warm_job_0").await.expect_err("there is none");
    assert_eq!(unknown.code(), Some(&Code::JobNotFound));
    Ok(())
}
