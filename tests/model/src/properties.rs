//! What must always hold, and the model as the checker sees it.

use crate::{
    faults::Fault,
    history::{History, Versions},
    operation::Step,
    rule::Rule,
    scenario::{Request, Scenario, SourceOfTruth},
    state::{Container, State, Who},
    turn::{Luck, Turn},
};
use stateright::{Model, Property};

/// P1: no read that starts after an acknowledgement returns an older value.
pub const NEVER_STALE: &str = "P1 no read returns an older value than one acknowledged before it started";
/// P2: no read that starts after an acknowledged removal returns what was removed.
pub const NEVER_RESURRECTED: &str = "P2 no read returns a value whose removal was acknowledged before it started";
/// P7: no fill brings back what it had loaded before a mutation.
pub const NEVER_PREFILLED: &str =
    "P7 no read returns a value that was loaded before a mutation that was acknowledged before the read started";
/// P3: a value that was acknowledged as stored in L3 is found.
pub const NEVER_LOST: &str = "P3 no read misses a value that was acknowledged as stored in L3 before it started";

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A container begins the next operation of its script with a sync; with [`Request::Get`], after L1 was too old.
    Begin(Who, Luck),
    /// A container reads within its window, without a sync.
    ReadInWindow(Who),
    /// A container takes the next step of its operation.
    Step(Who, Luck),
    /// Something goes wrong.
    Fault(Fault),
}

impl Model for Scenario {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.history.is_broken() {
            return;
        }
        for who in Who::ALL {
            self.actions_of(state, who, actions);
        }
        actions.extend(state.faults(self.source_of_truth).into_iter().map(Action::Fault));
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut after = before.clone();
        let state = &mut after;
        match action {
            Action::Begin(who, luck) => Turn { scenario: self, state, who, luck }.begin(true),
            Action::ReadInWindow(who) => Turn { scenario: self, state, who, luck: Luck::Plain }.begin(false),
            Action::Step(who, luck) => {
                state.budget.cut -= u8::from(luck == Luck::ReplyLost);
                state.budget.many -= u8::from(luck == Luck::ManyNotes);
                Turn { scenario: self, state, who, luck }.run();
            }
            Action::Fault(fault) => state.suffer(fault),
        }
        after.canonicalize();
        Some(after)
    }

    fn properties(&self) -> Vec<Property<Scenario>> {
        vec![
            Property::always(NEVER_STALE, |model: &Scenario, state: &State| {
                let at_stake = state.history.degraded.overwritten != Versions::default();
                !at_stake || !state.history.stale && !model.read_at_once(state).stale
            }),
            Property::always(NEVER_RESURRECTED, |model: &Scenario, state: &State| {
                let at_stake = state.history.degraded.removed != Versions::default();
                !at_stake || !state.history.resurrected && !model.read_at_once(state).resurrected
            }),
            Property::always(NEVER_PREFILLED, |model: &Scenario, state: &State| {
                let at_stake = state.history.degraded.preloaded != Versions::default();
                !at_stake || !state.history.prefilled && !model.read_at_once(state).prefilled
            }),
            Property::always(NEVER_LOST, |model: &Scenario, state: &State| {
                let at_stake = state.history.degraded.present;
                !state.history.lost && (!at_stake || !model.read_at_once(state).lost)
            }),
        ]
    }
}

impl Scenario {
    /// What reads that nothing comes between would make of this state: of every idle container, within its window and
    /// after a sync, and of one that has just started. They need not be in the scripts.
    fn read_at_once(&self, state: &State) -> History {
        let mut history = state.history;
        for who in Who::ALL {
            let container = &state.containers[who as usize];
            if container.operation.is_some() {
                continue;
            }
            self.read(state.clone(), who, true, &mut history);
            if container.may_skip_sync(self.rules) {
                self.read(state.clone(), who, false, &mut history);
            }
            if self.session {
                self.read_in_session(state.clone(), who, &mut history);
            }
        }
        let mut started = state.clone();
        *started.container(Who::New) = Container::default();
        self.read(started, Who::New, true, &mut history);
        history
    }

    /// A read with what somebody has seen, which must respect that.
    fn read_in_session(&self, mut state: State, who: Who, history: &mut History) {
        state.container(who).script = vec![Request::Get];
        let mut turn = Turn { scenario: self, state: &mut state, who, luck: Luck::Plain };
        let sync = !turn.may_skip_sync_in_session();
        turn.begin_in_session(sync);
        self.finish(state, who, history);
    }

    fn read(&self, mut state: State, who: Who, sync: bool, history: &mut History) {
        state.container(who).script = vec![Request::Get];
        Turn { scenario: self, state: &mut state, who, luck: Luck::Plain }.begin(sync);
        self.finish(state, who, history);
    }

    fn finish(&self, mut state: State, who: Who, history: &mut History) {
        let mut turn = Turn { scenario: self, state: &mut state, who, luck: Luck::Plain };
        while let Some(operation) = &turn.container().operation {
            match operation.step {
                Step::Promote => {
                    let version = operation.version;
                    turn.answer(Some(version));
                }
                _ => turn.run(),
            }
        }
        history.stale |= state.history.stale;
        history.resurrected |= state.history.resurrected;
        history.prefilled |= state.history.prefilled;
        history.lost |= state.history.lost;
    }

    fn actions_of(&self, state: &State, who: Who, actions: &mut Vec<Action>) {
        let container = &state.containers[who as usize];
        let notes = self.source_of_truth == SourceOfTruth::L3
            && !container.cut
            && (!state.database.notes.is_empty() || state.budget.many > 0);
        let Some(operation) = &container.operation else {
            let Some(request) = container.script.first() else { return };
            actions.push(Action::Begin(who, Luck::Plain));
            if notes {
                actions.push(Action::Begin(who, Luck::NotesDue));
            }
            if *request == Request::Get && container.may_skip_sync(self.rules) {
                actions.push(Action::ReadInWindow(who));
            }
            return;
        };
        actions.push(Action::Step(who, Luck::Plain));
        if notes && operation.step == Step::Sync {
            actions.push(Action::Step(who, Luck::NotesDue));
        }
        if state.budget.many > 0 && operation.step == Step::ReadNotes {
            actions.push(Action::Step(who, Luck::ManyNotes));
        }
        if state.budget.cut > 0 && !container.cut && operation.step.writes_redis() {
            actions.push(Action::Step(who, Luck::ReplyLost));
        }
        if operation.step == Step::ReadRow && !self.rules.has(Rule::ConsistentReads) {
            actions.push(Action::Step(who, Luck::OldRead));
        }
    }
}
