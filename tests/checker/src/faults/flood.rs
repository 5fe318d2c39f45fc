//! Many records in the journal at once.
//!
//! What a record looks like is the product's own affair. So one mutation of a key that nobody reads is done as a client
//! does it, what its container then says to Redis is overheard, and said again for other keys as often as wanted.

use std::time::Duration;

use redis::Client as Server;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use strata_it::entry;

use crate::client::Client;
use crate::rig::KEY_PREFIX;

/// How many are said in one go: what is overheard may be said for about a second.
const AT_ONCE: usize = 1000;
/// How long it takes to overhear something, and to say it, at most: a container that is out of touch with Redis says
/// nothing.
const HEARD_WITHIN: Duration = Duration::from_millis(500);
const SAID_WITHIN: Duration = Duration::from_secs(2);
/// For how long it is tried.
const TRIED_FOR: Duration = Duration::from_secs(6);
/// The number of the key that is overheard; those that follow have the next.
const FIRST: usize = 10_000;

/// A command as it was sent.
type Words = Vec<String>;

/// Appends so many records; returns how many those were. Fewer when Redis does not answer, or no container speaks to it.
pub(super) async fn flood(client: &Client<'_>, records: usize) -> usize {
    let mut appended = 0;
    let until = client.clock.now() + TRIED_FOR;
    while appended < records && client.clock.now() < until {
        let said = timeout(HEARD_WITHIN, overhear(client)).await;
        if let Ok(Some(words)) = said {
            appended += repeat(client, &words, AT_ONCE.min(records - appended)).await;
        }
    }
    appended
}

/// What a container says to the journal when a key is deleted.
async fn overhear(client: &Client<'_>) -> Option<Words> {
    let key = client.workload.keys.filler(FIRST);
    let address = client.rig.api.stack.redis().url().trim_start_matches("redis://");
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(b"MONITOR\r\n").await.ok()?;
    let mut lines = BufReader::new(stream).lines();
    lines.next_line().await.ok()?;
    let delete = client.rig.api.delete(&entry(&key));
    let container = client.rig.container("entries", &mut fastrand::Rng::new());
    let heard = async {
        let journal = format!("{KEY_PREFIX}{{j}}journal");
        while let Ok(Some(line)) = lines.next_line().await {
            // What a script says to its server is no client's.
            let words = if line.contains(" lua] ") { Vec::new() } else { words(&line) };
            if words.contains(&key) && words.contains(&journal) {
                return Some(words);
            }
        }
        None
    };
    let (_, heard) = tokio::join!(client.tell(&container, delete), heard);
    heard
}

/// The words of a line of MONITOR, each between quotation marks. None of those that are looked for has an escape.
fn words(line: &str) -> Words {
    let words = line.split('"').skip(1).step_by(2);
    words.map(str::to_owned).collect()
}

/// Repeats it for other keys; returns how many records that made.
async fn repeat(client: &Client<'_>, words: &Words, times: usize) -> usize {
    let first = client.workload.keys.filler(FIRST);
    let mut pipeline = redis::pipe();
    for number in 1..=times {
        let key = client.workload.keys.filler(FIRST + number);
        let said = pipeline.cmd(&words[0]);
        for word in &words[1..] {
            said.arg(word.replace(&first, &key));
        }
    }
    let said = async {
        let server = Server::open(client.rig.api.stack.redis().url())?;
        let mut connection = server.get_multiplexed_async_connection().await?;
        let length = redis::cmd("XLEN").arg(format!("{KEY_PREFIX}{{j}}journal")).clone();
        let before: usize = length.query_async(&mut connection).await?;
        let _: Vec<redis::Value> = pipeline.query_async(&mut connection).await?;
        let after: usize = length.query_async(&mut connection).await?;
        redis::RedisResult::Ok(after.saturating_sub(before))
    };
    timeout(SAID_WITHIN, said).await.ok().and_then(Result::ok).unwrap_or_default()
}
