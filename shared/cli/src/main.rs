//! `strata`: the command line of the cache management API. `docs/cli.md` is its manual.
//!
//! | where | what |
//! |---|---|
//! | `words`, `global` | what can be said |
//! | `commands` | a file for each command: its options, and what it does |
//! | `session`, `settings`, `profiles` | whom to ask, with which token |
//! | `exit` | how it ends: exit codes and messages |
//! | `output`, `table`, `pretty`, `paint` | what is shown, to people and to programs |

mod commands;
mod duration;
mod exit;
mod global;
mod output;
mod paint;
mod pretty;
mod profiles;
mod prompt;
mod session;
mod settings;
mod table;
mod words;

use clap::Parser;
use std::process::ExitCode;
use words::Words;

fn main() -> ExitCode {
    let words = match Words::try_parse() {
        Ok(words) => words,
        // Help and versions go to standard output, and are no failure.
        Err(said) => {
            let is_wrong = said.use_stderr();
            return if said.print().is_ok() && !is_wrong { ExitCode::SUCCESS } else { exit::Exit::Usage.into() };
        }
    };
    match words.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}
