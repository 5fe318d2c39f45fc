//! What must hold of index rows, and the model as the checker sees it.

use super::{Broken, IndexRow, Process, Scenario, State, Step, Table, Tags, process::Turn};
use stateright::{Model, Property};

/// Whatever has a tag is found by it.
pub const ALL_FOUND: &str = "every value that lives, or is kept, has its index rows";
/// An invalidation removes what it means.
pub const NOTHING_MISSED: &str = "no invalidation ends before what it met with its tag is gone";
/// And nothing else.
pub const NOTHING_TAKEN: &str = "no invalidation removes what has not its tag";
/// A row says the tags of its value.
pub const TAGS_TRUE: &str = "the row has the tags that its value was put with";

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A process takes its next step.
    Step(usize, Way),
    /// A process is killed.
    Kill(usize),
    /// A write gets there once more.
    Late(usize),
    /// An age is over.
    GrowOlder,
}

/// How a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// As it should; a PUT goes the full way, with a name that is its version.
    Plain,
    /// A PUT writes its index rows before it has a version.
    Ahead,
    /// A PUT knows the tags of what stands, which are its own.
    Keep,
    /// The write gets there, and its answer does not.
    AnswerLost,
    /// The write will get there once more.
    Twice,
}

impl Model for Scenario {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let index = self.first.map(|row| {
            let tags = [Tags::X, Tags::Y].into_iter().filter(move |tag| row.tags.has(*tag));
            tags.map(|tag| IndexRow { tag, name: row.name, until: row.until.max(row.ends) }).collect()
        });
        let table = Table { row: self.first, index: index.unwrap_or_default(), age: 1 };
        let processes = self.requests.iter().map(|request| Process::new(*request)).collect();
        let (repeated, killed) = (self.repeated, self.killed);
        let broken = Broken::default();
        vec![State { tick: super::GAP, table, processes, late: Vec::new(), repeated, killed, broken }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken != Broken::default() {
            return;
        }
        for (number, process) in state.processes.iter().enumerate() {
            if process.step == Step::End || !state.may_step(number) {
                continue;
            }
            let turn = Turn { scenario: self, state: &mut state.clone(), number };
            actions.extend(turn.ways().into_iter().map(|way| Action::Step(number, way)));
            if state.killed > 0 && process.step != Step::Begin {
                actions.push(Action::Kill(number));
            }
        }
        actions.extend((0..state.late.len()).map(Action::Late));
        let is_quiet = state.late.is_empty() && state.processes.iter().all(|process| process.step == Step::End);
        if is_quiet && state.table.age == 1 {
            actions.push(Action::GrowOlder);
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Step(number, way) => Turn { scenario: self, state: &mut state, number }.run(way),
            Action::Kill(number) => {
                state.killed -= 1;
                state.processes[number].step = Step::End;
                state.processes[number].must = 0;
            }
            Action::Late(number) => {
                let write = state.late.remove(number);
                state.land(write, self).ok();
            }
            Action::GrowOlder => state.table.grow_older(),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Scenario>> {
        vec![
            Property::always(ALL_FOUND, |_: &Scenario, state: &State| state.table.finds_all()),
            Property::always(NOTHING_MISSED, |_: &Scenario, state: &State| !state.broken.missed),
            Property::always(NOTHING_TAKEN, |_: &Scenario, state: &State| !state.broken.taken),
            Property::always(TAGS_TRUE, |_: &Scenario, state: &State| !state.broken.mistagged),
        ]
    }
}
