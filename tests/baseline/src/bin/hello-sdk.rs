//! The baseline with a client of DynamoDB: the least a function can be that makes the requests Strata makes. What it has
//! more than the baseline is what the AWS SDK takes of every function that uses it.

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use lambda_http::{Body, Error, Request, Response, http::Method, run, service_fn};
use tokio::sync::OnceCell;

static CLIENT: OnceCell<Client> = OnceCell::const_new();

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(answer)).await
}

/// The operations that the `entries` function has: of an entry, of many, of those of a partition, all or nothing.
async fn answer(request: Request) -> Result<Response<Body>, Error> {
    let table = request.uri().path();
    let client = CLIENT.get_or_init(connect).await;
    let found = match *request.method() {
        Method::GET => client.get_item().table_name(table).send().await?.item.is_some(),
        Method::PUT => client.put_item().table_name(table).send().await?.attributes.is_some(),
        Method::PATCH => client.update_item().table_name(table).send().await?.attributes.is_some(),
        Method::POST => client.transact_write_items().client_request_token(table).send().await.is_ok(),
        Method::DELETE => client.batch_write_item().send().await?.unprocessed_items.is_some(),
        Method::HEAD => client.batch_get_item().send().await?.responses.is_some(),
        _ => client.query().table_name(table).send().await?.items.is_some(),
    };
    let response = Response::builder().header("content-type", "application/json");
    Ok(response.body(Body::from(format!(r#"{{"found":{found}}}"#)))?)
}

async fn connect() -> Client {
    Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await)
}
