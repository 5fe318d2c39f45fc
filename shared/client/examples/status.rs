use strata_client::{Client, Error, Health};

/// Looks after the fleet.
pub async fn run(client: &Client) -> Result<(), Error> {
    let status = client.status().history(60).await?;
    assert_eq!(status.status, Health::Healthy);
    for level in &status.levels {
        println!("{} {:?}: {} entries, {:.1} % hits", level.level, level.status, level.entries, 100.0 * level.hit_ratio);
    }
    let mutations: u64 = status.history.iter().flatten().map(|minute| minute.mutations).sum();
    println!("{mutations} mutations in the last hour");
    Ok(())
}
