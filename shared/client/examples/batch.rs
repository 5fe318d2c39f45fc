use std::time::Duration;
use strata_client::{Client, Error, Operation, Outcome};

/// Stores and reads several entries at once.
pub async fn run(client: &Client) -> Result<(), Error> {
    let stores = (1..=3).map(|number| Operation::put(format!("room:{number}"), &number).ttl(Duration::from_secs(60)));
    for outcome in client.batch(stores).await? {
        assert!(matches!(outcome, Outcome::Stored(_)), "{outcome:?}");
    }

    let operations = [Operation::get("room:1"), Operation::delete("room:2"), Operation::get("room:9")];
    match client.batch(operations).fresh().await?.as_slice() {
        [Outcome::Found(entry), Outcome::Deleted(_), Outcome::Missing] => assert_eq!(entry.value.get(), "1"),
        others => panic!("{others:?}"),
    }
    Ok(())
}
