//! What a token may be used for.

/// A right of a token. No scope implies another, but that the journal was once read by [`Scope::Admin`], and still is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Look at entries, status, configuration and jobs.
    Read,
    /// Change and remove entries, warm.
    Write,
    /// Change the configuration, and what [`Journal`](Scope::Journal) allows.
    Admin,
    /// Read the journal: of its own, so that whoever watches mutations need not be able to change the configuration.
    Journal,
}

impl Scope {
    const ALL: [Scope; 4] = [Scope::Read, Scope::Write, Scope::Admin, Scope::Journal];

    /// The scope's name in tokens.
    pub const fn name(self) -> &'static str {
        match self {
            Scope::Read => "cache:read",
            Scope::Write => "cache:write",
            Scope::Admin => "cache:admin",
            Scope::Journal => "cache:journal",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.name() == name)
    }
}
