//! An authority of one's own, and the certificate that it gave to this machine's servers.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// Certificates and key in a folder that goes with it.
pub struct Authority {
    folder: TempDir,
}

impl Authority {
    pub fn new() -> Authority {
        let folder = tempfile::tempdir().unwrap();
        let (own_key, server_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut own = CertificateParams::new([]).unwrap();
        // Else it has the same name as what it signs, which OpenSSL takes for a certificate that signed itself.
        own.distinguished_name.push(DnType::CommonName, "authority of the suite");
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = own.self_signed(&own_key).unwrap();
        let server = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let server = server.signed_by(&server_key, &Issuer::new(own, own_key)).unwrap();
        let files = [("ca.pem", root.pem()), ("server.pem", server.pem()), ("server.key", server_key.serialize_pem())];
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Authority { folder }
    }

    /// The file of the authority's own certificate.
    pub fn certificate(&self) -> String {
        self.file("ca.pem")
    }

    /// What a server's settings say of its certificate, and that the nodes of a cluster tell their TLS ports. The port is
    /// the server's own matter.
    pub fn settings(&self) -> String {
        let [certificate, key] = self.server();
        format!(
            "tls-auth-clients no\ntls-cluster yes\ntls-ca-cert-file {}\ntls-cert-file {}\ntls-key-file {}\n",
            self.certificate(),
            certificate,
            key
        )
    }

    /// The file of the server's certificate, and that of its key.
    pub fn server(&self) -> [String; 2] {
        [self.file("server.pem"), self.file("server.key")]
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}
