//! What invalidates by pattern where there is no index: SCAN of the whole keyspace, and UNLINK of what matches.

use redis::{RedisResult, aio::MultiplexedConnection, cmd};

/// Keys that one SCAN looks at when it is not told how many.
pub const DEFAULT_COUNT: usize = 10;
/// Keys that one SCAN looks at when it is in a hurry, and may hold the server up for some 100 µs.
pub const LARGE_COUNT: usize = 1000;

/// Removes every key that matches `glob`, `count` at a look, and says how many there were.
///
/// # Errors
/// When Redis fails.
pub async fn remove(connection: &mut MultiplexedConnection, glob: &str, count: usize) -> RedisResult<usize> {
    let (mut cursor, mut removed) = (0_u64, 0);
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(glob).arg("COUNT").arg(count);
        let (next, names): (u64, Vec<String>) = scan.query_async(connection).await?;
        if !names.is_empty() {
            removed += cmd("UNLINK").arg(names).query_async::<usize>(connection).await?;
        }
        if next == 0 {
            return Ok(removed);
        }
        cursor = next;
    }
}
