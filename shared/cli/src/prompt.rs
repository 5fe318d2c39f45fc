//! Asking the person at the terminal.

use crate::exit::Failure;
use std::io::{self, IsTerminal, Write};
use termion::{input::TermRead, raw::IntoRawMode};

/// Whether there is somebody who can be asked.
pub fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question; anything but a yes is a no.
pub fn confirmed(question: &str) -> Result<bool, Failure> {
    eprint!("{question} [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
}

/// A secret: typed unseen, or from standard input where that is no terminal.
pub fn secret(what: &str) -> Result<String, Failure> {
    let mut text = String::new();
    if is_possible() {
        // Before anybody can begin to type.
        let unseen = io::stderr().into_raw_mode()?;
        eprint!("{what}: ");
        io::stderr().flush()?;
        text = TermRead::read_line(&mut io::stdin().lock())?.unwrap_or_default();
        drop(unseen);
        eprintln!();
    } else {
        io::stdin().read_line(&mut text)?;
    }
    match text.trim() {
        "" => Err(Failure::usage(format!("no {what} was given"))),
        secret => Ok(secret.to_owned()),
    }
}
