//! GET: the whole document, with the version that an update can be made conditional on.

use crate::version;
use strata_api::{
    Answer, Call, Query, Response,
    http::{StatusCode, header},
};
use strata_cache::{Config, config::RedisUrl};

/// What a token that is limited to key prefixes is shown of where things are.
const MASK: &str = "***";

/// Answers with the configuration. Where its levels are is no business of tokens that are limited to key prefixes.
pub async fn handle(call: Call<'_>) -> Answer {
    Query::none(&call.event, &[])?;
    let (mut config, version) = call.cache.configuration().await?;
    if call.principal.may_touch_all().is_err() {
        mask(&mut config);
    }
    let response = Response::json(StatusCode::OK, &config)?;
    Ok(response.header(header::ETAG, version::etag(version)))
}

/// Every setting of the deployment: the fields stay, and of the addresses the schemes.
fn mask(config: &mut Config) {
    let masked = |address: &str| match address.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://{MASK}"),
        None => MASK.to_owned(),
    };
    config.l2_config.redis_url = RedisUrl::new(masked(&config.l2_config.redis_url.to_string()));
    config.l2_config.key_prefix = MASK.to_owned();
    config.l3_config.database_url = masked(&config.l3_config.database_url);
    config.l3_config.table_name = MASK.to_owned();
}

#[cfg(test)]
mod tests {
    use super::*;
    use strata_cache::config::{FIELDS, Fault};

    #[test]
    fn all_that_comes_from_the_environment_is_masked_and_nothing_else() {
        let mut config = Config::default();
        let before = config.to_document();
        mask(&mut config);
        let after = config.to_document();
        assert_eq!(after["l2_config"]["redis_url"], "redis://***");
        for field in &FIELDS {
            let pointer = format!("/{}", field.path.replace('.', "/"));
            let (before, after) = (before.pointer(&pointer), after.pointer(&pointer));
            let from_environment =
                matches!(field.check(before.expect("it is in the document")), Err(Fault::NotAllowed(_)));
            assert_eq!(before != after, from_environment, "{}", field.path);
        }
    }
}
