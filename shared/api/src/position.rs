//! `Cache-Position`: how much an answer has taken into account, and how much a request wants its answer to.
//!
//! It names no key and grants nothing: all it can do is make a read more careful, at the price of at most a sync and a read
//! of the source of truth. So anybody may use it, and a writer may pass it on to a reader. A keyed hash keeps forged positions
//! from making reads expensive.

use crate::{headers::Headers, keyed, problem::Problem};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use lambda_http::http::HeaderName;
use strata_cache::CachePosition;

/// The header.
pub const CACHE_POSITION: HeaderName = HeaderName::from_static("cache-position");
const NAME: &str = "Cache-Position";
/// What the keyed hash is for.
const PURPOSE: &str = "cache position";
/// Bytes of it.
const HASH_BYTES: usize = 8;
const BYTES: usize = CachePosition::BYTES + HASH_BYTES;

/// What the caller has seen, by what the request says: nothing, or all of several positions.
pub(crate) fn sent(headers: &Headers) -> Result<CachePosition, Problem> {
    let positions = headers.cache_position.iter().flat_map(|value| value.split(','));
    positions.map(|text| read(text.trim())).try_fold(CachePosition::default(), |seen, next| Ok(seen.and(next?)))
}

fn read(text: &str) -> Result<CachePosition, Problem> {
    let wrong = || Problem::new(NAME, "must be that of an answer, as it was given, or several with commas between");
    let mut bytes = [0; BYTES];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).map_err(|_| wrong())?;
    let (position, hash) = bytes.split_first_chunk().ok_or_else(wrong)?;
    if length == BYTES && hash == hash_of(position) { Ok(CachePosition::from_bytes(*position)) } else { Err(wrong()) }
}

/// A position as the header says it.
pub(crate) fn text(position: CachePosition) -> String {
    let bytes = position.to_bytes();
    let mut all = [0; BYTES];
    all[..CachePosition::BYTES].copy_from_slice(&bytes);
    all[CachePosition::BYTES..].copy_from_slice(&hash_of(&bytes));
    URL_SAFE_NO_PAD.encode(all)
}

fn hash_of(position: &[u8; CachePosition::BYTES]) -> [u8; HASH_BYTES] {
    let hash = keyed::hash(PURPOSE, position).to_be_bytes();
    *hash.first_chunk().expect("a hash has sixteen bytes")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn position(journal: u64, until: u64) -> CachePosition {
        CachePosition::from_bytes((u128::from(journal) << 64 | u128::from(until)).to_be_bytes())
    }

    fn sent_as(text: &str) -> Result<CachePosition, Problem> {
        sent(&Headers { cache_position: Some(text.to_owned()), ..Headers::default() })
    }

    #[test]
    fn several_count_together() {
        assert_eq!(sent(&Headers::default()).unwrap(), CachePosition::default());
        let both = format!("{}, {}", text(position(1, 9)), text(position(2, 8)));
        assert_eq!(sent_as(&both).unwrap(), position(2, 9));
    }

    #[test]
    fn what_was_not_given_is_refused() {
        let given = text(position(1 << 60, 7));
        assert!(given.len() == 32 && given.bytes().all(|byte| byte.is_ascii_graphic()), "{given}");
        for (at, _) in given.char_indices() {
            let other = if &given[at..=at] == "A" { "B" } else { "A" };
            let mut changed = given.clone();
            changed.replace_range(at..=at, other);
            assert_eq!(sent_as(&changed).unwrap_err().field, "Cache-Position", "{changed}");
        }
        let longer = format!("{given}AAAA");
        for wrong in
            ["", ",", "A", &given[1..], &given[..31], &longer, &format!("{given},"), &format!("{given} {given}")]
        {
            assert!(sent_as(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn each_comes_back_and_nothing_panics(journal: u64, until: u64, text_of_others in any::<String>()) {
            prop_assert_eq!(sent_as(&text(position(journal, until))).unwrap(), position(journal, until));
            prop_assert!(sent_as(&text_of_others).is_err());
        }
    }
}
