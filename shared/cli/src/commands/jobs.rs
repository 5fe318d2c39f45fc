//! `strata jobs`

use crate::{
    exit::{Exit, Failure},
    output::{count, counted},
    session::Session,
    table::Table,
};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;
use strata_client::{Job, JobKind, JobState};

/// Jobs of a page: as many as the API gives.
const PAGE: u64 = 50;
/// Between two looks at a job.
const PAUSE: Duration = Duration::from_secs(1);

/// List jobs, look at one, follow it, or cancel it
#[derive(Debug, Args)]
pub struct Jobs {
    /// The job's name, as `strata warm` or `strata invalidate` said it; without it those of the API key are listed
    id: Option<String>,
    /// Show a bar until the job has ended; exit code 9 unless it is done
    #[arg(long, short, requires = "id")]
    watch: bool,
    /// Cancel it; what it has loaded stays
    #[arg(long, conflicts_with = "watch", requires = "id")]
    cancel: bool,
    /// List at most so many
    #[arg(long, short = 'n', default_value_t = 20, conflicts_with = "id")]
    limit: u64,
}

impl Jobs {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let Some(id) = &self.id else { return list(session, self.limit).await };
        if self.watch {
            return watch(session, id).await;
        }
        let job = if self.cancel { session.client.cancel_job(id).await? } else { session.client.job(id).await? };
        show(session, &job)
    }
}

/// Lists those that are not over, then those that are, the last that ended first.
async fn list(session: &Session, limit: u64) -> Result<(), Failure> {
    let (output, mut left, mut after) = (&session.output, limit, None::<String>);
    let mut table = Table::new(["JOB", "KIND", "STATE", "DONE>", "MISSING>", "FAILED>", "REMAINING>", "CREATED"]);
    while left > 0 {
        let jobs = session.client.jobs().limit(left.min(PAGE));
        let page = match after {
            Some(after) => jobs.after(after).await?,
            None => jobs.await?,
        };
        left = left.saturating_sub(page.jobs.len() as u64);
        for job in &page.jobs {
            if output.json {
                output.json(job)?;
                continue;
            }
            let remaining = job.remaining.map_or_else(|| "-".to_owned(), count);
            let [done, missing, failed] = [job.done, job.missing, job.failed].map(count);
            let created = job.created_at.to_string();
            table.row([&job.job_id, kind(job), job.state.name(), &done, &missing, &failed, &remaining, &created]);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if output.json {
        return Ok(());
    }
    let lines = table.lines(output.paint, |_, cell| cell.to_owned());
    lines.iter().try_for_each(|line| output.line(line))
}

fn kind(job: &Job) -> &'static str {
    match job.kind {
        JobKind::Warm => "warm",
        JobKind::Removal => "removal",
        _ => "other",
    }
}

/// A job in a line.
pub fn line(job: &Job) -> String {
    let settled = job.done + job.missing + job.failed;
    let whole = job.remaining.map(|remaining| settled + remaining).or(job.estimated_keys);
    let keys = |number| counted(number, "key", "keys");
    let keys = match whole {
        Some(whole) => format!("{} of {}", count(settled), keys(whole.max(settled))),
        None => keys(settled),
    };
    format!("{}  {:<7}  {:<9}  {keys}", job.created_at, kind(job), job.state.name())
}

/// Follows a job to its end. Interrupted, it says that the job goes on.
pub async fn watch(session: &Session, id: &str) -> Result<(), Failure> {
    let bar = bar(session);
    let job = tokio::select! {
        job = to_its_end(session, id, &bar) => job?,
        _ = tokio::signal::ctrl_c() => {
            bar.abandon();
            session.output.note(&format!("the job goes on: strata jobs {id} --watch, or --cancel"));
            return Err(Failure::silent(Exit::Interrupted));
        }
    };
    bar.finish_and_clear();
    show(session, &job)?;
    if job.state == JobState::Done && job.failed == 0 { Ok(()) } else { Err(Failure::silent(Exit::Partly)) }
}

async fn to_its_end(session: &Session, id: &str, bar: &ProgressBar) -> Result<Job, Failure> {
    loop {
        let job = session.client.job(id).await?;
        let settled = job.done + job.missing + job.failed;
        if let Some(whole) = job.remaining.map(|remaining| settled + remaining).or(job.estimated_keys) {
            bar.set_length(whole.max(settled));
        }
        bar.set_position(settled);
        bar.set_message(job.state.name());
        if job.state.is_over() {
            return Ok(job);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn bar(session: &Session) -> ProgressBar {
    let target =
        if session.output.shows_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{msg:9} {bar:40} {human_pos}/{human_len} keys, {per_sec}, {eta} left");
    let bar = ProgressBar::with_draw_target(None, target);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(session: &Session, job: &Job) -> Result<(), Failure> {
    let output = &session.output;
    if output.json {
        return output.json(job);
    }
    let paint = output.paint;
    let state = match job.state {
        JobState::Done => paint.good(job.state.name()),
        JobState::Failed => paint.bad(job.state.name()),
        _ => paint.odd(job.state.name()),
    };
    output.line(&format!("{}  {state}", paint.bold(&job.job_id)))?;
    let keys = [("done", Some(job.done)), ("missing", Some(job.missing)), ("failed", Some(job.failed))];
    for (name, number) in keys.into_iter().chain([("remaining", job.remaining)]) {
        if let Some(number) = number {
            output.line(&format!("  {name:<10}{}", count(number)))?;
        }
    }
    let times = [("created", Some(job.created_at)), ("runs at", job.run_at), ("finished", job.finished_at)];
    for (name, time) in times {
        if let Some(time) = time {
            output.line(&format!("  {name:<10}{time}"))?;
        }
    }
    for (error, keys) in &job.errors {
        output.line(&format!("  {} of {}", crate::paint::visible(error), counted(*keys, "key", "keys")))?;
    }
    match &job.error {
        Some(error) => output.line(&format!("  {}", crate::paint::visible(error))),
        None => Ok(()),
    }
}
