use strata_client::{Client, Error};

/// How many entries have which tag.
pub async fn run(client: &Client) -> Result<(), Error> {
    client.put("book:1", &1).tags(["book", "book:new"]).await?;
    client.put("book:2", &2).tags(["book"]).await?;
    let counts = client.tags().prefix("book").await?.tags;
    let counts: Vec<(&str, u64)> = counts.iter().map(|count| (&*count.tag, count.entries)).collect();
    assert_eq!(counts, [("book", 2), ("book:new", 1)]);
    Ok(())
}
