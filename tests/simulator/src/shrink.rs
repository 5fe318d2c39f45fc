//! Makes a run that goes wrong small: leaves out turns of clients and faults for as long as it still goes wrong.

use crate::{
    omitted::Omitted,
    run::{Verdict, run_without},
};

/// How many runs are tried.
const RUNS: usize = 400;

/// What can be left out.
#[derive(Debug, Clone, Copy)]
enum Part {
    Turn(usize, usize),
    Fault(usize, usize),
}

/// A smaller run of the seed with the same thing wrong, and how many turns and faults are left of it; `None` where nothing is
/// wrong.
pub fn shrink(seed: u64) -> Option<(Verdict, usize)> {
    let mut smallest = run_without(seed, Omitted::default());
    let complaint = smallest.complaint()?;
    let turns = (0..smallest.clients).flat_map(|client| (0..smallest.turns).map(move |turn| Part::Turn(client, turn)));
    let faults = smallest.faults.iter().map(|&(trouble, place)| Part::Fault(trouble, place));
    // Most of what happens has nothing to do with it: great parts are left out first.
    let mut parts: Vec<Part> = turns.chain(faults).collect();
    let (mut size, mut runs, mut omitted) = (parts.len().div_ceil(2), 0, Omitted::default());
    while size > 0 && runs < RUNS {
        let (mut at, before) = (0, parts.len());
        while at < parts.len() && runs < RUNS {
            let end = (at + size).min(parts.len());
            let mut fewer = omitted.clone();
            parts[at..end].iter().for_each(|part| part.leave_out(&mut fewer));
            let verdict = run_without(seed, fewer.clone());
            runs += 1;
            if verdict.complaint().as_ref() == Some(&complaint) {
                parts.drain(at..end);
                (smallest, omitted) = (verdict, fewer);
            } else {
                at = end;
            }
        }
        // Once more in such parts where that has helped: what is left may do without another one now.
        if size > 1 || parts.len() == before {
            size /= 2;
        }
    }
    Some((smallest, parts.len()))
}

impl Part {
    fn leave_out(self, of: &mut Omitted) {
        match self {
            Part::Turn(client, turn) => of.turns.insert((client, turn)),
            Part::Fault(trouble, place) => of.faults.insert((trouble, place)),
        };
    }
}
