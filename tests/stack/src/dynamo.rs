//! The DynamoDB engine, and the tables in it as template.yaml describes them.

use std::path::Path;

use bytes::Bytes;
use dynoxide::Database;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::error::{Doing, Error};
use crate::options::L3Store;

/// The region that signatures and ARNs carry.
pub(crate) const REGION: &str = "eu-central-1";

/// Starts the engine, or takes the one that runs already; returns its endpoint.
pub(crate) async fn start(store: &L3Store) -> Result<String, Error> {
    let database = match store {
        L3Store::Endpoint(endpoint) => return Ok(endpoint.trim_end_matches('/').to_owned()),
        L3Store::Memory => Database::memory(),
        L3Store::Folder(folder) => open(folder)?,
    };
    let database = database.map_err(|why| Error::Dynamo(why.to_string()))?;
    let listener = TcpListener::bind("127.0.0.1:0").await.doing("opening a port for DynamoDB")?;
    let address = listener.local_addr().doing("opening a port for DynamoDB")?;
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    Ok(format!("http://{address}"))
}

fn open(folder: &Path) -> Result<dynoxide::Result<Database>, Error> {
    std::fs::create_dir_all(folder).doing(format!("creating {}", folder.display()))?;
    let file = folder.join("strata.sqlite");
    Ok(Database::new(&file.to_string_lossy()))
}

/// Creates a table with the properties of its CloudFormation resource; one that is there already stays as it is.
pub(crate) async fn create_table(endpoint: &str, name: &str, properties: &Value) -> Result<(), Error> {
    let mut request = json!({ "TableName": name });
    for field in ["AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes"] {
        if let Some(value) = properties.get(field) {
            request[field] = value.clone();
        }
    }
    if let Some(view) = properties.pointer("/StreamSpecification/StreamViewType") {
        request["StreamSpecification"] = json!({ "StreamEnabled": true, "StreamViewType": view });
    }
    match operation(endpoint, "CreateTable", &request).await {
        Ok(_) => {}
        Err(Error::Dynamo(why)) if why.contains("ResourceInUseException") => return Ok(()),
        Err(error) => return Err(error),
    }
    if let Some(ttl) = properties.get("TimeToLiveSpecification") {
        operation(endpoint, "UpdateTimeToLive", &json!({ "TableName": name, "TimeToLiveSpecification": ttl })).await?;
    }
    Ok(())
}

async fn operation(endpoint: &str, name: &str, body: &Value) -> Result<Value, Error> {
    request(endpoint, &format!("DynamoDB_20120810.{name}"), body).await
}

/// Calls one operation, `target` as the header `x-amz-target` names it.
pub(crate) async fn request(endpoint: &str, target: &str, body: &Value) -> Result<Value, Error> {
    let failed = |why: String| Error::Dynamo(format!("{target}: {why}"));
    let request = Request::post(format!("{endpoint}/"))
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", target)
        .header("x-amz-date", "20260101T000000Z")
        // Local engines look at the form of a signature only.
        .header(
            "authorization",
            format!(
                "AWS4-HMAC-SHA256 Credential=local/20260101/{REGION}/dynamodb/aws4_request, \
                 SignedHeaders=host, Signature=0"
            ),
        )
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(|why| failed(why.to_string()))?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.map_err(|why| failed(why.to_string()))?;
    let status = response.status();
    let answer = response.into_body().collect().await.map_err(|why| failed(why.to_string()))?.to_bytes();
    match status {
        StatusCode::OK => serde_json::from_slice(&answer).map_err(|why| failed(why.to_string())),
        _ => Err(failed(String::from_utf8_lossy(&answer).into_owned())),
    }
}
