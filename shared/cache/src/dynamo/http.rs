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
use std::{env, error::Error, fs, path::Path};

/// The authorities of the `webpki-root-certs` crate, see build.rs.
const AUTHORITIES: &str = include_str!(concat!(env!("OUT_DIR"), "/authorities.pem"));
/// A file of certificates to trust instead of the web's, as the SDKs of other languages take it:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html>.
const BUNDLE: &str = "AWS_CA_BUNDLE";
/// What OpenSSL, and the Rust SDK by itself, go by: <https://docs.openssl.org/3.5/man3/SSL_CTX_load_verify_locations/>.
const OPENSSL: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// The client for everything that is asked of AWS.
///
/// # Errors
/// When `AWS_CA_BUNDLE` names no file of certificates.
pub(super) fn client() -> Result<SharedHttpClient, Box<dyn Error + Send + Sync>> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let trusted = match variable(BUNDLE) {
        Some(file) => TrustStore::empty().with_pem_certificate(bundle(Path::new(&file))?),
        // Whoever set one of them expects what the SDK makes of it.
        None if OPENSSL.into_iter().any(|name| variable(name).is_some()) => TrustStore::default(),
        None => TrustStore::empty().with_pem_certificate(AUTHORITIES),
    };
    let tls = TlsContext::builder().with_trust_store(trusted).build()?;
    let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(tls).build_https();
    Ok(SharedHttpClient::new(OnDemand(https)))
}

/// The text of the file, every certificate of which can be read: the SDK's client panics at one that cannot.
fn bundle(file: &Path) -> Result<Vec<u8>, String> {
    let refused =
        |why: String| format!("{BUNDLE} must name a file of certificates in PEM, not {}: {why}", file.display());
    let text = fs::read(file).map_err(|error| refused(error.to_string()))?;
    let mut readable = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        readable.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    if readable.is_empty() { Err(refused("it holds none".into())) } else { Ok(text) }
}

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
        let certificates = CertificateDer::pem_slice_iter(AUTHORITIES.as_bytes());
        let (read, refused) = RootCertStore::empty().add_parsable_certificates(certificates.map(Result::unwrap));
        assert!(read > 100 && refused == 0, "{read} read, {refused} refused");
    }

    #[test]
    fn a_bundle_is_a_file_of_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bundle.pem");
        assert!(bundle(&file).is_err(), "there is none");
        for (text, is_one) in [
            ("", false),
            ("no certificate", false),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", false),
            ("-----BEGIN CERTIFICATE-----\n", false),
            (AUTHORITIES, true),
        ] {
            fs::write(&file, text).unwrap();
            assert_eq!(bundle(&file).is_ok(), is_one, "{text:.60}");
        }
    }
}
