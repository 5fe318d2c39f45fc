//! Which file of a crate names what another defines: a type, a trait, a function or a constant, by `use` or by a path.
//!
//! What counts is where a name is defined, and not where it is found: a parent module that declares a child and
//! re-exports it (`pub use`) does not depend on it, and who takes the name from there depends on the child alone. A
//! module that is imported as a whole counts by what is named in it. A child is a part of its parent, cut off to be
//! read alone: what it names of a module around it (`super::`) does not count either.

use super::{Calls, Crate, module};

/// Which files each file names, and by what, in paths below the crate's `src`.
pub fn names(folder: &str) -> Calls {
    let krate = Crate::read(folder);
    let mut found = Calls::new();
    for (file, source) in &krate.files {
        let own = found.entry(file.clone()).or_default();
        let imports = source.imports.iter().filter(|import| !import.is_public).map(|import| &import.path);
        for path in imports.chain(&source.paths) {
            if let Some((other, name)) = krate.defined(file, path)
                && other != *file
                && !module(file).starts_with(&module(&other))
            {
                own.entry(other).or_insert(name);
            }
        }
    }
    found
}

impl Crate {
    /// The file that defines what a path leads to, and its name.
    fn defined(&self, file: &str, path: &[String]) -> Option<(String, String)> {
        if let [before @ .., last] = path
            && last == "*"
        {
            let (other, _) = self.place(file, before, 0)?;
            return Some((other, format!("{}::*", module(file).join("::"))));
        }
        let (other, item) = self.place(file, path, 0)?;
        Some((other, item?.0))
    }
}
