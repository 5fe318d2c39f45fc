use strata_client::{Client, Error};

/// What takes most.
pub async fn run(client: &Client) -> Result<(), Error> {
    let stats = client.stats().depth(1).await?;
    for amount in &stats.prefixes {
        println!("{}: {} entries, {} bytes", amount.prefix, amount.entries, amount.stored_bytes);
    }
    println!("counted {:?} seconds ago", stats.age_seconds);
    Ok(())
}
