//! "Did you mean": the known name that is nearest to what was sent.

/// Typing mistakes a name may have to be taken for a known one.
const MAX_DISTANCE: usize = 2;
/// Longest text that is compared in characters; no name is nearly as long, and the comparison is quadratic.
const MAX_CHARS: usize = 64;

/// The one of `known` that `text` is most likely meant to be.
pub(crate) fn nearest<'k>(text: &str, known: &[&'k str]) -> Option<&'k str> {
    if text.chars().count() > MAX_CHARS {
        return None;
    }
    let text = text.to_lowercase();
    let ranked = known.iter().map(|name| (distance(&text, name), *name));
    // Where nothing of a short name is left it is not meant.
    let is_near = |(distance, name): &(usize, &str)| *distance <= MAX_DISTANCE && *distance < name.chars().count();
    ranked.filter(is_near).min().map(|(_, name)| name)
}

/// Levenshtein's distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn finds_typing_mistakes_only() {
        let known = ["value", "ttl_seconds", "tags"];
        assert_eq!(nearest("ttl_second", &known), Some("ttl_seconds"));
        assert_eq!(nearest("Tags", &known), Some("tags"));
        assert_eq!(nearest("unrelated", &known), None);
        assert_eq!((nearest("bye", &["by"]), nearest("?", &["by"])), (Some("by"), None));
        assert_eq!(nearest(&"x".repeat(1_000_000), &known), None);
    }
}
