//! What `top` has seen so far.

use std::collections::VecDeque;
use strata_client::{Job, JobPage, Level, Mutation, Mutations, Result, Status};

/// Mutations that are kept: more than a screen has lines.
const MUTATIONS: usize = 200;

/// What was seen.
pub struct Seen {
    pub url: String,
    pub status: Status,
    pub jobs: Vec<Job>,
    /// The newest last.
    pub mutations: VecDeque<Mutation>,
    /// Why the last look saw nothing, or not all.
    pub trouble: Option<String>,
    position: Option<String>,
}

impl Seen {
    pub fn new(url: String, status: Status) -> Seen {
        Seen { url, status, jobs: Vec::new(), mutations: VecDeque::new(), trouble: None, position: None }
    }

    /// After which the journal goes on.
    pub fn position(&self) -> Option<String> {
        self.position.clone()
    }

    /// Takes in what was seen. A token that may not read the journal sees the rest.
    pub fn look(&mut self, status: Status, jobs: Result<JobPage>, journal: Result<Mutations>) {
        self.status = status;
        self.trouble = None;
        match jobs {
            Ok(page) => self.jobs = page.jobs,
            Err(error) => self.trouble = Some(format!("jobs: {error}")),
        }
        match journal {
            Ok(page) => {
                self.position = page.next.or(self.position.take());
                self.mutations.extend(page.mutations);
                self.mutations.drain(..self.mutations.len().saturating_sub(MUTATIONS));
            }
            Err(error) => self.trouble = Some(format!("journal: {error}")),
        }
    }

    /// Notes why nothing was seen.
    pub fn blind(&mut self, why: String) {
        self.trouble = Some(why);
    }

    /// Percent of a level's reads that it answered, in each minute, the oldest first. Nothing asked, no figure.
    pub fn ratios(&self, level: Level) -> impl DoubleEndedIterator<Item = Option<u64>> {
        let minutes = self.status.history.iter().flatten();
        minutes.map(move |minute| {
            let found = minute.levels.iter().find(|found| found.level == level)?;
            (100 * found.hits).checked_div(found.reads)
        })
    }
}
