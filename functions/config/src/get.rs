//! GET: the whole document, with the version that an update can be made conditional on.

use crate::version;
use strata_api::{
    Answer, Call, Response,
    http::{StatusCode, header},
};

/// Answers with the configuration.
pub async fn handle(call: Call<'_>) -> Answer {
    let (config, version) = call.cache.configuration().await?;
    let response = Response::json(StatusCode::OK, &config)?;
    Ok(response.header(header::ETAG, version::etag(version)))
}
