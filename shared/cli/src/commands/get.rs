//! `strata get`

use crate::{
    duration::duration,
    exit::{Exit, Failure},
    output::{bytes, count, counted},
    session::Session,
};
use clap::Args;
use std::time::Duration;
use strata_client::Metadata;

/// Print a value; exit code 3 when there is none
#[derive(Debug, Args)]
pub struct Get {
    key: String,
    /// No value older than the one in force, at the cost of a round trip to Redis
    #[arg(long)]
    fresh: bool,
    /// Also what has expired, so long ago at most, such as 1h, while its grace lasts
    #[arg(long, value_parser = duration, value_name = "TIME")]
    max_stale: Option<Duration>,
    /// Say what is known of the entry as well, on standard error
    #[arg(long, short)]
    metadata: bool,
}

impl Get {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let mut get = session.client.get(&self.key);
        if self.fresh {
            get = get.fresh();
        }
        if let Some(time) = self.max_stale {
            get = get.max_stale(time);
        }
        let found = get.await?;
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
        "from {}; {}; stored {}, {} {} (ttl {} s{}{}); {}",
        metadata.level,
        bytes(metadata.size_bytes),
        metadata.created_at,
        if metadata.stale { "expired" } else { "expires" },
        metadata.expires_at,
        count(metadata.ttl_seconds),
        metadata.idle_seconds.map(|idle| format!(", idle {} s", count(idle))).unwrap_or_default(),
        metadata.grace_seconds.map(|grace| format!(", grace {} s", count(grace))).unwrap_or_default(),
        counted(metadata.access_count, "read", "reads"),
    )
}
