//! Where Redis is, and how a connection to it is made.

use super::connection::Connection;
use super::iam::{Iam, SignIn};
use crate::{Clock, config::L2Config};
use redis::{
    AsyncConnectionConfig, Client, RedisError, TlsCertificates,
    cluster::{ClusterClient, ClusterConfig},
};
use std::time::Duration;

/// Whom connections to Redis trust and how they sign in, where that is not as the URL says.
#[derive(Debug, Clone, Default)]
pub struct RedisAccess {
    /// Certificates of authorities, as PEM text, to trust instead of the web's: for a server whose certificate is of an
    /// authority of one's own. Needs a URL with TLS.
    pub ca: Option<Vec<u8>>,
    /// Signs in by IAM instead of with the URL's user and password.
    pub iam: Option<Iam>,
}

/// How long the cluster client waits before it repeats what a node cannot answer just now (a slot whose keys are on their
/// way, an election), in ms. By itself it waits for more than a second, which is longer than anybody waits for it.
const RETRY_WAIT_MS: (u64, u64) = (10, 20);

/// One server, or the way into a cluster.
pub(super) enum Target {
    Single(Box<Client>, AsyncConnectionConfig),
    Cluster(Box<ClusterClient>, Duration),
    #[cfg(feature = "in-memory")]
    Own(std::sync::Arc<dyn super::RedisServer>),
}

impl Target {
    /// Prepares connections. `response_timeout` ends what nobody waits for any more; the link itself bounds what it waits
    /// for.
    pub(super) fn new(
        config: &L2Config,
        access: &RedisAccess,
        response_timeout: Duration,
        clock: &Clock,
    ) -> Result<Target, RedisError> {
        let sign_in = access.iam.clone().map(|iam| SignIn::new(iam, clock.clone()));
        let authority = access.ca.clone().map(|ca| TlsCertificates { client_tls: None, root_cert: Some(ca) });
        let url = config.redis_url.expose();
        let Some((scheme, rest)) = url.split_once("+cluster://") else {
            return single(url, authority, sign_in);
        };
        let mut builder = ClusterClient::builder(vec![format!("{scheme}://{rest}")])
            .response_timeout(response_timeout)
            .retries(1)
            .min_retry_wait(RETRY_WAIT_MS.0)
            .max_retry_wait(RETRY_WAIT_MS.1);
        if let Some(authority) = authority {
            builder = builder.certs(authority);
        }
        if let Some(sign_in) = sign_in {
            builder = builder.set_credentials_provider(sign_in);
        }
        builder.build().map(|client| Target::Cluster(Box::new(client), response_timeout))
    }

    /// Connects within `timeout`.
    pub(super) async fn connect(&self, timeout: Duration) -> Result<Connection, RedisError> {
        match self {
            #[cfg(feature = "in-memory")]
            Target::Own(server) => Ok(Connection::Own(server.connect().await?)),
            Target::Single(client, config) => {
                let config = config.clone().set_connection_timeout(Some(timeout));
                let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
                Ok(Connection::Single(Box::new(connection)))
            }
            Target::Cluster(client, response_timeout) => {
                // It has a timeout of its own for replies unless told otherwise.
                let config =
                    ClusterConfig::new().set_connection_timeout(timeout).set_response_timeout(*response_timeout);
                client.get_async_connection_with_config(config).await.map(Connection::Cluster)
            }
        }
    }
}

fn single(url: &str, authority: Option<TlsCertificates>, sign_in: Option<SignIn>) -> Result<Target, RedisError> {
    let client = match authority {
        Some(authority) => Client::build_with_tls(url, authority)?,
        None => Client::open(url)?,
    };
    // A reply has no timeout of its own here.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let config = match sign_in {
        Some(sign_in) => config.set_credentials_provider(sign_in),
        None => config,
    };
    Ok(Target::Single(Box::new(client), config))
}
