//! Data that a client carries for us and can neither read nor forge: encrypted with a stream derived from its own keyed hash,
//! which is put in front and proves that nothing was changed (a synthetic initialization vector).

use crate::keyed;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Bytes of the hash that stands before the content.
const HASH_BYTES: usize = 16;

/// `content` as text, good for one purpose and for whoever has the same context.
pub(crate) fn seal(purpose: &str, context: &str, content: &[u8]) -> String {
    let hash = hash(purpose, context, content);
    let mut sealed = hash.to_be_bytes().to_vec();
    sealed.extend(stream(purpose, hash, content));
    URL_SAFE_NO_PAD.encode(sealed)
}

/// What [`seal`] made a text of; `None` when it did not make it.
pub(crate) fn open(purpose: &str, context: &str, sealed: &str) -> Option<Vec<u8>> {
    let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (expected, content) = sealed.split_first_chunk::<HASH_BYTES>()?;
    let expected = u128::from_be_bytes(*expected);
    let content = stream(purpose, expected, content);
    (hash(purpose, context, &content) == expected).then_some(content)
}

fn hash(purpose: &str, context: &str, content: &[u8]) -> u128 {
    keyed::hash(purpose, [context.as_bytes(), content].concat())
}

/// `content` with the stream of `hash` added or, which is the same, taken away.
fn stream(purpose: &str, hash: u128, content: &[u8]) -> Vec<u8> {
    let purpose = format!("{purpose} stream");
    let blocks = content.chunks(HASH_BYTES).zip(0_u32..);
    let changed = blocks.flat_map(|(block, number)| {
        let key = keyed::hash(&purpose, format!("{hash:032x} {number}")).to_be_bytes();
        block.iter().zip(key).map(|(byte, key)| byte ^ key).collect::<Vec<u8>>()
    });
    changed.collect()
}
