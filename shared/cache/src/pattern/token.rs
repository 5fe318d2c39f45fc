//! The elements of a pattern.

use crate::planted::{Bug, planted};

/// One element of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Any text.
    Any,
    /// One character.
    One,
    /// This character.
    Literal(char),
    /// One character inside the ranges, or outside of them.
    Class { ranges: Vec<(char, char)>, negated: bool },
}

impl Token {
    pub(super) fn matches(&self, c: char) -> bool {
        match self {
            Token::One | Token::Class { .. } if planted(Bug::PatternOfBytes) && !c.is_ascii() => false,
            Token::Any | Token::One => true,
            Token::Literal(literal) => *literal == c,
            Token::Class { ranges, negated } => ranges.iter().any(|&(low, high)| (low..=high).contains(&c)) != *negated,
        }
    }
}
