//! Writes the web's certificate authorities as the text that the AWS SDK's HTTP client takes.

use base64::{Engine, engine::general_purpose::STANDARD};
use std::{env, error::Error, fs, path::Path};

#[expect(clippy::disallowed_methods, reason = "cargo says by it where to write")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let text: String = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|der| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der)))
        .collect();
    fs::write(Path::new(&env::var("OUT_DIR")?).join("authorities.pem"), text)?;
    Ok(())
}
