//! How the SDK speaks HTTP: whom it trusts, and when that is read.
//!
//! By itself the SDK reads the machine's certificates when a client is made, twice, and again with the first request: some
//! 4 ms of the first answer of a cold container. Here the authorities are compiled in (Mozilla's, as for Redis), and read
//! once, with the first request.

use aws_sdk_dynamodb::config::{HttpClient, RuntimeComponents, SharedHttpClient};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{error::Error, fmt};

/// The authorities of the `webpki-root-certs` crate, see build.rs.
const WEB: &str = include_str!(concat!(env!("OUT_DIR"), "/authorities.pem"));

/// The client for everything that is asked of AWS; `trusted` is trusted instead of the web's authorities.
///
/// # Errors
/// Those of the SDK, which tell nothing of itself that could go wrong.
pub(super) fn client(trusted: Option<&Authorities>) -> Result<SharedHttpClient, Box<dyn Error + Send + Sync>> {
    let trusted = trusted.map_or(WEB.as_bytes(), |authorities| &authorities.0);
    let trusted = TrustStore::empty().with_pem_certificate(trusted);
    let tls = TlsContext::builder().with_trust_store(trusted).build()?;
    let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(tls).build_https();
    Ok(SharedHttpClient::new(OnDemand(https)))
}

/// Certificates of authorities, each of which can be read.
#[derive(Debug, Clone)]
pub struct Authorities(Vec<u8>);

impl Authorities {
    /// The certificates of a text in PEM.
    ///
    /// # Errors
    /// When it holds none, or one that cannot be read.
    pub fn from_pem(text: Vec<u8>) -> Result<Authorities, InvalidAuthorities> {
        // The SDK's client panics at one that it cannot read.
        let mut readable = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&text) {
            let certificate = certificate.map_err(|error| InvalidAuthorities(error.to_string()))?;
            readable.add(certificate).map_err(|error| InvalidAuthorities(error.to_string()))?;
        }
        if readable.is_empty() {
            return Err(InvalidAuthorities("there is no certificate in PEM".to_owned()));
        }
        Ok(Authorities(text))
    }
}

/// A text is no list of certificates, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidAuthorities(String);

impl fmt::Display for InvalidAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for InvalidAuthorities {}

/// Does not connect anything in advance: a client that is validated makes a connector, and throws it away.
#[derive(Debug)]
struct OnDemand(SharedHttpClient);

impl HttpClient for OnDemand {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_in_can_be_read() {
        let certificates = CertificateDer::pem_slice_iter(WEB.as_bytes());
        let (read, refused) = RootCertStore::empty().add_parsable_certificates(certificates.map(Result::unwrap));
        assert!(read > 100 && refused == 0, "{read} read, {refused} refused");
    }

    #[test]
    fn authorities_are_certificates() {
        for (text, are_some) in [
            ("", false),
            ("no certificate", false),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", false),
            ("-----BEGIN CERTIFICATE-----\n", false),
            (WEB, true),
        ] {
            assert_eq!(Authorities::from_pem(text.into()).is_ok(), are_some, "{text:.60}");
        }
    }
}
