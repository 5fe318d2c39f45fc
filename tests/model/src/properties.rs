//! What must always hold, and the model as the checker sees it.

use crate::{
    faults::Fault,
    operation::Step,
    scenario::{Register, Request, Rule, Scenario},
    state::{State, Who},
    turn::{Luck, Turn},
};
use stateright::{Model, Property};

/// P1: no read that starts after an acknowledgement returns an older value.
pub const NEVER_STALE: &str = "P1 no read returns an older value than one acknowledged before it started";
/// P2: no read that starts after an acknowledged removal returns what was removed.
pub const NEVER_RESURRECTED: &str = "P2 no read returns a value whose removal was acknowledged before it started";
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
        let busy = state.containers.iter().any(|c| c.operation.is_some() || !c.script.is_empty());
        if state.history.is_broken() || !busy {
            return;
        }
        for who in Who::ALL {
            self.actions_of(state, who, actions);
        }
        actions.extend(state.faults(self.register).into_iter().map(Action::Fault));
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut after = before.clone();
        let state = &mut after;
        match action {
            Action::Begin(who, luck) => Turn { scenario: self, state, who, luck }.begin(true),
            Action::ReadInWindow(who) => Turn { scenario: self, state, who, luck: Luck::Plain }.begin(false),
            Action::Step(who, luck) => {
                state.budget.cut -= u8::from(luck == Luck::ReplyLost);
                Turn { scenario: self, state, who, luck }.run();
            }
            Action::Fault(fault) => state.suffer(fault),
        }
        after.canonicalize();
        Some(after)
    }

    fn properties(&self) -> Vec<Property<Scenario>> {
        vec![
            Property::always(NEVER_STALE, |_, state: &State| !state.history.stale),
            Property::always(NEVER_RESURRECTED, |_, state: &State| !state.history.resurrected),
            Property::always(NEVER_LOST, |_, state: &State| !state.history.lost),
        ]
    }
}

impl Scenario {
    fn actions_of(&self, state: &State, who: Who, actions: &mut Vec<Action>) {
        let container = &state.containers[who as usize];
        let notes = self.register == Register::L3 && !container.cut && state.has_news_in_notes();
        let Some(operation) = &container.operation else {
            let Some(request) = container.script.first() else { return };
            actions.push(Action::Begin(who, Luck::Plain));
            if notes {
                actions.push(Action::Begin(who, Luck::NotesDue));
            }
            if *request == Request::Get && container.knowledge.is_some() {
                actions.push(Action::ReadInWindow(who));
            }
            return;
        };
        actions.push(Action::Step(who, Luck::Plain));
        if notes && operation.step == Step::Sync {
            actions.push(Action::Step(who, Luck::NotesDue));
        }
        if state.budget.cut > 0 && !container.cut && operation.step.writes_redis() {
            actions.push(Action::Step(who, Luck::ReplyLost));
        }
        if operation.step == Step::ReadRow && !self.rules.has(Rule::ConsistentReads) {
            actions.push(Action::Step(who, Luck::OldRead));
        }
    }
}
