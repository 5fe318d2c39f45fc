//! `strata warm`

use crate::{commands::jobs, exit::Failure, session::Session};
use clap::{Args, ValueEnum};
use strata_client::{Strategy, Timestamp};

/// Load entries into the faster levels ahead of their readers
#[derive(Debug, Args)]
pub struct Warm {
    #[arg(required_unless_present = "patterns")]
    keys: Vec<String>,
    /// Keys that match a pattern; may be repeated
    #[arg(long = "pattern", short, value_name = "PATTERN")]
    patterns: Vec<String>,
    /// Into memory too (eager), into the shared levels only (lazy), or at the next scheduled run (scheduled)
    #[arg(long, short, default_value = "eager")]
    strategy: How,
    /// When to run, such as 2024-01-15T10:30:00Z; with the strategy `scheduled`
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Keys looked at together [default: the server's, 50]
    #[arg(long, value_name = "KEYS")]
    batch_size: Option<u64>,
    /// Batches under way at once [default: the server's, 10]
    #[arg(long, value_name = "BATCHES")]
    max_concurrent: Option<u64>,
    /// Do not wait for its end
    #[arg(long)]
    no_wait: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    Eager,
    Lazy,
    Scheduled,
}

impl Warm {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let strategy = match self.strategy {
            How::Eager => Strategy::Eager,
            How::Lazy => Strategy::Lazy,
            How::Scheduled => Strategy::Scheduled,
        };
        let mut warm = session.client.warm().keys(self.keys).patterns(self.patterns).strategy(strategy);
        if let Some(keys) = self.batch_size {
            warm = warm.batch_size(keys);
        }
        if let Some(batches) = self.max_concurrent {
            warm = warm.max_concurrent(batches);
        }
        if let Some(at) = self.at {
            warm = warm.run_at(at);
        }
        let accepted = warm.await?;
        let id = &accepted.warming_job_id;
        if !self.no_wait && self.strategy != How::Scheduled {
            return jobs::watch(session, id).await;
        }
        if session.output.json {
            return session.output.json(&accepted);
        }
        session.output.line(id)
    }
}
