//! What can be said on the command line.

use crate::{commands, exit::Failure, global::Global, session::Session};
use clap::{CommandFactory, Parser, Subcommand};

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

#[derive(Debug, Subcommand)]
enum Command {
    Get(commands::get::Get),
    Put(commands::put::Put),
    Rm(commands::rm::Rm),
    Ls(commands::ls::Ls),
    Tags(commands::ls::Tags),
    Invalidate(commands::invalidate::Invalidate),
    Undo(commands::undo::Undo),
    Invalidations(commands::undo::Invalidations),
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
            Command::Completions(command) => return command.run(&mut Words::command()),
            Command::Man(command) => return command.run(Words::command()),
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
        Command::Undo(command) => command.run(&session).await,
        Command::Invalidations(command) => command.run(&session).await,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_fit_together() {
        Words::command().debug_assert();
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
