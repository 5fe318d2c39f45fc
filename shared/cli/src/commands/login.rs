//! `strata login`: keeps a URL and where its token comes from.

use crate::{
    exit::{Exit, Failure, exit_of},
    global::Global,
    output::Output,
    profiles::{Profile, Profiles},
    prompt,
    session::token_of,
    settings,
};
use clap::Args;
use strata_client::Client;

/// Keep a URL and a token as a profile
///
/// The token is asked for, or read from standard input, and kept in a file that only you can read. With --token-file or
/// --token-command it is not kept at all, but read anew each time.
#[derive(Debug, Args)]
pub struct Login {
    /// A command of yours that prints the token
    #[arg(long, value_name = "COMMAND", conflicts_with = "token_file")]
    token_command: Option<String>,
    /// Keep it without trying it
    #[arg(long)]
    no_check: bool,
}

impl Login {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let output = Output::new(global);
        let profiles = Profiles::read()?;
        let name = global.profile.clone().or_else(settings::profile);
        let url = settings::url(global.url.as_deref())?;
        let url = url.ok_or_else(|| Failure::usage("no URL: --url or STRATA_URL says where to"))?;
        let mut profile = Profile { url, allow_http: global.allow_http, ..Profile::default() };
        match (self.token_command, &global.token_file) {
            (Some(command), _) => profile.token_command = Some(command),
            (None, Some(file)) => profile.token_file = Some(std::path::absolute(file)?),
            (None, None) => profile.token = Some(prompt::secret("token")?),
        }
        let token = token_of(&profile).await?;
        let client = Client::builder(&profile.url, token).timeout(global.timeout);
        let client = client.allow_plain_http(profile.allow_http).build()?;
        if !self.no_check {
            match client.status().await {
                Ok(_) => {}
                // It is good, and may do something else.
                Err(error)
                    if exit_of(&error) == Exit::NotAllowed && error.api().is_some_and(|said| said.status == 403) =>
                {
                    output.note("the token may not read the status");
                }
                Err(error) => return Err(error.into()),
            }
        }
        let path = profiles.save(name.as_deref(), profile)?;
        output.note(&format!("kept in {}", path.display()));
        Ok(())
    }
}
