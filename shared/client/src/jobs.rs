//! What goes on behind the API: warm jobs, and invalidations that were too large for their request.

use crate::{
    Result,
    call::Call,
    client::{Client, awaited},
    retry::Repeat,
    timestamp::Timestamp,
    warm::Strategy,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// How far a job is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Job {
    /// Its name.
    pub job_id: String,
    /// What it does.
    pub kind: JobKind,
    /// What has become of it.
    pub state: JobState,
    /// Of a warm job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Of a warm job: keys that are looked at together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u64>,
    /// Of a warm job: batches under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u64>,
    /// Keys it will look at, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_keys: Option<u64>,
    /// Keys that are loaded, or removed.
    pub done: u64,
    /// Keys that were not there.
    pub missing: u64,
    /// Keys that could not be done.
    pub failed: u64,
    /// Keys that are left, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it will begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Timestamp>,
    /// When it has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Keys that could not be done, by the error.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, u64>,
    /// Why it waits, or has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobKind {
    /// Loads entries.
    Warm,
    /// Removes what an invalidation has hidden.
    Removal,
}

/// What has become of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobState {
    /// It waits for its time.
    Scheduled,
    /// It waits for somebody to do it.
    Ready,
    /// It is being done.
    Running,
    /// It has ended.
    Done,
    /// It was cancelled.
    Cancelled,
    /// It was given up.
    Failed,
}

impl JobState {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            JobState::Scheduled => "scheduled",
            JobState::Ready => "ready",
            JobState::Running => "running",
            JobState::Done => "done",
            JobState::Cancelled => "cancelled",
            JobState::Failed => "failed",
        }
    }

    /// Whether nothing will change any more.
    pub fn is_over(self) -> bool {
        matches!(self, JobState::Done | JobState::Cancelled | JobState::Failed)
    }
}

/// Some of the jobs of the API key: those that are not over first, then those that are, the last that ended first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobPage {
    /// The jobs; there may be fewer than were asked for, and more to come.
    pub jobs: Vec<Job>,
    /// What to give as [`Jobs::after`] for those that come after these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Client {
    /// Lists the jobs of the API key that the token may see, for a week after they have ended.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/jobs.rs")]
    /// ```
    pub fn jobs(&self) -> Jobs<'_> {
        Jobs { client: self, state: None, after: None, limit: None }
    }

    /// How far a job is, as soon as it is further than now, or after so many whole seconds, at most 20.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/job_after.rs")]
    /// ```
    pub async fn job_after(&self, id: &str, wait: Duration) -> Result<Job> {
        let call = Call::new(Method::GET, &path(id)).query("wait", Some(wait.as_secs().to_string()));
        self.send(call).await?.json()
    }

    /// How far a job is. Of a job that is not known the error is [`Code::JobNotFound`](crate::Code::JobNotFound).
    ///
    /// ```no_run
    #[doc = include_str!("../examples/job.rs")]
    /// ```
    pub async fn job(&self, id: &str) -> Result<Job> {
        self.send(Call::new(Method::GET, &path(id))).await?.json()
    }

    /// Cancels a warm job. What it has loaded stays; one that has ended stays as it ended.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/cancel_job.rs")]
    /// ```
    pub async fn cancel_job(&self, id: &str) -> Result<Job> {
        self.send(Call::new(Method::DELETE, &path(id)).repeat(Repeat::Harmless)).await?.json()
    }
}

fn path(id: &str) -> String {
    format!("/warm/{}", utf8_percent_encode(id, NON_ALPHANUMERIC))
}

/// See [`Client::jobs`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct Jobs<'a> {
    client: &'a Client,
    state: Option<JobState>,
    after: Option<String>,
    limit: Option<u64>,
}

impl Jobs<'_> {
    /// Only those in this state.
    pub fn state(mut self, state: JobState) -> Self {
        self.state = Some(state);
        self
    }

    /// Those after the page that said this.
    pub fn after(mut self, next: impl Into<String>) -> Self {
        self.after = Some(next.into());
        self
    }

    /// At most so many, 1 to 50; default 20.
    pub fn limit(mut self, jobs: u64) -> Self {
        self.limit = Some(jobs);
        self
    }

    async fn send(self) -> Result<JobPage> {
        let call = Call::new(Method::GET, "/warm").query("state", self.state.map(JobState::name));
        let call = call.query("after", self.after).query("limit", self.limit.map(|limit| limit.to_string()));
        self.client.send(call).await?.json()
    }
}

awaited!(Jobs<'a> => JobPage);
