//! What follows a pattern's literal prefix, compiled: one pass over the key decides, whatever the pattern.
//!
//! All the ways in which a key could have matched so far are followed at once, one bit each (Shift-And, Baeza-Yates and
//! Gonnet 1992, with a loop where a star stands). So a key costs a few instructions a character, and nobody can write a
//! pattern that costs more: going back to the last star, as glob matchers usually do, costs key length × pattern length.

use super::{MAX_PATTERN_BYTES, Token};

/// Words of 64 bits for one bit more than a pattern can have tokens.
const MOST_WORDS: usize = MAX_PATTERN_BYTES / u64::BITS as usize + 1;
/// The first character that is not ASCII.
const NOT_ASCII: char = '\u{80}';

/// The compiled tokens.
///
/// Bit `i` of the states says: what was read so far can be matched by the first `i` tokens, stars not counted.
#[derive(Debug)]
pub(super) struct Automaton {
    /// The states that stay whatever is read: those at which a star stands.
    loops: Box<[u64]>,
    /// The state in which all tokens have matched.
    end: usize,
    /// The first characters of the classes of characters between which no token distinguishes, in order.
    classes: Box<[char]>,
    /// The class of each ASCII character.
    ascii: [u8; NOT_ASCII as usize],
    /// For each class, as many words as there are `loops`: the states that one of its characters leads further.
    moves: Box<[u64]>,
}

impl Automaton {
    pub(super) fn new(tokens: &[Token]) -> Automaton {
        let mut chars = Vec::with_capacity(tokens.len());
        let mut loops = [0; MOST_WORDS];
        for token in tokens {
            match token {
                Token::Any => set(&mut loops, chars.len()),
                token => chars.push(token),
            }
        }
        let words = chars.len() / u64::BITS as usize + 1;
        let classes = classes(&chars);
        let mut moves = vec![0; classes.len() * words];
        for (state, token) in chars.iter().enumerate() {
            let mut leads_on = |class: usize| set(&mut moves[class * words..][..words], state);
            match token {
                // One class, found at once: a long text would else be compared with every character it has.
                Token::Literal(c) => leads_on(class_of(&classes, *c)),
                token => (0..classes.len()).filter(|class| token.matches(classes[*class])).for_each(leads_on),
            }
        }
        let ascii = std::array::from_fn(|byte| {
            let c = char::from(u8::try_from(byte).expect("ASCII"));
            u8::try_from(class_of(&classes, c)).expect("there are no more than 128 classes of 128 characters")
        });
        Automaton { loops: loops[..words].into(), end: chars.len(), classes, ascii, moves: moves.into() }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let words = self.loops.len();
        let mut states = [0; MOST_WORDS];
        states[0] = 1;
        for c in text.chars() {
            let class = match self.ascii.get(c as usize) {
                Some(class) => usize::from(*class),
                None => class_of(&self.classes, c),
            };
            let moves = &self.moves[class * words..][..words];
            let (mut carried, mut any) = (0, 0);
            for ((state, moves), loops) in states.iter_mut().zip(moves).zip(&self.loops) {
                let moved = *state & moves;
                *state = moved << 1 | carried | *state & loops;
                carried = moved >> (u64::BITS - 1);
                any |= *state;
            }
            if any == 0 {
                return false;
            }
        }
        has(&states, self.end)
    }
}

/// The classes of characters between which none of the tokens distinguishes: the first of each, in order. No class has
/// ASCII characters and others.
fn classes(tokens: &[&Token]) -> Box<[char]> {
    let mut firsts = vec!['\0', NOT_ASCII];
    let mut cut = |low: char, high: char| {
        firsts.push(low);
        firsts.extend(after(high));
    };
    for token in tokens {
        match token {
            Token::Literal(c) => cut(*c, *c),
            Token::Class { ranges, .. } => ranges.iter().for_each(|&(low, high)| cut(low, high)),
            Token::Any | Token::One => {}
        }
    }
    firsts.sort_unstable();
    firsts.dedup();
    firsts.into()
}

fn after(c: char) -> Option<char> {
    (c..=char::MAX).nth(1)
}

fn class_of(classes: &[char], c: char) -> usize {
    classes.partition_point(|first| *first <= c) - 1
}

fn set(bits: &mut [u64], at: usize) {
    bits[at / u64::BITS as usize] |= 1 << (at % u64::BITS as usize);
}

fn has(bits: &[u64], at: usize) -> bool {
    bits[at / u64::BITS as usize] >> (at % u64::BITS as usize) & 1 == 1
}
