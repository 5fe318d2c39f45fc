//! What can be said on the command line.

use crate::{commands, exit::Failure, session::Session};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, time::Duration};

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 another failure; 2 wrong usage; 3 not found (get, rm: a miss); 4 not allowed (no token, 401, 403);
5 a condition does not hold (409, 412); 6 refused as wrong (400, 413, 422); 7 rate limited (429); 8 no answer, or none
that helps (5xx, no connection): it may help to try again; 9 done in part; 130 interrupted; 141 the reader has gone.

Environment: STRATA_URL and STRATA_TOKEN go before the profile; STRATA_PROFILE names it; NO_COLOR.";

/// Look at and change a Strata cache
#[derive(Debug, Parser)]
#[command(name = "strata", version, after_long_help = EXIT_CODES, subcommand_required = true)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Words {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of all commands")]
pub struct Global {
    /// The profile to use, as `strata login` wrote it [default: the one of the file, or `default`]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// The API's base URL, such as `https://api.regulateai.com/v1/cache`
    #[arg(long, global = true)]
    pub url: Option<String>,
    /// A file with the token, which is never an argument itself
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Send the token over plain HTTP to another machine
    #[arg(long, global = true)]
    pub allow_http: bool,
    /// Give up a request after so long, such as 500ms or 10s
    #[arg(long, global = true, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub timeout: Duration,
    /// Answer for programs: the API's JSON, one document or line each
    #[arg(long, global = true)]
    pub json: bool,
    /// Colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// No messages but errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Get(commands::get::Get),
    Put(commands::put::Put),
    Rm(commands::rm::Rm),
    Ls(commands::ls::Ls),
    Tags(commands::ls::Tags),
    Invalidate(commands::invalidate::Invalidate),
    Warm(commands::warm::Warm),
    Jobs(commands::jobs::Jobs),
    Status(commands::status::Status),
    Stats(commands::stats::Stats),
    Top(commands::top::Top),
    Journal(commands::journal::Journal),
    Explain(commands::explain::Explain),
    Config(commands::config::Config),
    Import(commands::import::Import),
    Export(commands::export::Export),
    Login(commands::login::Login),
    Completions(commands::completions::Completions),
    Man(commands::completions::Man),
}

impl Words {
    /// Does what was said.
    pub fn run(self) -> Result<(), Failure> {
        // These ask nobody.
        match self.command {
            Command::Completions(command) => return command.run(),
            Command::Man(command) => return command.run(),
            _ => {}
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let done = runtime.block_on(run(self.global, self.command));
        // What still reads from a terminal would be waited for.
        runtime.shutdown_background();
        done
    }
}

async fn run(global: Global, command: Command) -> Result<(), Failure> {
    if let Command::Login(command) = command {
        return command.run(&global).await;
    }
    let session = Session::open(&global).await?;
    match command {
        Command::Get(command) => command.run(&session).await,
        Command::Put(command) => command.run(&session).await,
        Command::Rm(command) => command.run(&session).await,
        Command::Ls(command) => command.run(&session).await,
        Command::Tags(command) => command.run(&session).await,
        Command::Invalidate(command) => command.run(&session).await,
        Command::Warm(command) => command.run(&session).await,
        Command::Jobs(command) => command.run(&session).await,
        Command::Status(command) => command.run(&session).await,
        Command::Stats(command) => command.run(&session).await,
        Command::Top(command) => command.run(&session).await,
        Command::Journal(command) => command.run(&session).await,
        Command::Explain(command) => command.run(&session).await,
        Command::Config(command) => command.run(&session).await,
        Command::Import(command) => command.run(&session).await,
        Command::Export(command) => command.run(&session).await,
        Command::Login(_) | Command::Completions(_) | Command::Man(_) => Ok(()),
    }
}

/// A time with its unit.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("must be a number with ms, s, m, h or d, such as 90s".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "must begin with a number, as 90s does".to_owned())?;
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(|| "is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_words_fit_together() {
        Words::command().debug_assert();
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        for wrong in ["", "90", "s", "1.5h", "-1s", "90 s", "99999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_option_takes_a_token() {
        let mut words = Words::command();
        words.build();
        let all = std::iter::once(&words).chain(words.get_subcommands());
        for option in all.flat_map(clap::Command::get_arguments).filter_map(clap::Arg::get_long) {
            assert!(option != "token", "a token among the arguments is seen by everybody on the machine");
        }
    }
}
