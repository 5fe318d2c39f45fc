//! From text to tokens.

use super::{MAX_PATTERN_BYTES, MAX_STARS, Token};
use std::{fmt, iter::Peekable, str::CharIndices};

/// Why a text is not a pattern. Positions are bytes, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatternError {
    /// The text is empty.
    Empty,
    /// The text has this many bytes, which is over [`MAX_PATTERN_BYTES`].
    TooLong(usize),
    /// One star too many stands here.
    TooManyStars(usize),
    /// The bracket that opens here is not closed.
    UnclosedClass(usize),
    /// The brackets that open here have nothing in them.
    EmptyClass(usize),
    /// The range that begins here ends before it begins.
    BackwardRange(usize),
    /// Nothing follows the backslash here.
    DanglingEscape(usize),
    /// A control character stands here; no key has one.
    Control(usize),
}

type Rest<'a> = Peekable<CharIndices<'a>>;

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, PatternError> {
    if text.is_empty() {
        return Err(PatternError::Empty);
    }
    if text.len() > MAX_PATTERN_BYTES {
        return Err(PatternError::TooLong(text.len()));
    }
    if let Some((at, _)) = text.char_indices().find(|(_, c)| c.is_control()) {
        return Err(PatternError::Control(at));
    }
    let mut rest = text.char_indices().peekable();
    let mut tokens = Vec::with_capacity(text.len());
    let mut stars = 0;
    while let Some((at, c)) = rest.next() {
        let token = match c {
            '*' if stars == MAX_STARS => return Err(PatternError::TooManyStars(at)),
            '*' => {
                stars += 1;
                Token::Any
            }
            '?' => Token::One,
            '[' => class(at, &mut rest)?,
            '\\' => Token::Literal(escaped(at, &mut rest)?),
            c => Token::Literal(c),
        };
        tokens.push(token);
    }
    Ok(tokens)
}

fn class(opened: usize, rest: &mut Rest<'_>) -> Result<Token, PatternError> {
    let negated = rest.next_if(|(_, c)| *c == '^').is_some();
    let mut ranges = Vec::new();
    loop {
        let (at, c) = rest.next().ok_or(PatternError::UnclosedClass(opened))?;
        if c == ']' {
            break;
        }
        let low = member(at, c, rest)?;
        ranges.push((low, range_end(opened, at, low, rest)?));
    }
    if ranges.is_empty() {
        return Err(PatternError::EmptyClass(opened));
    }
    Ok(Token::Class { ranges, negated })
}

/// The end of a range that begins with `low`; `low` itself when no range follows. A dash before the closing bracket
/// is a dash.
fn range_end(opened: usize, at: usize, low: char, rest: &mut Rest<'_>) -> Result<char, PatternError> {
    let mut ahead = rest.clone();
    if !matches!((ahead.next(), ahead.next()), (Some((_, '-')), Some((_, end))) if end != ']') {
        return Ok(low);
    }
    rest.next();
    let (high_at, c) = rest.next().ok_or(PatternError::UnclosedClass(opened))?;
    let high = member(high_at, c, rest)?;
    if high < low { Err(PatternError::BackwardRange(at)) } else { Ok(high) }
}

fn member(at: usize, c: char, rest: &mut Rest<'_>) -> Result<char, PatternError> {
    if c == '\\' { escaped(at, rest) } else { Ok(c) }
}

fn escaped(at: usize, rest: &mut Rest<'_>) -> Result<char, PatternError> {
    rest.next().map(|(_, c)| c).ok_or(PatternError::DanglingEscape(at))
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PatternError::Empty => write!(f, "must have at least 1 byte"),
            PatternError::TooLong(bytes) => write!(f, "must have at most {MAX_PATTERN_BYTES} bytes, has {bytes}"),
            PatternError::TooManyStars(at) => {
                write!(f, "must have at most {MAX_STARS} stars, has one more at byte {at}")
            }
            PatternError::UnclosedClass(at) => write!(f, "must close the bracket that opens at byte {at}"),
            PatternError::EmptyClass(at) => write!(f, "must have a character between the brackets at byte {at}"),
            PatternError::BackwardRange(at) => write!(f, "must have a range that does not run backward at byte {at}"),
            PatternError::DanglingEscape(at) => write!(f, "must have a character after the backslash at byte {at}"),
            PatternError::Control(at) => write!(f, "must have no control character, has one at byte {at}"),
        }
    }
}

impl std::error::Error for PatternError {}
