//! Reads the stream of a table by the API of DynamoDB Streams.

use serde_json::{Value, json};

use crate::dynamo::request;
use crate::error::Error;

/// Most records of one call, as Lambda's default batch has at most.
const AT_ONCE: usize = 100;

/// A table's stream, read from its beginning.
pub(crate) struct Stream {
    endpoint: String,
    pub(crate) arn: String,
    /// Where to go on in each shard.
    iterators: Vec<String>,
}

impl Stream {
    /// Opens the stream of a table; none when it has none.
    pub(crate) async fn open(endpoint: &str, table: &str) -> Result<Option<Self>, Error> {
        let streams = call(endpoint, "ListStreams", json!({ "TableName": table })).await?;
        let Some(arn) = streams["Streams"][0]["StreamArn"].as_str() else { return Ok(None) };
        let described = call(endpoint, "DescribeStream", json!({ "StreamArn": arn })).await?;
        let mut iterators = Vec::new();
        for shard in described["StreamDescription"]["Shards"].as_array().into_iter().flatten() {
            let wanted = json!({
                "StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON",
            });
            let answer = call(endpoint, "GetShardIterator", wanted).await?;
            iterators.extend(answer["ShardIterator"].as_str().map(str::to_owned));
        }
        Ok(Some(Self { endpoint: endpoint.to_owned(), arn: arn.to_owned(), iterators }))
    }

    /// The records that have come since the call before.
    pub(crate) async fn records(&mut self) -> Result<Vec<Value>, Error> {
        let mut records = Vec::new();
        for iterator in &mut self.iterators {
            let wanted = json!({ "ShardIterator": iterator, "Limit": AT_ONCE });
            let mut answer = call(&self.endpoint, "GetRecords", wanted).await?;
            if let Some(next) = answer["NextShardIterator"].as_str() {
                next.clone_into(iterator);
            }
            if let Value::Array(found) = answer["Records"].take() {
                records.extend(found);
            }
        }
        Ok(records)
    }
}

async fn call(endpoint: &str, operation: &str, body: Value) -> Result<Value, Error> {
    request(endpoint, &format!("DynamoDBStreams_20120810.{operation}"), &body).await
}
