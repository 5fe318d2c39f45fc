//! Looks into the tables, past every function and every fault.

use crate::support::shard;
use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    types::AttributeValue,
};
use std::{collections::HashMap, time::Duration};
use strata_it::Api;

/// An item.
pub type Item = HashMap<String, AttributeValue>;

/// The engine's client.
pub fn client(api: &Api) -> Client {
    client_of(api.stack.l3().engine_endpoint())
}

/// The client of the engine at `endpoint`.
pub fn client_of(endpoint: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::for_tests())
        .endpoint_url(endpoint)
        .build();
    Client::from_conf(config)
}

/// The item of a job.
pub async fn job(api: &Api, id: &str) -> Item {
    let found = client(api).get_item().table_name("cache_control").key("pk", text(&format!("job#{id}")));
    found.key("sk", text("-")).send().await.unwrap().item.unwrap_or_else(|| panic!("there is no job {id}"))
}

/// The key of an item.
pub fn item(pk: &str, sk: &str) -> Item {
    Item::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

/// The items of a partition.
pub async fn partition(api: &Api, table: &str, pk: &str) -> Vec<Item> {
    let query = client(api).query().table_name(table).key_condition_expression("pk = :pk");
    let pages = query.expression_attribute_values(":pk", text(pk)).into_paginator().items();
    pages.send().collect::<Result<_, _>>().await.unwrap()
}

/// Every item of a table.
pub async fn all(api: &Api, table: &str) -> Vec<Item> {
    all_of(api.stack.l3().engine_endpoint(), table).await
}

/// The same of the engine at `endpoint`.
pub async fn all_of(endpoint: &str, table: &str) -> Vec<Item> {
    let pages = client_of(endpoint).scan().table_name(table).consistent_read(true).into_paginator().items();
    pages.send().collect::<Result<_, _>>().await.unwrap()
}

/// Every item of the table of entries but for the one that says whose it is.
pub async fn entries(api: &Api) -> Vec<Item> {
    let mut items = all(api, "cache_entries").await;
    items.retain(|item| text_of(item, "pk") != "deployment");
    items
}

/// The outage notes there are.
pub async fn notes(api: &Api) -> Vec<Item> {
    let mut items = all(api, "cache_control").await;
    items.retain(|item| text_of(item, "pk").starts_with("note#"));
    items
}

/// Makes the row of a key one that was written so much later.
pub async fn delay_version(api: &Api, key: &str, by: Duration) {
    let pk = format!("e#{}", shard(key));
    // Microseconds, before the twelve bits that number the container.
    let later = AttributeValue::N((by.as_micros() << 12).to_string());
    let row = client(api).update_item().table_name("cache_entries").key("pk", text(&pk)).key("sk", text(key));
    let row = row.update_expression("ADD version :later").expression_attribute_values(":later", later);
    row.condition_expression("attribute_exists(version)").send().await.unwrap();
}

/// A text of an item.
pub fn text_of<'a>(item: &'a Item, name: &str) -> &'a str {
    item[name].as_s().unwrap()
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}
