//! `strata put`

use crate::{duration::duration, exit::Failure, output::bytes, session::Session};
use clap::{Args, ValueEnum};
use serde_json::value::{RawValue, to_raw_value};
use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
    time::Duration,
};
use strata_client::Level;

/// Store a value, byte for byte
#[derive(Debug, Args)]
pub struct Put {
    key: String,
    /// The value as JSON; without it, or as `-`, standard input
    value: Option<String>,
    /// Read the value from a file
    #[arg(long, short, conflicts_with = "value")]
    file: Option<PathBuf>,
    /// Take the value for text, and store it as a JSON string
    #[arg(long, short)]
    string: bool,
    /// Time to live, such as 90s or 2d [default: the server's, an hour]
    #[arg(long, value_parser = duration)]
    ttl: Option<Duration>,
    /// End it sooner when nobody reads it for so long
    #[arg(long, value_parser = duration)]
    idle: Option<Duration>,
    /// Keep it for so long after it has expired, for who takes that (`get --max-stale`)
    #[arg(long, value_parser = duration, value_name = "TIME")]
    grace: Option<Duration>,
    /// End it sooner by chance, by up to this share of its life, 0 to 0.5
    #[arg(long, value_name = "SHARE")]
    jitter: Option<f64>,
    /// A tag, for invalidations; may be repeated
    #[arg(long = "tag", short, value_name = "TAG")]
    tags: Vec<String>,
    /// Store it uncompressed
    #[arg(long)]
    no_compression: bool,
    /// A level that it may be in; may be repeated [default: all]
    #[arg(long = "level", value_name = "LEVEL")]
    levels: Vec<LevelName>,
    /// Only where there is no entry; else exit code 5
    #[arg(long, conflicts_with = "if_match")]
    if_absent: bool,
    /// Only over the value of this entity tag, or any for `*`; else exit code 5
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
}

/// A level, by its number or name.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LevelName {
    #[value(name = "l1", alias = "L1_MEMORY")]
    Memory,
    #[value(name = "l2", alias = "L2_REDIS")]
    Redis,
    #[value(name = "l3", alias = "L3_DATABASE")]
    Database,
}

impl From<LevelName> for Level {
    fn from(name: LevelName) -> Level {
        match name {
            LevelName::Memory => Level::L1Memory,
            LevelName::Redis => Level::L2Redis,
            LevelName::Database => Level::L3Database,
        }
    }
}

impl Put {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let value = self.read()?;
        let mut put = session.client.put(&self.key, &value).tags(self.tags);
        if let Some(ttl) = self.ttl {
            put = put.ttl(ttl);
        }
        if let Some(idle) = self.idle {
            put = put.idle(idle);
        }
        if let Some(grace) = self.grace {
            put = put.grace(grace);
        }
        if let Some(share) = self.jitter {
            put = put.jitter(share);
        }
        if self.no_compression {
            put = put.compression(false);
        }
        if !self.levels.is_empty() {
            put = put.levels(self.levels.into_iter().map(Level::from));
        }
        if self.if_absent {
            put = put.if_absent();
        }
        if let Some(etag) = self.if_match {
            put = put.if_match(etag);
        }
        let stored = put.await?;
        let output = &session.output;
        if output.json {
            return output.json(&stored);
        }
        let verb = if stored.created { "created" } else { "replaced" };
        let size = bytes(stored.metadata.size_bytes);
        let levels: Vec<&str> = stored.metadata.levels_stored.iter().map(|level| level.name()).collect();
        let (levels, expires) = (levels.join(", "), stored.metadata.expires_at);
        output.note(&format!("{verb} {} ({size}) in {levels}; expires {expires}", stored.key));
        if stored.degraded {
            output.note("Redis could not be told: other containers may answer the older value for ten seconds");
        }
        Ok(())
    }

    /// The value as JSON text.
    fn read(&self) -> Result<Box<RawValue>, Failure> {
        let text = match (&self.value, &self.file) {
            (Some(value), _) if value != "-" => value.clone(),
            (_, Some(file)) => fs::read_to_string(file).map_err(|why| Failure::at(file.display(), why))?,
            _ => {
                let mut text = String::new();
                io::stdin().read_to_string(&mut text).map_err(|why| Failure::at("standard input", why))?;
                text
            }
        };
        if self.string {
            return to_raw_value(&text).map_err(|why| Failure::at("the value", why));
        }
        let wrong = |why| Failure::usage(format!("the value is no JSON ({why}); --string stores text"));
        RawValue::from_string(text.trim().to_owned()).map_err(wrong)
    }
}
