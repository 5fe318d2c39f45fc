//! Whom connections to Redis trust, and how they sign in.

use super::SettingsError;
use crate::{CacheKind, Credentials, Iam, RedisAccess};

/// The line that begins a certificate in PEM text.
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// `REDIS_CA_FILE` and `REDIS_AUTH`; without them all is as `REDIS_URL` says.
pub(super) fn read(lookup: impl Fn(&'static str) -> Option<String>) -> Result<RedisAccess, SettingsError> {
    Ok(RedisAccess { ca: lookup("REDIS_CA_FILE").map(ca).transpose()?, iam: iam(lookup)? })
}

fn ca(path: String) -> Result<Vec<u8>, SettingsError> {
    let unusable = |problem| SettingsError { variable: "REDIS_CA_FILE", problem };
    let pem = std::fs::read(&path).map_err(|error| unusable(error.to_string()))?;
    let has_certificate = pem.windows(CERTIFICATE.len()).any(|window| window == CERTIFICATE);
    if has_certificate { Ok(pem) } else { Err(unusable("there is no certificate in that file".to_owned())) }
}

fn iam(lookup: impl Fn(&'static str) -> Option<String>) -> Result<Option<Iam>, SettingsError> {
    let Some(auth) = lookup("REDIS_AUTH") else { return Ok(None) };
    let kind = match auth.as_str() {
        "iam-serverless" => CacheKind::Serverless,
        "iam-replication-group" => CacheKind::ReplicationGroup,
        _ => {
            let problem = "must be iam-serverless or iam-replication-group".to_owned();
            return Err(SettingsError { variable: "REDIS_AUTH", problem });
        }
    };
    let required = |variable| {
        let problem = || "is needed by REDIS_AUTH".to_owned();
        lookup(variable).ok_or_else(|| SettingsError { variable, problem: problem() })
    };
    let (key, secret) = (required("AWS_ACCESS_KEY_ID")?, required("AWS_SECRET_ACCESS_KEY")?);
    Ok(Some(Iam {
        user: required("REDIS_USER")?,
        cache: required("REDIS_CACHE_NAME")?,
        kind,
        region: required("AWS_REGION")?,
        credentials: Credentials::new(key, secret, lookup("AWS_SESSION_TOKEN"), None, "environment"),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const IAM: [(&str, &str); 6] = [
        ("REDIS_AUTH", "iam-serverless"),
        ("REDIS_USER", "functions"),
        ("REDIS_CACHE_NAME", "strata"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "hidden"),
    ];

    fn read_from(variables: &[(&str, &str)]) -> Result<RedisAccess, SettingsError> {
        read(|name| {
            let found = variables.iter().rfind(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned()).filter(|value| !value.is_empty())
        })
    }

    #[test]
    fn nothing_set_is_as_the_url_says() {
        // Lambda sets credentials always.
        let access = read_from(&IAM[3..]).unwrap();
        assert!(access.iam.is_none() && access.ca.is_none());
    }

    #[test]
    fn by_iam() {
        let access = read_from(&IAM).unwrap();
        assert!(!format!("{access:?}").contains("hidden"));
        let iam = access.iam.unwrap();
        assert_eq!(
            (iam.user.as_str(), iam.cache.as_str(), iam.region.as_str()),
            ("functions", "strata", "eu-central-1")
        );
        assert_eq!((iam.kind, iam.credentials.session_token()), (CacheKind::Serverless, None));
        let group =
            read_from(&[&IAM[..], &[("REDIS_AUTH", "iam-replication-group"), ("AWS_SESSION_TOKEN", "t")]].concat());
        let iam = group.unwrap().iam.unwrap();
        assert_eq!((iam.kind, iam.credentials.session_token()), (CacheKind::ReplicationGroup, Some("t")));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (variable, _) in &IAM[1..] {
            let error = read_from(&[&IAM[..], &[(variable, "")]].concat()).unwrap_err().to_string();
            assert!(error.contains(variable), "{error}");
        }
        let unknown = read_from(&[("REDIS_AUTH", "password")]).unwrap_err();
        assert_eq!(unknown.variable, "REDIS_AUTH");
    }

    #[test]
    fn an_authority_is_a_certificate_in_a_file() {
        let certificate = std::env::temp_dir().join(format!("strata-ca-{}.pem", std::process::id()));
        std::fs::write(&certificate, "-----BEGIN CERTIFICATE-----\n").unwrap();
        let ca = read_from(&[("REDIS_CA_FILE", certificate.to_str().unwrap())]).map(|access| access.ca);
        std::fs::remove_file(&certificate).unwrap();
        assert!(ca.unwrap().is_some());
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for bad in ["/nowhere", manifest] {
            assert_eq!(read_from(&[("REDIS_CA_FILE", bad)]).unwrap_err().variable, "REDIS_CA_FILE", "{bad}");
        }
    }
}
