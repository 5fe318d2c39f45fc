//! `strata completions` and `strata man`: from the words themselves.

use crate::exit::Failure;
use clap::{Args, Command};
use clap_complete::Shell;
use std::{
    io::{self, Write},
    path::PathBuf,
};

const NAME: &str = "strata";

/// Print a shell's completions
///
/// For bash: strata completions bash > ~/.local/share/bash-completion/completions/strata
#[derive(Debug, Args)]
pub struct Completions {
    shell: Shell,
}

impl Completions {
    pub fn run(self, words: &mut Command) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, words, NAME, &mut script);
        Ok(io::stdout().write_all(&script)?)
    }
}

/// Print the manual page, or write those of all commands
///
/// To read it: strata man | man -l -
#[derive(Debug, Args)]
pub struct Man {
    /// A folder, such as ~/.local/share/man/man1, for all pages
    folder: Option<PathBuf>,
}

impl Man {
    pub fn run(self, words: Command) -> Result<(), Failure> {
        match self.folder {
            Some(folder) => {
                std::fs::create_dir_all(&folder).map_err(|why| Failure::at(folder.display(), why))?;
                Ok(clap_mangen::generate_to(words, folder)?)
            }
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(words).render(&mut page)?;
                Ok(io::stdout().write_all(&page)?)
            }
        }
    }
}
