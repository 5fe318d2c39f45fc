//! What the environment says. Nothing else here reads it.

use crate::exit::Failure;
use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
use std::path::PathBuf;

/// A variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The API's base URL: `--url`, else `STRATA_URL`.
pub fn url(option: Option<&str>) -> Result<Option<String>, Failure> {
    match option {
        Some(url) if url.trim().is_empty() => Err(Failure::usage("the URL is empty; set STRATA_URL or --url")),
        Some(url) => Ok(Some(url.to_owned())),
        None => Ok(variable("STRATA_URL")),
    }
}

/// `STRATA_TOKEN`: the token itself.
pub fn token() -> Option<String> {
    variable("STRATA_TOKEN")
}

/// `STRATA_PROFILE`: the profile's name.
pub fn profile() -> Option<String> {
    variable("STRATA_PROFILE")
}

/// `NO_COLOR` (no-color.org), or a terminal that has none.
pub fn has_no_color() -> bool {
    variable("NO_COLOR").is_some() || variable("TERM").is_some_and(|terminal| terminal == "dumb")
}

/// The folder for configurations of this platform, ours in it: on Linux `~/.config/strata`, or below `XDG_CONFIG_HOME`.
pub fn config_folder() -> Option<PathBuf> {
    choose_native_strategy().ok().map(|base| base.config_dir().join("strata"))
}

/// The folder for what is remembered between two runs, ours in it: on Linux `~/.local/state/strata`, or below
/// `XDG_STATE_HOME`.
pub fn state_folder() -> Option<PathBuf> {
    let base = choose_native_strategy().ok()?;
    Some(base.state_dir().unwrap_or_else(|| base.data_dir()).join("strata"))
}
