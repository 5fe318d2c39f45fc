//! Lambda's Invoke API, so that what calls a function on AWS can do so here, with an event of its own: `cargo lambda
//! invoke`, `aws lambda invoke --endpoint-url`. Every call is synchronous; who calls is not asked.
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::invoke_error::InvokeError;
use crate::pool::Pool;

/// The function's name in a path of this API.
pub(crate) fn function(path: &str) -> Option<&str> {
    path.strip_prefix("/2015-03-31/functions/")?.strip_suffix("/invocations")
}

/// Hands the event, which is missing when it was too large to be read, to the function. A function that fails is told by
/// a header only.
pub(crate) async fn invoke(pool: Option<&Arc<Pool>>, event: Option<Bytes>) -> Response<Full<Bytes>> {
    let Some(pool) = pool else {
        return error(StatusCode::NOT_FOUND, "ResourceNotFoundException", "there is no such function");
    };
    let answer = match event {
        Some(event) if event.is_empty() => pool.invoke(Bytes::from_static(b"{}"), None).await.1,
        Some(event) => pool.invoke(event, None).await.1,
        None => Err(InvokeError::RequestTooLarge),
    };
    match answer {
        Ok(answer) => respond(StatusCode::OK, answer),
        Err(InvokeError::RequestTooLarge) => {
            let why = InvokeError::RequestTooLarge.to_string();
            error(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", &why)
        }
        Err(failure) => failed(&failure),
    }
}

fn failed(failure: &InvokeError) -> Response<Full<Bytes>> {
    let (kind, message) = match failure {
        InvokeError::Function { kind, message } => (kind.as_str(), message.clone()),
        InvokeError::TimedOut(_) => ("Sandbox.Timedout", failure.to_string()),
        InvokeError::ResponseTooLarge => ("Function.ResponseSizeTooLarge", failure.to_string()),
        _ => ("Runtime.ExitError", failure.to_string()),
    };
    let mut response = error(StatusCode::OK, kind, &message);
    response.headers_mut().insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
    response
}

fn error(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    respond(status, json!({ "errorType": kind, "errorMessage": message }).to_string().into())
}

/// An answer in JSON.
pub(crate) fn respond(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
