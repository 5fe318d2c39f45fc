//! Whom the way to DynamoDB trusts: the web's authorities, or others instead.
//!
//! The SDK finds DynamoDB by the environment, so each case is a process of its own.

use crate::engines::authority::Authority;
use crate::library::{REDIS_URL, run_with};
use std::sync::Arc;
use strata_cache::config::RedisUrl;
use strata_cache::{Authorities, Config, Deployment, Json, Key, Put, TieredCache};
use strata_it::stack::{Options, Stack};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// The file of the certificates to trust; the web's where it is empty.
const TRUSTED: &str = "TRUST_FILE";

#[tokio::test]
async fn other_authorities_may_be_named() {
    let stack = Stack::start(Options::default().functions([""; 0])).await.unwrap();
    let authority = Authority::new();
    let endpoint = with_tls(&authority, stack.l3().endpoint().trim_start_matches("http://")).await;
    for trusted in [authority.certificate(), String::new()] {
        let variables = [("AWS_ENDPOINT_URL_DYNAMODB", endpoint.clone()), (TRUSTED, trusted)];
        run_with(&stack, "trust::a_put", variables).await;
    }
}

#[tokio::test]
#[ignore = "the test above starts it, with engines"]
async fn a_put() {
    let mut config = Config::default();
    config.l2_config.redis_url = RedisUrl::new(std::env::var(REDIS_URL).unwrap());
    config.l2_config.timeout_ms = 10_000;
    config.l3_config.timeout_ms = 10_000;
    let mut deployment = Deployment::new("cache_control");
    let file = Some(std::env::var(TRUSTED).unwrap()).filter(|file| !file.is_empty());
    deployment.dynamo_ca = file.map(|file| Authorities::from_pem(std::fs::read(file).unwrap()).unwrap());
    let is_trusted = deployment.dynamo_ca.is_some();
    let cache = TieredCache::open(deployment, config).unwrap();
    let ended = cache.put(&Key::new("key").unwrap(), Put::new(Json::of(&1).unwrap(), 3600)).await;
    if is_trusted {
        assert!(!ended.unwrap().degraded);
    } else {
        let refusal = format!("{:?}", ended.unwrap_err());
        assert!(refusal.contains("UnknownIssuer"), "{refusal}");
    }
}

/// The URL of a server with that authority's certificate, which passes on what it is sent.
async fn with_tls(authority: &Authority, address: &str) -> String {
    let [certificate, key] = authority.server().map(|file| std::fs::read(file).unwrap());
    let certificate = CertificateDer::from_pem_slice(&certificate).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&key).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let (acceptor, address) = (TlsAcceptor::from(Arc::new(config)), address.to_owned());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, address) = (acceptor.clone(), address.clone());
            tokio::spawn(async move {
                // A client that trusts nobody here goes away again.
                if let Ok(mut client) = acceptor.accept(client).await {
                    let mut server = TcpStream::connect(address).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    url
}
