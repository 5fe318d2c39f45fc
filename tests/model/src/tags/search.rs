//! An invalidation, which goes from index rows to what they name.

use super::{Kind, Request, Row, Rule, Step, Tags, Version, process::Turn};

impl Turn<'_> {
    /// Drops index rows, if there are any of that name, and ends.
    pub(super) fn drop(&mut self, name: Version, tags: Tags) {
        let step = if name == 0 || tags == Tags::NONE { Step::End } else { Step::Drop(name, tags) };
        match step {
            Step::End if self.process().invalidates() => self.search_on(),
            step => self.next(step),
        }
    }

    pub(super) fn query(&mut self) {
        let (row, index) = (self.state.table.row, self.state.table.index.clone());
        let process = self.process();
        let ((tag, _), version) = (process.tags(), process.version);
        process.found = index.iter().filter(|row| row.tag == tag).map(|row| row.name).collect();
        let is_soft = matches!(process.request, Request::MakeStale(_));
        let is_due = |row: &Row| row.kind == Kind::Value && !(is_soft && row.stale);
        let is_met = |row: &Row| is_due(row) && row.tags.has(tag) && row.version < version;
        process.must = row.filter(is_met).map_or(0, |row| row.version);
        self.search();
    }

    /// Goes on with the next index row.
    pub(super) fn search_on(&mut self) {
        self.process().found.remove(0);
        self.search();
    }

    pub(super) fn search(&mut self) {
        if !self.process().found.is_empty() {
            let is_soft = matches!(self.process().request, Request::MakeStale(_));
            return self.next(if is_soft { Step::Look } else { Step::Remove });
        }
        let (row, must) = (self.state.table.row, self.process().must);
        let lives = row.is_some_and(|row| row.kind == Kind::Value && row.version == must);
        self.state.broken.missed |= must > 0 && lives;
        self.next(Step::End);
    }

    /// What stands has its life ended, or is removed where it has none.
    pub(super) fn look(&mut self) {
        let standing = self.state.table.row;
        let process = self.process();
        let ((tag, _), version) = (process.tags(), process.version);
        process.seen = standing;
        let step = standing.filter(|row| row.tags.has(tag)).and_then(|row| match row.kind {
            Kind::Kept(born) if born < version => Some(Step::Strip(row.version)),
            Kind::Value if row.version < version && !row.stale => Some(Step::EndLife),
            Kind::Claim if row.version < version => Some(Step::RemoveExactly(row.version)),
            _ => None,
        });
        match step {
            Some(step) => self.next(step),
            None => self.search_on(),
        }
    }

    pub(super) fn removed(&mut self, before: Option<Row>) {
        let keeps = matches!(self.process().request, Request::InvalidateUndoably(_));
        let before = before.expect("something stood there");
        if keeps && before.kind == Kind::Value && self.has(Rule::UndoableKeepsRows) {
            return self.search_on();
        }
        self.drop(before.name, before.tags);
    }

    /// What an index row names, or what was seen, is not there. What has taken its place may be meant as well.
    pub(super) fn not_removed(&mut self, seen: Version) {
        let standing = self.state.table.row;
        let strays_stay = self.has(Rule::StrayRowsStay);
        let process = self.process();
        let ((tag, _), version) = (process.tags(), process.version);
        let Some(row) = standing.filter(|row| row.tags.has(tag)) else {
            if !strays_stay && standing.is_none_or(|row| row.name != seen) {
                return self.next(Step::Drop(seen, tag));
            }
            return self.search_on();
        };
        match row.kind {
            Kind::Kept(born) if born < version && row.version != version => self.next(Step::Strip(row.version)),
            Kind::Value | Kind::Claim if seen < row.version && row.version < version => {
                self.next(Step::RemoveExactly(row.version));
            }
            _ => self.search_on(),
        }
    }
}
