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
        let pattern = Pattern::new(&pattern).unwrap();
        let chars: Vec<char> = key.chars().collect();
        prop_assert_eq!(pattern.matches(&key), naive(&pattern.tokens, &chars));
    }

    #[test]
    fn no_text_makes_it_panic(pattern in ".{0,64}", key in ".{0,64}") {
        if let Ok(pattern) = Pattern::new(&pattern) {
            pattern.matches(&key);
        }
    }
}
