//! What every command understands.

use crate::duration::duration;
use clap::{Args, ValueEnum};
use std::{path::PathBuf, time::Duration};

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
