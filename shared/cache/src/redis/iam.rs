//! Signing in to ElastiCache by IAM, so that there is no password anywhere.
//!
//! The password of a connection is a token: a request to the cache, signed with the container's own AWS credentials,
//! that is never sent as a request. Signing needs no network. A token opens connections for 15 minutes, and AWS ends
//! each connection after 12 hours; so every new connection gets a token of its own, those too that the cluster client
//! opens by itself. The Redis client asks for two: it signs in with the first, and once more with the second when the
//! connection stands, which nobody waits for.

use crate::Clock;
use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign},
    sign::v4::SigningParams,
};
use futures_util::stream::{self, Stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use redis::{ErrorKind, RedisError, RedisResult, auth::BasicAuth, auth::StreamingCredentialsProvider};
use std::{
    error::Error,
    future,
    pin::Pin,
    time::{Duration, UNIX_EPOCH},
};

/// How long a token opens connections: the longest that ElastiCache accepts.
const TOKEN_LIFE: Duration = Duration::from_secs(900);
/// What Signature Version 4 writes as percent signs: all but RFC 3986's unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Who signs in to which ElastiCache cache.
#[derive(Debug, Clone)]
pub struct Iam {
    /// The ElastiCache user, whose id and name are the same.
    pub user: String,
    /// The name of the serverless cache, or the id of the replication group.
    pub cache: String,
    /// What kind of cache it is.
    pub kind: CacheKind,
    /// The cache's AWS region.
    pub region: String,
    /// Credentials that may do `elasticache:Connect` for the cache and the user. Lambda keeps a container's in its
    /// environment, and they outlive it.
    pub credentials: Credentials,
}

/// What ElastiCache calls a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheKind {
    /// ElastiCache Serverless.
    Serverless,
    /// Nodes of one's own choice.
    ReplicationGroup,
}

/// Gives each new connection its token.
#[derive(Clone)]
pub(super) struct SignIn {
    iam: Iam,
    clock: Clock,
}

impl SignIn {
    pub(super) fn new(iam: Iam, clock: Clock) -> SignIn {
        SignIn { iam, clock }
    }

    fn credentials(&self) -> RedisResult<BasicAuth> {
        let token = self.iam.token(self.clock.now_ms()).map_err(|error| {
            RedisError::from((ErrorKind::InvalidClientConfig, "no IAM token could be signed", error.to_string()))
        })?;
        Ok(BasicAuth::new(self.iam.user.clone(), token))
    }
}

impl StreamingCredentialsProvider for SignIn {
    fn subscribe(&self) -> Pin<Box<dyn Stream<Item = RedisResult<BasicAuth>> + Send + 'static>> {
        Box::pin(stream::once(future::ready(self.credentials())))
    }
}

impl Iam {
    /// The token of the time `now_ms`, in milliseconds since the Unix epoch.
    fn token(&self, now_ms: i64) -> Result<String, Box<dyn Error + Send + Sync>> {
        let identity = self.credentials.clone().into();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(TOKEN_LIFE);
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("elasticache")
            .time(UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms)?))
            .settings(settings)
            .build()?
            .into();
        let address = self.address();
        let url = format!("http://{address}");
        let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]))?;
        let (signed, _) = sign(request, &params)?.into_parts();
        let added = signed.params().iter().map(|(name, value)| format!("&{name}={}", escape(value)));
        Ok(address + &added.collect::<String>())
    }

    /// What is asked of the cache, less the scheme, which is no part of a token.
    fn address(&self) -> String {
        let (host, user) = (self.cache.to_ascii_lowercase(), escape(&self.user));
        let kind = match self.kind {
            CacheKind::Serverless => "&ResourceType=ServerlessCache",
            CacheKind::ReplicationGroup => "",
        };
        format!("{host}/?Action=connect&User={user}{kind}")
    }
}

fn escape(value: &str) -> String {
    utf8_percent_encode(value, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    /// 2100-01-01T00:00:00Z.
    const NOW_MS: i64 = 4_102_444_800_000;

    fn iam(kind: CacheKind, session: Option<&str>) -> Iam {
        let session = session.map(str::to_owned);
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        Iam {
            user: "strata-functions".to_owned(),
            cache: "Strata".to_owned(),
            kind,
            region: "eu-central-1".to_owned(),
            credentials: Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, session, None, "test"),
        }
    }

    /// What a token consists of, in an order of our own: a signature is of the sorted parts.
    fn parts(token: &str) -> BTreeSet<&str> {
        token.split('&').collect()
    }

    /// The tokens that botocore 1.44.5 signs: its `RequestSigner.generate_presigned_url` for service `elasticache`.
    #[test]
    fn tokens_are_those_of_another_implementation() {
        let credential = "X-Amz-Algorithm=AWS4-HMAC-SHA256\
            &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F21000101%2Feu-central-1%2Felasticache%2Faws4_request";
        let serverless = iam(CacheKind::Serverless, Some("IQoJb3JpZ2luX2VjEAEa+/EXAMPLE=="));
        assert_eq!(
            parts(&serverless.token(NOW_MS).unwrap()),
            parts(&format!(
                "strata/?Action=connect&User=strata-functions&ResourceType=ServerlessCache&{credential}\
                 &X-Amz-Date=21000101T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host\
                 &X-Amz-Security-Token=IQoJb3JpZ2luX2VjEAEa%2B%2FEXAMPLE%3D%3D\
                 &X-Amz-Signature=16d0c03656bd5072912a23f5aa796b045f30c3b3a62340a6710fa12e1e090006"
            ))
        );
        let group = iam(CacheKind::ReplicationGroup, None);
        assert_eq!(
            parts(&group.token(NOW_MS + 30 * 60_000).unwrap()),
            parts(&format!(
                "strata/?Action=connect&User=strata-functions&{credential}\
                 &X-Amz-Date=21000101T003000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host\
                 &X-Amz-Signature=d8d1874b85c32fe2db9d775e1dde90390e09fbd09b68d0e1136eaa3033404576"
            ))
        );
    }

    #[test]
    fn nothing_shows_the_secret_key() {
        assert!(!format!("{:?}", iam(CacheKind::Serverless, Some("session"))).contains("wJalr"));
    }

    #[test]
    fn a_name_that_is_none_is_an_error_and_no_panic() {
        let nonsense = Iam { cache: "no name".to_owned(), ..iam(CacheKind::Serverless, None) };
        assert!(nonsense.token(NOW_MS).is_err());
        assert!(nonsense.token(-1).is_err());
    }
}
