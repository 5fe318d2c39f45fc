//! The baseline: the least an HTTP function in Rust on Lambda can be. It answers what its variable `ANSWER` says, or a
//! short constant. Nothing of the library is in it.

use lambda_http::{Body, Error, Request, Response, run, service_fn};
use std::env;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let text = env::var("ANSWER").unwrap_or_else(|_| r#"{"message":"hello"}"#.to_owned());
    let text = text.as_str();
    run(service_fn(|_: Request| async move {
        let response = Response::builder().header("content-type", "application/json");
        Ok::<_, Error>(response.body(Body::from(text))?)
    }))
    .await
}
