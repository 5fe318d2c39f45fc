//! `strata invalidate`: shows first what it would remove, and asks.

use crate::{
    commands::put::LevelName,
    exit::{Exit, Failure},
    output::{Output, entries},
    prompt,
    session::Session,
};
use clap::Args;
use std::time::Duration;
use strata_client::{Invalidated, Level, Reclaim, Selector, Timestamp};

/// Remove the entries that match a pattern, have a tag, or are named
///
/// In a pattern `*` stands for any text, `?` for a character, `[a-z]` and `[^a-z]` for one of several, and `\` goes before
/// a character that is meant itself. Quote it, or the shell takes it for names of files.
#[derive(Debug, Args)]
pub struct Invalidate {
    #[arg(required_unless_present_any = ["tags", "keys"], conflicts_with_all = ["tags", "keys"])]
    pattern: Option<String>,
    /// Instead of a pattern, a tag; may be repeated for entries with any of them
    #[arg(long = "tag", short, value_name = "TAG", conflicts_with = "keys")]
    tags: Vec<String>,
    /// Entries with all of the tags, not with any
    #[arg(long, requires = "tags")]
    all: bool,
    /// Instead of a pattern, a key; may be repeated
    #[arg(long = "key", short, value_name = "KEY")]
    keys: Vec<String>,
    /// Not entries with this tag; may be repeated
    #[arg(long = "except-tag", value_name = "TAG")]
    except: Vec<String>,
    /// Do not ask, and do not count first
    #[arg(long, short)]
    yes: bool,
    /// Show what would be removed, and remove nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Remove nothing when more match; exit code 5
    #[arg(long, value_name = "COUNT")]
    max: Option<u64>,
    /// Only in this level; may be repeated
    #[arg(long = "level", value_name = "LEVEL")]
    levels: Vec<LevelName>,
    /// Keep what is removed, so that `strata undo` can bring it back within so many seconds, up to 3600; 0 to keep nothing
    ///
    /// By default as the API's configuration says.
    #[arg(long, value_name = "SECONDS")]
    undo_seconds: Option<u64>,
    /// Only end the life of what has a grace, and remove the rest
    #[arg(long, conflicts_with_all = ["levels", "undo_seconds"])]
    stale: bool,
    /// With --stale, for so many seconds at most may what is left be served
    #[arg(long, value_name = "SECONDS", requires = "stale")]
    deadline_seconds: Option<u64>,
    /// Why, for the journal
    #[arg(long)]
    reason: Option<String>,
}

impl Invalidate {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let output = &session.output;
        if self.dry_run {
            let would = self.request(session).dry_run().await?;
            return if output.json { output.json(&would) } else { show(session, &would) };
        }
        if !self.yes {
            if !prompt::is_possible() {
                return Err(Failure::usage("nothing was removed: there is nobody to ask, so say --yes or --dry-run"));
            }
            let would = self.request(session).dry_run().await?;
            describe(session, &would);
            if met(&would) == 0 {
                return Ok(());
            }
            let question = match would.stale_count {
                None => format!("Remove {}?", entries(would.invalidated_count)),
                Some(stale) => {
                    format!("Make {} stale and remove {}?", entries(stale), entries(would.invalidated_count))
                }
            };
            if !prompt::confirmed(&question)? {
                return Err(Failure::new(Exit::Failed, "nothing was removed"));
            }
        }
        let done = self.request(session).await?;
        if output.json {
            return output.json(&done);
        }
        output.note(&match done.stale_count {
            None => format!("removed {}", entries(done.invalidated_count)),
            Some(stale) => format!("made {} stale, removed {}", entries(stale), entries(done.invalidated_count)),
        });
        if let (Some(Reclaim::InProgress), Some(job)) = (done.reclaim, &done.job_id) {
            output.note(&format!("the rest is hidden already and removed by a job: strata jobs {job} --watch"));
        }
        if done.degraded {
            output.note("Redis could not be told: other containers may answer the older values for ten seconds");
        }
        note_undo(output, done.invalidation_id.as_deref(), done.undo_until);
        Ok(())
    }

    fn request<'a>(&self, session: &'a Session) -> strata_client::Invalidate<'a> {
        let selector = match &self.pattern {
            Some(pattern) => Selector::pattern(pattern),
            None if !self.keys.is_empty() => Selector::keys(self.keys.clone()),
            None if self.all => Selector::all_tags(self.tags.clone()),
            None => Selector::tags(self.tags.clone()),
        };
        let mut request = session.client.invalidate(selector);
        if !self.except.is_empty() {
            request = request.except_tags(self.except.clone());
        }
        if !self.levels.is_empty() {
            request = request.levels(self.levels.iter().map(|level| Level::from(*level)));
        }
        if let Some(max) = self.max {
            request = request.max_affected(max);
        }
        if let Some(reason) = &self.reason {
            request = request.reason(reason);
        }
        if let Some(seconds) = self.undo_seconds {
            request = request.undo_within(Duration::from_secs(seconds));
        }
        match (self.stale, self.deadline_seconds) {
            (false, _) => request,
            (true, None) => request.make_stale(),
            (true, Some(seconds)) => request.make_stale_within(Duration::from_secs(seconds)),
        }
    }
}

/// Says how to take it back, where that can be.
pub fn note_undo(output: &Output, id: Option<&str>, until: Option<Timestamp>) {
    if let (Some(id), Some(until)) = (id, until) {
        output.note(&format!("to bring it back, until {until}: strata undo {id}"));
    }
}

/// As an answer.
fn show(session: &Session, would: &Invalidated) -> Result<(), Failure> {
    session.output.note(&heading(would));
    for key in would.sample_keys.iter().flatten() {
        session.output.line(&crate::paint::visible(key))?;
    }
    Ok(())
}

/// As a message, before a question.
fn describe(session: &Session, would: &Invalidated) {
    session.output.note(&heading(would));
    for key in would.sample_keys.iter().flatten() {
        session.output.note(&format!("  {key}"));
    }
}

fn heading(would: &Invalidated) -> String {
    let sample = would.sample_keys.as_ref().map_or(0, Vec::len) as u64;
    let removed = format!("{} would be removed", entries(would.invalidated_count));
    let done = match would.stale_count {
        None => removed,
        Some(stale) => format!("{} would become stale, {removed}", entries(stale)),
    };
    match sample {
        0 => done,
        all if all == met(would) => format!("{done}:"),
        some => format!("{done}, {some} of them:"),
    }
}

fn met(would: &Invalidated) -> u64 {
    would.invalidated_count + would.stale_count.unwrap_or_default()
}
