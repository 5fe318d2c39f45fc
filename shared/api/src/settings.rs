//! A function's settings besides those of the cache. Only this file and the library's settings read the environment.

use crate::cors::Cors;
use std::{fmt, time::Duration};
use strata_cache::settings::{self, SettingsError, number};

/// What the deployment says. `Debug` leaves out all that could hold a secret.
pub struct Settings {
    /// Those of the cache.
    pub cache: settings::Settings,
    /// `FUNCTION_TIMEOUT_SECONDS`: the function's time limit. With the invocation's deadline it tells when the
    /// invocation began, by the platform's clock. Unset: not known.
    pub function_timeout: Option<Duration>,
    /// `DEPLOYMENT_KEY`: keys hashes of cache keys in the log and the names of jobs. All functions must have the same, and
    /// who knows it can find out, and foretell, those that are easy to guess. Unset: made of what all functions share.
    pub deployment_key: String,
    /// `CORS_ALLOW_ORIGINS`: origins whose pages may read answers, with commas between them. Unset: none.
    pub cors: Cors,
}

impl Settings {
    /// The settings in the process's environment.
    #[expect(clippy::disallowed_methods, reason = "the place that reads the environment of functions")]
    pub fn from_env() -> Result<Settings, SettingsError> {
        Settings::read(|name| std::env::var(name).ok())
    }

    /// The settings that `lookup` gives. An empty variable counts as not set.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        let cache = settings::Settings::read(&lookup)?;
        let lookup = |name: &'static str| lookup(name).filter(|value| !value.is_empty());
        let seconds = number("FUNCTION_TIMEOUT_SECONDS", lookup("FUNCTION_TIMEOUT_SECONDS"))?;
        Ok(Settings {
            cache,
            function_timeout: seconds.map(Duration::from_secs),
            cors: cors(lookup("CORS_ALLOW_ORIGINS"))?,
            deployment_key: lookup("DEPLOYMENT_KEY").unwrap_or_else(|| shared(lookup)),
        })
    }
}

fn cors(list: Option<String>) -> Result<Cors, SettingsError> {
    let read = list.map(|list| Cors::read(&list)).transpose();
    Ok(read.map_err(|problem| SettingsError::new("CORS_ALLOW_ORIGINS", problem))?.unwrap_or_default())
}

/// What all functions of a deployment have in common, its Redis password above all. Not the whole URL, which may name a
/// proxy of the function's own.
fn shared(lookup: impl Fn(&'static str) -> Option<String>) -> String {
    let url = lookup("REDIS_URL").unwrap_or_default();
    let user = url.rsplit_once('@').map_or("", |(user, _)| user);
    let others = ["TABLE_NAME", "CONTROL_TABLE_NAME", "KEY_PREFIX"].map(|name| lookup(name).unwrap_or_default());
    [user, &others.join(" ")].join(" ")
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("cache", &self.cache)
            .field("function_timeout", &self.function_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::HashMap;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let set: HashMap<_, _> = variables.iter().copied().collect();
        Settings::read(|name| set.get(name).map(ToString::to_string))
    }

    #[test]
    fn what_is_set_is_taken() {
        assert_eq!(read(&[]).unwrap().function_timeout, None);
        let settings = read(&[("FUNCTION_TIMEOUT_SECONDS", "30"), ("REDIS_URL", "redis://u:p@h:1")]).unwrap();
        assert_eq!(settings.function_timeout, Some(Duration::from_secs(30)));
        assert!(!format!("{settings:?}").contains("u:p"));
        for variable in ["FUNCTION_TIMEOUT_SECONDS", "CORS_ALLOW_ORIGINS", "COHERENCE_WINDOW_MS"] {
            let error = read(&[(variable, "-1")]).unwrap_err().to_string();
            assert!(error.contains(variable), "{error}");
        }
    }

    #[test]
    fn functions_of_one_deployment_have_one_key() {
        let key = |url: &str, table: &str| read(&[("REDIS_URL", url), ("TABLE_NAME", table)]).unwrap().deployment_key;
        let one = key("redis://u:p@h:1", "t");
        assert_eq!(one, key("redis://u:p@proxy:2", "t"));
        assert_ne!(one, key("redis://u:q@h:1", "t"));
        assert_ne!(one, key("redis://u:p@h:1", "other"));
        let given = [("REDIS_URL", "redis://u:p@h:1"), ("DEPLOYMENT_KEY", "given")];
        assert_eq!(read(&given).unwrap().deployment_key, "given");
    }
}
