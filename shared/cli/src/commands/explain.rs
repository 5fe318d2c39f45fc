//! `strata explain`

use super::journal;
use crate::{exit::Failure, paint::visible, session::Session};
use clap::Args;
use strata_client::{Explained, LevelCopy};

/// Say why a read of a key is answered as it is
#[derive(Debug, Args)]
pub struct Explain {
    key: String,
}

impl Explain {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let explained = session.client.explain(&self.key).await?;
        if session.output.json {
            return session.output.json(&explained);
        }
        for line in lines(&explained) {
            session.output.line(&visible(&line))?;
        }
        Ok(())
    }
}

fn lines(explained: &Explained) -> Vec<String> {
    let mut first = explained.verdict.clone();
    if let Some(reason) = &explained.reason {
        first += &format!(": {reason}");
    }
    if let Some(since) = explained.known_since {
        first += &format!(", as far as is known since {since}");
    }
    let answer = explained.get.level.map_or_else(String::new, |level| format!(" from {level}"));
    let mut lines = vec![first, format!("a GET is answered {}{answer}", explained.get.status)];
    lines.extend(explained.cause.as_ref().map(|cause| format!("because of  {}", journal::line(cause))));
    lines.extend(explained.levels.iter().map(line));
    let container = &explained.container;
    let synced = container.last_sync.map_or_else(|| "never".to_owned(), |at| at.to_string());
    lines.push(format!("container {}, Δ {} ms, last sync {synced}", container.id, container.coherence_window_ms));
    lines
}

fn line(level: &LevelCopy) -> String {
    let mut line = format!("{:<12}", level.level.to_string());
    match (&level.version, &level.reason, level.trusted) {
        (_, _, true) => line += "  trusted",
        (Some(_), Some(reason), _) => line += &format!("  not trusted: {reason}"),
        (None, Some(reason), _) => line += &format!("  nothing: {reason}"),
        (Some(_), None, _) => line += "  not trusted",
        (None, None, _) => line += "  nothing",
    }
    if let Some(version) = &level.version {
        line += &format!("  version {version}");
    }
    if let Some(as_of) = &level.as_of {
        line += &format!("  as of {as_of}");
    }
    if let Some(expires_at) = level.expires_at {
        line += &format!("  expires {expires_at}");
    }
    if let Some(tags) = level.tags.as_ref().filter(|tags| !tags.is_empty()) {
        line += &format!("  tags {}", tags.join(", "));
    }
    line
}
