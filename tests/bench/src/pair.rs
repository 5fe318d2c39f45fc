//! Two calls that are timed in turns.

/// Two calls that do the same work as far as the user of the baseline is concerned.
pub struct Pair {
    /// What is done.
    pub name: String,
    /// What it is compared with.
    pub baseline: &'static str,
    /// Strata's call.
    pub ours: Box<dyn FnMut()>,
    /// The baseline's call.
    pub theirs: Box<dyn FnMut()>,
}

impl Pair {
    /// Two calls with their names.
    pub fn new(
        name: String,
        baseline: &'static str,
        ours: impl FnMut() + 'static,
        theirs: impl FnMut() + 'static,
    ) -> Pair {
        Pair { name, baseline, ours: Box::new(ours), theirs: Box::new(theirs) }
    }
}
