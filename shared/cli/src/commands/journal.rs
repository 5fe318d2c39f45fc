//! `strata journal`

use crate::{exit::Failure, output::entries, paint::visible, session::Session};
use clap::Args;
use std::time::{Duration, Instant};
use strata_client::Mutation;

/// Between two looks at the journal, at least.
const PAUSE: Duration = Duration::from_secs(1);
/// What the server is asked to wait for the next mutation: as long as it may.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Show who changed what in the last ten minutes, and why
#[derive(Debug, Args)]
pub struct Journal {
    /// Those after this position
    #[arg(long, value_name = "POSITION")]
    since: Option<String>,
    /// At most so many, 1 to 1000; without --since the newest
    #[arg(long, short = 'n', default_value_t = 100)]
    limit: u64,
    /// Those that may have touched this key
    #[arg(long)]
    key: Option<String>,
    /// Those that may have touched a key that begins with this
    #[arg(long)]
    prefix: Option<String>,
    /// put, delete, invalidate or config
    #[arg(long)]
    kind: Option<String>,
    /// Those that this subject asked for
    #[arg(long, value_name = "SUBJECT")]
    by: Option<String>,
    /// Go on with what comes, until interrupted
    #[arg(long, short)]
    follow: bool,
}

impl Journal {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let mut since = self.since.clone();
        let mut wait = Duration::ZERO;
        loop {
            let asked = Instant::now();
            let page = self.request(session, since.as_deref(), wait).await?;
            for mutation in &page.mutations {
                if session.output.json {
                    session.output.json(mutation)?;
                } else {
                    session.output.line(&line(mutation))?;
                }
            }
            since = page.next.or(since);
            if !self.follow {
                return Ok(());
            }
            // Behind a full page there may be more. Where others wait already, or there is no place to wait after, the
            // server answers at once.
            if page.mutations.len() as u64 != self.limit {
                tokio::time::sleep(PAUSE.saturating_sub(asked.elapsed())).await;
            }
            wait = LONGEST_WAIT.min(session.timeout / 2);
        }
    }

    fn request<'a>(&self, session: &'a Session, since: Option<&str>, wait: Duration) -> strata_client::Journal<'a> {
        let mut journal = session.client.journal().limit(self.limit);
        if let Some(since) = since {
            journal = journal.since(since).wait(wait);
        }
        if let Some(key) = &self.key {
            journal = journal.key(key);
        }
        if let Some(prefix) = &self.prefix {
            journal = journal.prefix(prefix);
        }
        if let Some(kind) = &self.kind {
            journal = journal.kind(kind);
        }
        if let Some(by) = &self.by {
            journal = journal.by(by);
        }
        journal
    }
}

/// A mutation in a line. Its position is for programs.
pub fn line(mutation: &Mutation) -> String {
    let what = match (&mutation.key, &mutation.pattern, &mutation.tags, &mutation.changes) {
        (Some(key), ..) => key.clone(),
        (_, Some(pattern), ..) => pattern.clone(),
        (_, _, Some(tags), _) => {
            format!("tags {}", tags.join(if mutation.matching.is_some() { " and " } else { " or " }))
        }
        (_, _, _, Some(changes)) => {
            let changes = changes.iter().map(|change| format!("{} {} → {}", change.field, change.old, change.new));
            changes.collect::<Vec<_>>().join(", ")
        }
        _ => mutation.keys.as_ref().map_or_else(|| "-".to_owned(), |keys| format!("keys {}", keys.join(", "))),
    };
    let kind = if mutation.mode.is_some() { "make stale" } else { &mutation.kind };
    let mut line = format!("{}  {kind:<10}  {what}", mutation.at);
    if let Some(tags) = &mutation.except_tags {
        line += &format!("  but for tags {}", tags.join(", "));
    }
    if let Some(count) = mutation.matched_count {
        line += &format!("  ({})", entries(count));
    }
    if let Some(by) = &mutation.by {
        line += &format!("  by {by}");
    }
    if let Some(reason) = &mutation.reason {
        line += &format!("  “{reason}”");
    }
    visible(&line)
}
