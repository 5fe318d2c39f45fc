//! How an operation goes on where Redis does not answer.

use crate::{
    operation::Step,
    rule::Rule,
    scenario::{Request, SourceOfTruth},
    state::Version,
    turn::Turn,
};

impl Turn<'_> {
    /// The sync did not answer, or what it said could not be taken in.
    pub fn start_without_redis(&mut self) {
        self.operation().reachable = false;
        if self.scenario.source_of_truth == SourceOfTruth::L2 {
            return self.end();
        }
        let scan_first = self.scenario.rules.has(Rule::NoteLast) && !self.leaves_note_first();
        match self.operation().request {
            Request::Get | Request::Patch => self.next(Step::ReadJobs),
            Request::Fill | Request::PutAbove | Request::InvalidateAsJob | Request::Undo => self.end(),
            Request::Put | Request::Delete => self.next(Step::ReadHead),
            _ if scan_first => self.next(Step::Scan),
            _ => {
                let version = self.version_without_redis();
                self.operation().version = version;
                self.next(Step::ReadGeneration);
            }
        }
    }

    /// A version greater than what L3 has and what is known to be open, and not less than Redis time last was.
    pub fn version_without_redis(&mut self) -> Version {
        let head = self.state.database.row.map_or(0, |row| row.version);
        let known = self.knowledge().map_or(0, |knowledge| {
            let open = knowledge.open.iter().map(|open_invalidation| open_invalidation.version).max();
            knowledge.tick.max(open.unwrap_or(0))
        });
        let jobs = if self.scenario.rules.has(Rule::VersionAboveJobs) { self.state.database.newest_job() } else { 0 };
        head.max(known).max(jobs) + 1
    }
}
