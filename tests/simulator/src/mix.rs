//! What a seed draws: how many take part, what they do, and what fails.

use crate::weather::Fault;
use fastrand::Rng;
use std::time::Duration;

/// What one run is made of.
#[derive(Debug, Clone)]
pub(crate) struct Mix {
    pub(crate) containers: usize,
    pub(crate) clients: usize,
    /// A container serves one request at a time, and is frozen between two.
    pub(crate) is_lambda: bool,
    /// Δ.
    pub(crate) window: Duration,
    /// V, in seconds.
    pub(crate) revalidate_seconds: u64,
    /// How many operations each client does.
    pub(crate) operations: usize,
    /// Longest pause of a client between two operations, in ms.
    pub(crate) think_ms: u64,
    /// How often each kind of operation is done, relative to the others, in the order of [`Kind::ALL`].
    pub(crate) weights: [u32; Kind::ALL.len()],
    /// How long a message is on its way at most, in ms, when the weather is fine.
    pub(crate) delay_ms: u64,
    /// What may fail.
    pub(crate) faults: Vec<Fault>,
    /// Longest pause between two failures, in ms.
    pub(crate) calm_ms: u64,
    /// How many things may be wrong at once.
    pub(crate) troubles: usize,
    /// How far the clocks of containers are apart at most, in ms.
    pub(crate) skew_ms: i64,
    /// The values of one key live for a second or two; else everything lives for hours.
    pub(crate) short_lives: bool,
    /// One page of a query looks at so many bytes.
    pub(crate) page_bytes: usize,
    /// So many items of a batch are done at once.
    pub(crate) batch_items: usize,
    /// Some values take L3 several items.
    pub(crate) large_values: bool,
    /// How often somebody does the work of the warmer, in ms.
    pub(crate) upkeep_ms: u64,
    /// At the end everything is removed, and nothing may be left.
    pub(crate) looks_for_leaks: bool,
}

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Get,
    GetNoCache,
    Put,
    PutUpper,
    Patch,
    Delete,
    InvalidatePattern,
    InvalidateTag,
    InvalidateKeys,
    InvalidateUpper,
    Fill,
    Undo,
    Explain,
    Many,
    Warm,
    GetStale,
    MakeStale,
}

impl Kind {
    pub(crate) const ALL: [Kind; 17] = [
        Kind::Get,
        Kind::GetNoCache,
        Kind::Put,
        Kind::PutUpper,
        Kind::Patch,
        Kind::Delete,
        Kind::InvalidatePattern,
        Kind::InvalidateTag,
        Kind::InvalidateKeys,
        Kind::InvalidateUpper,
        Kind::Fill,
        Kind::Undo,
        Kind::Explain,
        Kind::Many,
        Kind::Warm,
        Kind::GetStale,
        Kind::MakeStale,
    ];
    /// How often each is done where everything is done.
    const USUAL: [u32; Kind::ALL.len()] = [60, 8, 14, 2, 3, 5, 3, 3, 2, 2, 3, 3, 4, 3, 1, 6, 3];
}

impl Mix {
    pub(crate) fn draw(rng: &mut Rng) -> Mix {
        let skew_ms = if rng.u8(..4) == 0 { rng.i64(1..400) } else { 0 };
        let chosen = |rng: &mut Rng, of: &[u64]| of[rng.usize(..of.len())];
        let mut faults: Vec<Fault> = Fault::ALL.into_iter().filter(|_| rng.bool()).collect();
        if rng.u8(..8) == 0 {
            faults.clear();
        }
        if faults.contains(&Fault::L3SwitchedOff) {
            if rng.u8(..4) == 0 {
                faults.retain(|fault| !fault.loses_redis());
            } else {
                faults.retain(|fault| *fault != Fault::L3SwitchedOff);
            }
        }
        let looks_for_leaks = rng.u8(..4) == 0 || faults.is_empty();
        let think_ms = chosen(rng, &[1, 20, 200, 2000]);
        Mix {
            containers: rng.usize(1..=6),
            clients: rng.usize(1..=6),
            is_lambda: rng.bool(),
            window: Duration::from_millis(chosen(rng, &[0, 50, 300, 1000, 1000, 5000])),
            revalidate_seconds: chosen(rng, &[5, 60, 3600]),
            operations: rng.usize(100..400),
            think_ms,
            weights: weights(rng),
            delay_ms: chosen(rng, &[0, 1, 3, 3, 30]),
            faults,
            calm_ms: chosen(rng, &[200, 2000, 20_000]),
            troubles: if rng.u8(..4) == 0 { 2 } else { 1 },
            skew_ms,
            short_lives: skew_ms == 0 && rng.bool(),
            page_bytes: if rng.bool() { 1 << 20 } else { 600 },
            batch_items: if rng.bool() { usize::MAX } else { 3 },
            large_values: rng.u8(..16) == 0,
            upkeep_ms: 100 + think_ms * chosen(rng, &[3, 30]),
            looks_for_leaks,
        }
    }

    pub(crate) fn kind(&self, rng: &mut Rng) -> Kind {
        let all: u32 = self.weights.iter().sum();
        let mut left = rng.u32(..all);
        let drawn = Kind::ALL.into_iter().zip(self.weights).find(|(_, weight)| match left.checked_sub(*weight) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        });
        drawn.map_or(Kind::Get, |(kind, _)| kind)
    }
}

/// Some kinds are left out, and some are done four times as often.
fn weights(rng: &mut Rng) -> [u32; Kind::ALL.len()] {
    let mut weights = Kind::USUAL.map(|usual| usual * [0, 1, 1, 1, 4][rng.usize(..5)]);
    weights[0] = weights[0].max(10);
    weights[2] = weights[2].max(5);
    weights
}
