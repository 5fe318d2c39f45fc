//! Whom to ask, with which token, and how to show what is answered.

use crate::{
    exit::{Exit, Failure},
    global::Global,
    output::Output,
    profiles::{Profile, Profiles},
    settings,
};
use std::{path::Path, time::Duration};
use strata_client::{Builder, Client, Retry};
use tokio::process::Command;

/// For people who wait.
const RETRY: Retry = Retry { times: 4, patience: Duration::from_secs(15) };

/// A connection of a command.
#[derive(Debug)]
pub struct Session {
    pub client: Client,
    pub output: Output,
    /// How long a request may take.
    pub timeout: Duration,
    builder: Builder,
}

impl Session {
    /// By the options, then the environment, then the profile.
    pub async fn open(global: &Global) -> Result<Session, Failure> {
        let name = global.profile.clone().or_else(settings::profile);
        let profile = Profiles::read()?.find(name.as_deref())?;
        let url = settings::url(global.url.as_deref())?;
        let is_other = matches!((&url, &profile), (Some(url), Some(profile)) if !is_same(url, &profile.url));
        let url = url.or_else(|| profile.as_ref().map(|profile| profile.url.clone()));
        let url = url.ok_or_else(|| Failure::usage("no URL: strata login, --url or STRATA_URL says where to"))?;
        let token = match (&global.token_file, settings::token(), &profile) {
            (Some(file), _, _) => read(file)?,
            (None, Some(token), _) => token,
            // It is for nobody else.
            (None, None, Some(profile)) if !is_other => token_of(profile).await?,
            (None, None, _) => {
                return Err(Failure::new(
                    Exit::NotAllowed,
                    format!("no token for {url}: strata login, --token-file or STRATA_TOKEN"),
                ));
            }
        };
        let plain = global.allow_http || (!is_other && profile.is_some_and(|profile| profile.allow_http));
        let client = Client::builder(url, token).timeout(global.timeout).retry(RETRY).allow_plain_http(plain);
        let output = Output::new(global);
        Ok(Session { client: client.clone().build()?, output, timeout: global.timeout, builder: client })
    }

    /// The same, for what waits longer.
    pub fn client_with(&self, retry: Retry) -> Result<Client, Failure> {
        Ok(self.builder.clone().retry(retry).build()?)
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// The token of a profile.
pub async fn token_of(profile: &Profile) -> Result<String, Failure> {
    if let Some(command) = &profile.token_command {
        return from_command(command).await;
    }
    if let Some(file) = &profile.token_file {
        return read(file);
    }
    profile.token.clone().ok_or_else(|| Failure::new(Exit::NotAllowed, "the profile has no token: strata login"))
}

fn read(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file).map_err(|why| Failure::at(file.display(), why))?;
    some(&text, &file.display().to_string())
}

/// What the user's command prints. What it says on standard error is for the user.
async fn from_command(command: &str) -> Result<String, Failure> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stderr(std::process::Stdio::inherit()).kill_on_drop(true);
    let done = shell.output().await.map_err(|why| Failure::at("sh", why))?;
    if !done.status.success() {
        return Err(Failure::new(Exit::NotAllowed, format!("the command for the token ended with {}", done.status)));
    }
    some(&String::from_utf8_lossy(&done.stdout), "the command for the token")
}

fn some(text: &str, place: &str) -> Result<String, Failure> {
    match text.trim() {
        "" => Err(Failure::new(Exit::NotAllowed, format!("{place} has no token"))),
        token => Ok(token.to_owned()),
    }
}
