//! What Redis keeps an entry and its indexes in.

use super::{copies::Copies, growth::in_words};
use crate::{
    report::{Row, Section, Unit},
    stats::Summary,
};
use redis::{RedisResult, cmd, pipe};

/// Keys of one command or pipeline.
const AT_ONCE: usize = 1000;

/// Measures databases of so many entries, and empties them.
///
/// # Errors
/// When Redis fails.
pub async fn measure(databases: &mut [(usize, &mut Copies)]) -> RedisResult<Section> {
    let mut rows = Vec::new();
    for (size, copies) in databases {
        rows.extend(measure_one(*size, copies).await?);
    }
    Ok(Section {
        title: "Memory of Redis for an entry of 200 bytes with one tag".into(),
        baseline: "the copy alone, without indexes".into(),
        rows,
    })
}

#[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
async fn measure_one(size: usize, copies: &mut Copies) -> RedisResult<[Row; 3]> {
    let tags: Vec<String> = Copies::tag_indexes();
    let [by_key, by_tag] = [usage(copies, &Copies::indexes()).await?, usage(copies, &tags).await?];
    let full = copies.used_memory().await?;
    for names in [Copies::indexes(), tags].concat().chunks(AT_ONCE) {
        cmd("DEL").arg(names).query_async::<()>(&mut copies.bare).await?;
    }
    let bare = copies.used_memory().await?;
    cmd("FLUSHDB").arg("SYNC").query_async::<()>(&mut copies.bare).await?;
    let nothing = copies.used_memory().await?;
    let each = |bytes: u64| Summary::single(bytes as f64 / size as f64);
    let row = |what: &str, bytes| Row::new(format!("{what}, of {}", in_words(size)), Unit::Bytes, each(bytes));
    let whole = row("copy and indexes (used_memory)", full.saturating_sub(nothing));
    Ok([
        whole.beside(each(bare.saturating_sub(nothing))),
        row("index by key (MEMORY USAGE)", by_key),
        row("index by tag (MEMORY USAGE)", by_tag),
    ])
}

/// Bytes of keys by MEMORY USAGE, every member looked at.
async fn usage(copies: &mut Copies, names: &[String]) -> RedisResult<u64> {
    let mut bytes = 0;
    for names in names.chunks(AT_ONCE) {
        let mut usage = pipe();
        for name in names {
            usage.cmd("MEMORY").arg("USAGE").arg(name).arg("SAMPLES").arg(0);
        }
        let used: Vec<Option<u64>> = usage.query_async(&mut copies.bare).await?;
        bytes += used.into_iter().flatten().sum::<u64>();
    }
    Ok(bytes)
}
