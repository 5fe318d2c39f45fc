//! Jobs: work that is larger than one request, done in slices by whoever is called to.
//!
//! A job is an item of the control table. Writing it in state [`Ready`](JobState::Ready) is what calls somebody, through
//! the table's stream; a slice that ends with work left writes it so again. Any slice may be run twice, at once, or be
//! cut off anywhere: what it does can be repeated, and its checkpoint says where to go on.

/// What is known of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub id: String,
    /// What it does, such as `removal`.
    pub kind: String,
    /// How far it is.
    pub state: JobState,
    /// What it has done.
    pub counters: Counters,
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// When it was last heard of, in milliseconds since the Unix epoch.
    pub updated_ms: i64,
    /// Why its last slice was cut short, if it was.
    pub error: Option<String>,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// It waits for its time.
    Scheduled,
    /// It waits for somebody to go on with it.
    Ready,
    /// Somebody works on it.
    Running,
    /// It is done.
    Done,
}

/// What a job has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Keys it did what it is for: of a removal, keys removed, each counted once by each slice that met it.
    pub done: u64,
    /// Keys that were not there.
    pub missing: u64,
    /// Keys it could not do it for.
    pub failed: u64,
}

/// How one slice of a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// The job is done.
    Done,
    /// There is work left, and whoever reads the table's stream has been called.
    Continues,
    /// A level it needs is out of reach: maintenance calls again.
    Parked,
    /// There was nothing to do: it is done already, waits for its time, somebody else works on it, or there is no such
    /// job.
    NotDue,
}

impl Job {
    /// Whether there is nothing left to do.
    pub fn is_done(&self) -> bool {
        self.state == JobState::Done
    }
}

impl JobState {
    /// The state's name, as stored.
    pub const fn name(self) -> &'static str {
        match self {
            JobState::Scheduled => "scheduled",
            JobState::Ready => "ready",
            JobState::Running => "running",
            JobState::Done => "done",
        }
    }

    /// The state of that name; `None` for one that this release does not know.
    pub(crate) fn named(name: &str) -> Option<JobState> {
        let all = [JobState::Scheduled, JobState::Ready, JobState::Running, JobState::Done];
        all.into_iter().find(|state| state.name() == name)
    }
}
