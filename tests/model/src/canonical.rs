//! One representative for states that differ in names only.
//!
//! Positions and versions are moments on one line, and only their order matters. After every step the moments that are
//! still spoken of are numbered anew, and what nobody can ask for any more is forgotten. That makes a run some hundred
//! times smaller.

use crate::{
    history::{Floor, History, Shelved},
    knowledge::Knowledge,
    operation::Operation,
    state::{
        Container, Content, Database, Event, GAP, Index, Note, OpenInvalidation, Position, Record, Redis, Row, State,
    },
};

type Visit<'a> = &'a mut dyn FnMut(&mut u8);

impl State {
    /// Makes this state the representative of all that behave like it.
    pub fn canonicalize(&mut self) {
        self.forget();
        let mut spoken_of = [false; 256];
        self.moments(&mut |moment| spoken_of[usize::from(*moment)] = true);
        let mut number = 0;
        let mut names = [None; 256];
        names[0] = Some(0);
        for moment in 1..256 {
            if spoken_of[moment] {
                number += GAP;
                names[moment] = Some(number);
            }
        }
        self.moments(&mut |moment| *moment = names[usize::from(*moment)].expect("it is spoken of"));
        self.tick = number;
        self.floors(&mut |floor| floor.rename(&names));
    }

    /// Forgets what has no influence any more.
    fn forget(&mut self) {
        let outages = self.budget.cut > 0 || self.containers.iter().any(|container| container.cut);
        let closing: Vec<Position> = self
            .containers
            .iter()
            .filter_map(|container| container.operation.as_ref().map(|operation| operation.open_invalidation))
            .collect();
        for redis in [Some(&mut self.redis), self.replica.as_deref_mut()].into_iter().flatten() {
            redis.passed.retain(|at| closing.contains(at));
        }
        for container in &mut self.containers {
            if let Some(knowledge) = container.knowledge.as_mut().filter(|_| !outages) {
                knowledge.tick = 0;
            }
        }
    }

    fn moments(&mut self, visit: Visit<'_>) {
        self.redis.moments(visit);
        if let Some(replica) = &mut self.replica {
            replica.moments(visit);
        }
        self.database.moments(visit);
        for container in &mut self.containers {
            container.moments(visit);
        }
        self.history.current.iter_mut().for_each(&mut *visit);
        visit(&mut self.history.born);
        self.history.undone.iter_mut().for_each(&mut *visit);
        if let Some(Shelved { by, born, name }) = &mut self.history.shelved {
            [by, born, name].into_iter().for_each(&mut *visit);
        }
        visit(&mut self.session.at);
    }

    /// Every floor there is.
    pub fn floors(&mut self, visit: &mut dyn FnMut(&mut Floor)) {
        let History { outdated, acknowledged, degraded, .. } = &mut self.history;
        [outdated, acknowledged, degraded, &mut self.session.floor].into_iter().for_each(&mut *visit);
        let replica = self.replica.as_deref_mut();
        for redis in [Some(&mut self.redis), replica].into_iter().flatten() {
            redis.meta.iter_mut().filter_map(|meta| meta.notes.as_mut()).for_each(&mut *visit);
        }
        for container in &mut self.containers {
            visit(&mut container.synced);
            container.memory.iter_mut().for_each(|memory| visit(&mut memory.read));
            if let Some(Operation { floor, outdated, noted, preloaded, .. }) = &mut container.operation {
                [floor, outdated, noted, preloaded].into_iter().for_each(&mut *visit);
            }
        }
    }
}

impl Container {
    fn moments(&mut self, visit: Visit<'_>) {
        if let Some(Knowledge { cursor, low_watermark, swept, epoch, recent_changes, open, tick, aged, .. }) =
            &mut self.knowledge
        {
            [cursor, low_watermark, swept, epoch, tick, aged].into_iter().for_each(&mut *visit);
            recent_changes.iter_mut().for_each(|record| record.moments(visit));
            open.iter_mut().for_each(|open_invalidation| open_invalidation.moments(visit));
        }
        if let Some(memory) = &mut self.memory {
            visit(&mut memory.version);
            visit(&mut memory.as_of);
            visit(&mut memory.unswept);
            memory.doubt.iter_mut().for_each(&mut *visit);
        }
        if let Some(operation) = &mut self.operation {
            let Operation { as_of, version, open_invalidation, replaces, seen, looked, notes, hidden, .. } = operation;
            visit(as_of);
            visit(version);
            visit(replaces);
            visit(open_invalidation);
            visit(hidden);
            if let Some((version, as_of)) = seen {
                visit(version);
                visit(as_of);
            }
            looked.iter_mut().for_each(|index| index.moments(visit));
            notes.iter_mut().for_each(|note| note.moments(visit));
            let Operation { seen_row, since, found, epoch, .. } = operation;
            visit(epoch);
            seen_row.iter_mut().for_each(|row| row.moments(visit));
            visit(&mut since.0);
            visit(&mut since.1);
            found.iter_mut().for_each(|note| note.moments(visit));
        }
    }
}

impl Index {
    fn moments(&mut self, visit: Visit<'_>) {
        [&mut self.floor, &mut self.last, &mut self.latest, &mut self.greatest, &mut self.swept]
            .into_iter()
            .for_each(visit);
    }
}

impl Redis {
    fn moments(&mut self, visit: Visit<'_>) {
        self.journal.iter_mut().for_each(|record| record.moments(visit));
        self.meta.iter_mut().for_each(|meta| {
            visit(&mut meta.epoch);
            visit(&mut meta.undone);
        });
        self.open.iter_mut().for_each(|open_invalidation| open_invalidation.moments(visit));
        self.index.iter_mut().for_each(|index| index.moments(visit));
        self.passed.iter_mut().for_each(&mut *visit);
        if let Some(copy) = &mut self.copy {
            visit(&mut copy.version);
            visit(&mut copy.as_of);
        }
        visit(&mut self.aged);
    }
}

impl Database {
    fn moments(&mut self, visit: Visit<'_>) {
        let rows = [&mut self.row, &mut self.previous].into_iter().flatten();
        rows.for_each(|row| row.moments(visit));
        self.undoable.iter_mut().for_each(|(version, _)| visit(version));
        self.notes.iter_mut().for_each(|note| note.moments(visit));
    }
}

impl Row {
    fn moments(&mut self, visit: Visit<'_>) {
        visit(&mut self.version);
        if let Content::Kept(born) = &mut self.content {
            visit(born);
        }
    }
}

impl Record {
    fn moments(&mut self, visit: Visit<'_>) {
        visit(&mut self.at);
        match &mut self.event {
            Event::Changed(version) => visit(version),
            Event::Invalidated | Event::Epoch | Event::Others => {}
        }
    }
}

impl OpenInvalidation {
    fn moments(&mut self, visit: Visit<'_>) {
        visit(&mut self.at);
        visit(&mut self.version);
    }
}

impl Note {
    fn moments(&mut self, visit: Visit<'_>) {
        match self {
            Note::Changed(version) | Note::Invalidated(version) | Note::Job(version) => visit(version),
        }
    }
}
