#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

fn matches(pattern: &str, key: &str) -> bool {
    Pattern::new(pattern).unwrap().matches(key)
}

/// What a pattern means, said in the simplest way: exponential, but right.
fn naive(tokens: &[Token], key: &[char]) -> bool {
    match tokens.split_first() {
        None => key.is_empty(),
        Some((Token::Any, rest)) => (0..=key.len()).any(|skip| naive(rest, &key[skip..])),
        Some((token, rest)) => key.split_first().is_some_and(|(c, key)| token.matches(*c) && naive(rest, key)),
    }
}

/// The same, going back to the last star only, which is right and takes no longer than one length times the other.
fn goes_back(tokens: &[Token], key: &[char]) -> bool {
    let (mut at, mut read, mut retry) = (0, 0, None);
    loop {
        match (tokens.get(at), key.get(read)) {
            (Some(Token::Any), _) => {
                at += 1;
                retry = Some((at, read));
            }
            (None, None) => return true,
            (Some(token), Some(c)) if token.matches(*c) => (at, read) = (at + 1, read + 1),
            _ => match retry.as_mut() {
                Some((after_star, from)) if *from < key.len() => {
                    *from += 1;
                    (at, read) = (*after_star, *from);
                }
                _ => return false,
            },
        }
    }
}

#[test]
fn what_each_sign_means() {
    for (pattern, key, expected) in [
        ("customer:*", "customer:1", true),
        ("customer:*", "customer:", true),
        ("customer:*", "customers:1", false),
        ("*", "anything at all", true),
        ("a?c", "abc", true),
        ("a?c", "a😀c", true),
        ("a?c", "ac", false),
        ("[a-c]x", "bx", true),
        ("[a-c]x", "dx", false),
        ("[^a-c]x", "dx", true),
        ("[abc-]x", "-x", true),
        ("[\\]]", "]", true),
        ("\\*\\[\\{\\\\", "*[{\\", true),
        ("\\*", "a", false),
        ("*a*b", "xxaxxb", true),
        ("*a*b", "xxaxxbc", false),
        ("2024-01-*", "2024-01-31/eu", true),
        ("abc", "abcd", false),
    ] {
        assert_eq!(matches(pattern, key), expected, "{pattern} {key}");
    }
}

#[test]
fn what_is_wrong_and_where() {
    for (text, expected) in [
        ("", PatternError::Empty),
        ("ab[c", PatternError::UnclosedClass(2)),
        ("ab[c-", PatternError::UnclosedClass(2)),
        ("é[]", PatternError::EmptyClass(2)),
        ("[z-a]", PatternError::BackwardRange(1)),
        ("abc\\", PatternError::DanglingEscape(3)),
        ("a\u{7}", PatternError::Control(1)),
    ] {
        assert_eq!(Pattern::new(text).unwrap_err(), expected, "{text}");
    }
    assert_eq!(Pattern::new(&"*".repeat(17)).unwrap_err(), PatternError::TooManyStars(16));
    assert_eq!(Pattern::new(&"a".repeat(257)).unwrap_err(), PatternError::TooLong(257));
    assert!(Pattern::new(&"a".repeat(256)).is_ok());
}

#[test]
fn the_prefix_is_what_every_match_begins_with() {
    for (pattern, prefix, literal) in
        [("customer:*", "customer:", false), ("a\\*b?", "a*b", false), ("*x", "", false), ("abc", "abc", true)]
    {
        let pattern = Pattern::new(pattern).unwrap();
        assert_eq!((pattern.prefix(), pattern.is_literal()), (prefix, literal));
    }
}

#[test]
fn the_worst_pattern_against_the_longest_key_takes_no_time() {
    let pattern = Pattern::new(&("*aaaaaaaaaaaaaaa".repeat(15) + "*ab")).unwrap();
    for _ in 0..1000 {
        assert!(!pattern.matches(&"a".repeat(512)));
    }
}

/// A part of a pattern, and a text that it matches.
fn any_part() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        3 => "[aé]{1,40}".prop_map(|text| (text.clone(), text)),
        2 => "[aé]{0,60}".prop_map(|text| ("*".to_owned(), text)),
        1 => any::<char>().prop_map(|c| ("?".to_owned(), c.to_string())),
        1 => "[^é]".prop_map(|text| ("[^é]".to_owned(), text)),
        1 => "[a-é]".prop_map(|text| ("[a-é]".to_owned(), text)),
    ]
}

fn any_pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => "[abc]{1,3}",
        2 => Just("*".to_owned()),
        1 => Just("?".to_owned()),
        1 => Just("[a-b]".to_owned()),
        1 => Just("[^a]".to_owned()),
        1 => Just("\\*".to_owned()),
    ];
    proptest::collection::vec(part, 1..7).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn agrees_with_the_naive_matcher(pattern in any_pattern(), key in "[abc*]{0,10}") {
        let tokens = parse::tokens(&pattern).unwrap();
        let chars: Vec<char> = key.chars().collect();
        prop_assert_eq!(matches(&pattern, &key), naive(&tokens, &chars));
    }

    /// Patterns of more tokens than one word has bits, of characters that are and are not ASCII, and keys that match, or
    /// would but for a character.
    #[test]
    fn long_patterns_agree_with_one_that_goes_back(
        parts in proptest::collection::vec(any_part(), 1..12),
        wrong in proptest::option::of((any::<proptest::sample::Index>(), any::<char>())),
    ) {
        let (pattern, key): (Vec<String>, Vec<String>) = parts.into_iter().unzip();
        let (pattern, mut key) = (pattern.concat(), key.concat().chars().collect::<Vec<_>>());
        prop_assume!(pattern.len() <= MAX_PATTERN_BYTES && !key.is_empty());
        if let Some((at, c)) = wrong {
            *at.get_mut(&mut key) = c;
        }
        let tokens = parse::tokens(&pattern).unwrap();
        prop_assert_eq!(matches(&pattern, &key.iter().collect::<String>()), goes_back(&tokens, &key));
    }

    #[test]
    fn no_text_makes_it_panic(pattern in ".{0,64}", key in ".{0,64}") {
        if let Ok(pattern) = Pattern::new(&pattern) {
            pattern.matches(&key);
        }
    }
}
