//! The profiles: URLs, and where their tokens come from. The file may hold tokens, so nobody else may read it.

use crate::{exit::Failure, settings};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The profile that is used when none is named.
const DEFAULT: &str = "default";
/// What everybody but the owner may do.
const OTHERS: u32 = 0o077;

/// The file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

/// A deployment, and a token for it from one of three places.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Given to the shell; prints the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_command: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_http: bool,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Where the file is.
pub fn path() -> Result<PathBuf, Failure> {
    let folder = settings::config_folder().ok_or_else(|| Failure::usage("there is no home folder for profiles"))?;
    Ok(folder.join("profiles.toml"))
}

impl Profiles {
    /// Reads the file; without one there are no profiles.
    pub fn read() -> Result<Profiles, Failure> {
        let path = path()?;
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Profiles::default()),
            Err(why) => return Err(Failure::at(path.display(), why)),
        };
        let profiles: Profiles =
            toml::from_str(&text).map_err(|why| Failure::usage(format!("{}: {}", path.display(), why.message())))?;
        let mode = fs::metadata(&path)?.permissions().mode();
        if mode & OTHERS != 0 && profiles.profiles.values().any(|profile| profile.token.is_some()) {
            let path = path.display();
            return Err(Failure::usage(format!("{path} holds tokens and others may read it: chmod 600 {path}")));
        }
        Ok(profiles)
    }

    /// The profile of this name, or the default one. One that is named must be there.
    pub fn find(mut self, name: Option<&str>) -> Result<Option<Profile>, Failure> {
        if let Some(name) = name {
            let found = self.profiles.remove(name);
            return found
                .map(Some)
                .ok_or_else(|| Failure::usage(format!("there is no profile `{name}`; strata login --profile {name}")));
        }
        let name = self.default.as_deref().unwrap_or(DEFAULT);
        Ok(self.profiles.remove(name))
    }

    /// Adds or replaces a profile and writes the file. The first one becomes the default.
    pub fn save(mut self, name: Option<&str>, profile: Profile) -> Result<PathBuf, Failure> {
        let name = name.map_or_else(|| self.default.clone().unwrap_or_else(|| DEFAULT.to_owned()), str::to_owned);
        if self.profiles.is_empty() {
            self.default = Some(name.clone());
        }
        self.profiles.insert(name, profile);
        let path = path()?;
        let text = toml::to_string(&self).map_err(|why| Failure::at(path.display(), why))?;
        write(&path, &text).map_err(|why| Failure::at(path.display(), why))?;
        Ok(path)
    }
}

/// Writes the file in one step, and so that nobody else can ever read it.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let draft = path.with_extension(format!("toml.{:08x}", fastrand::u32(..)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let done = written.and_then(|()| fs::rename(&draft, path));
    if done.is_err() {
        // The draft may hold a token.
        fs::remove_file(&draft).ok();
    }
    done
}
