//! Whom the way to DynamoDB trusts: the web's authorities, or those that the environment names instead.
//!
//! It goes by the environment, so each case is a process of its own.

use crate::engines::authority::Authority;
use crate::library::{REDIS_URL, run_with};
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use strata_cache::config::RedisUrl;
use strata_cache::{Config, Deployment, Json, Key, Put, TieredCache};
use strata_it::stack::{Options, Stack};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// What a PUT is to say when it is refused; it is to succeed where this is empty.
const REFUSAL: &str = "TRUST_REFUSAL";
const ENDPOINT: &str = "AWS_ENDPOINT_URL_DYNAMODB";

#[tokio::test]
async fn the_environment_may_name_other_authorities() {
    let stack = Stack::start(Options::default().functions([""; 0])).await.unwrap();
    let authority = Authority::new();
    let endpoint = with_tls(&authority, stack.l3().endpoint().trim_start_matches("http://")).await;
    let mut no_certificate = tempfile::NamedTempFile::new().unwrap();
    no_certificate.write_all(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let (trusted, none) = (authority.certificate(), String::new());
    for (bundle, openssl, refusal) in [
        (trusted.clone(), none.clone(), ""),
        (none.clone(), trusted, ""),
        (none.clone(), none.clone(), "UnknownIssuer"),
        (authority.server()[1].clone(), none.clone(), "it holds none"),
        (
            no_certificate.path().to_str().unwrap().to_owned(),
            none.clone(),
            "AWS_CA_BUNDLE must name a file of certificates in PEM",
        ),
        ("/nowhere".to_owned(), none.clone(), "not /nowhere"),
    ] {
        let variables = [
            (ENDPOINT, endpoint.clone()),
            ("AWS_CA_BUNDLE", bundle),
            ("SSL_CERT_FILE", openssl),
            ("SSL_CERT_DIR", none.clone()),
            (REFUSAL, refusal.to_owned()),
        ];
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
    let cache = TieredCache::open(Deployment::new("cache_control"), config).unwrap();
    let ended = cache.put(&Key::new("key").unwrap(), Put::new(Json::of(&1).unwrap(), 3600)).await;
    let refusal = std::env::var(REFUSAL).unwrap();
    if refusal.is_empty() {
        assert!(!ended.unwrap().degraded);
        return;
    }
    let error = ended.unwrap_err();
    let chain = std::iter::successors(Some(&error as &dyn Error), |cause: &&dyn Error| (*cause).source());
    let said = chain.map(|cause| format!("{cause}: {cause:?}")).collect::<Vec<_>>().join("\n");
    assert!(said.contains(&refusal), "{said}");
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
