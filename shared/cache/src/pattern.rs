//! Patterns: which keys an invalidation or a warm job covers.
//!
//! One matcher decides for every level. Redis' own glob is never asked: it gives up silently on deeply nested
//! stars, and DynamoDB has none. Matching takes one pass over the key, whatever the pattern.
//!
//! | in a pattern | matches |
//! |---|---|
//! | `*` | any text, also none |
//! | `?` | one character |
//! | `[abc]`, `[a-z]`, `[^a-z]` | one character of the set, or one that is not |
//! | `\` and a character | that character |
//! | anything else | itself |

mod automaton;
mod parse;
#[cfg(test)]
mod tests;
mod token;

pub use parse::PatternError;

use self::{automaton::Automaton, token::Token};

use crate::planted::{Bug, planted};
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// Longest pattern in bytes.
pub const MAX_PATTERN_BYTES: usize = 256;
/// Most stars of one pattern.
pub const MAX_STARS: usize = 16;

/// A valid pattern.
#[derive(Clone)]
pub struct Pattern {
    text: Arc<str>,
    prefix: Arc<str>,
    rest: Rest,
}

/// What a match has after the prefix.
#[derive(Clone)]
enum Rest {
    Nothing,
    Anything,
    /// What this accepts. It is compiled when the first key with the prefix comes: every container reads every pattern, and
    /// most are about keys that it does not hold.
    Some(Arc<OnceLock<Automaton>>),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it is empty, too long, has too many stars, or breaks off; the error says where.
    pub fn new(text: &str) -> Result<Pattern, PatternError> {
        let tokens = parse::tokens(text)?;
        let literals = tokens.iter().map_while(|token| match token {
            Token::Literal(c) => Some(*c),
            _ => None,
        });
        let prefix: String = literals.collect();
        let rest = match after(&prefix, &tokens) {
            [] => Rest::Nothing,
            [Token::Any] => Rest::Anything,
            _ => Rest::Some(Arc::default()),
        };
        Ok(Pattern { text: text.into(), prefix: prefix.into(), rest })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What every matching key begins with. If that is empty, finding the matches costs a look at every key.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether the pattern is a single key, without wildcards.
    pub fn is_literal(&self) -> bool {
        matches!(self.rest, Rest::Nothing)
    }

    /// Whether `key` matches.
    pub fn matches(&self, key: &str) -> bool {
        let Some(rest) = key.strip_prefix(&*self.prefix) else { return false };
        if planted(Bug::PrefixTakenForPattern) {
            return true;
        }
        match &self.rest {
            Rest::Nothing => rest.is_empty(),
            Rest::Anything => true,
            Rest::Some(compiled) => compiled.get_or_init(|| self.compile()).matches(rest),
        }
    }

    /// The prefix, shared.
    pub(crate) fn shared_prefix(&self) -> Arc<str> {
        Arc::clone(&self.prefix)
    }

    fn compile(&self) -> Automaton {
        let tokens = parse::tokens(&self.text).expect("the text of a pattern has been read before");
        Automaton::new(after(&self.prefix, &tokens))
    }
}

/// The tokens after those of the literal prefix.
fn after<'a>(prefix: &str, tokens: &'a [Token]) -> &'a [Token] {
    &tokens[prefix.chars().count()..]
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
