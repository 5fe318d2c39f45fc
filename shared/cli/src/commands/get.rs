//! `strata get`

use crate::{
    exit::{Exit, Failure},
    output::{bytes, count},
    session::Session,
};
use clap::Args;
use strata_client::Metadata;

/// Print a value; exit code 3 when there is none
#[derive(Debug, Args)]
pub struct Get {
    key: String,
    /// No value older than the one in force, at the cost of a round trip to Redis
    #[arg(long)]
    fresh: bool,
    /// Say what is known of the entry as well, on standard error
    #[arg(long, short)]
    metadata: bool,
}

impl Get {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let get = session.client.get(&self.key);
        let found = if self.fresh { get.fresh().await? } else { get.await? };
        let Some(entry) = found else {
            return Err(Failure::new(Exit::NotFound, format!("there is no entry `{}`", self.key)));
        };
        let output = &session.output;
        if output.json {
            return output.json(&entry);
        }
        if self.metadata {
            output.note(&format!("{}; etag {}", describe(&entry.metadata), entry.etag));
        }
        output.value(entry.value.get())
    }
}

fn describe(metadata: &Metadata) -> String {
    format!(
        "from {}; {}; stored {}, expires {} (ttl {} s{}); {} reads",
        metadata.level,
        bytes(metadata.size_bytes),
        metadata.created_at,
        metadata.expires_at,
        count(metadata.ttl_seconds),
        metadata.idle_seconds.map(|idle| format!(", idle {} s", count(idle))).unwrap_or_default(),
        count(metadata.access_count),
    )
}
