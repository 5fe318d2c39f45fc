//! `strata import`: many entries from lines of JSON, by batches, side by side, within the rate limit. It goes on where it
//! stopped.

mod chunks;
mod input;
mod line;
mod progress;
mod store;

use crate::{
    exit::{Exit, Failure},
    output::{count, entries},
    session::Session,
};
use chunks::{Chunk, Chunks};
use clap::Args;
use input::Input;
pub use line::Line;
use progress::{Checkpoint, Progress};
use std::{num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};
use store::Tally;
use strata_client::{Client, Retry};
use tokio::{sync::mpsc, task::JoinSet};

/// Limits are waited for, and a level that is away as well, but not a whole night.
const RETRY: Retry = Retry { times: 10_000, patience: Duration::from_secs(3600) };

/// Store entries from lines of JSON, as `strata export` writes them
///
/// Each line is an object with `key`, `value`, and `expires_at` or `ttl_seconds` and `tags` if there are any. gzip and
/// zstd are told by what they begin with. Started again with the same file, it goes on where it stopped.
#[derive(Debug, Args)]
pub struct Import {
    /// The file; `-` for standard input
    file: PathBuf,
    /// Batches under way at once
    #[arg(long, value_name = "BATCHES", default_value = "8")]
    parallel: NonZeroUsize,
    /// Leave out so many lines at the beginning
    #[arg(long, value_name = "LINES", conflicts_with = "restart")]
    skip: Option<u64>,
    /// Begin at the beginning, also where it stopped before
    #[arg(long)]
    restart: bool,
}

impl Import {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let input = Input::open(&self.file)?;
        let checkpoint = Checkpoint::of(&self.file, session.client.url())?;
        let skip = match (self.skip, self.restart, &checkpoint) {
            (Some(lines), ..) => lines,
            (None, false, Some(checkpoint)) => checkpoint.lines(),
            _ => 0,
        };
        if skip > 0 && self.skip.is_none() {
            session.output.note(&format!("going on after line {}; --restart begins anew", count(skip)));
        }
        let mut progress = Progress::new(&session.output, input.size, skip, checkpoint);
        let parallel = self.parallel.get();
        let (sender, chunks) = mpsc::channel(parallel);
        let reader = tokio::task::spawn_blocking(move || Chunks::new(input, skip, 2 * parallel).send(&sender));
        let client = Arc::new(session.client_with(RETRY)?);
        let ended = tokio::select! {
            ended = store_all(&client, chunks, parallel, &mut progress) => ended,
            _ = tokio::signal::ctrl_c() => Err(Failure::silent(Exit::Interrupted)),
        };
        let read = if ended.is_ok() { reader.await.map_err(|why| Failure::at("reading", why))? } else { Ok(()) };
        let is_whole = ended.is_ok() && read.is_ok();
        progress.finish(is_whole)?;
        tell(session, &progress, is_whole, &self.file)?;
        ended.and(read)?;
        if progress.tally.failed == 0 { Ok(()) } else { Err(Failure::silent(Exit::Partly)) }
    }
}

/// Stores chunks side by side until there are no more. Where the levels cannot keep up fewer are under way: half as many
/// after each that met that, and one more after each that did not.
async fn store_all(
    client: &Arc<Client>,
    mut chunks: mpsc::Receiver<Chunk>,
    parallel: usize,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let mut under_way = JoinSet::new();
    let mut at_once = parallel;
    let mut next = chunks.recv().await;
    loop {
        // One that stores a key again waits for those before it.
        let is_free = |chunk: &Chunk, others: usize| others < if chunk.waits { 1 } else { at_once };
        match next.take_if(|chunk| is_free(chunk, under_way.len())) {
            Some(chunk) => {
                let client = client.clone();
                under_way.spawn(async move { store::store(&client, chunk).await });
                next = chunks.recv().await;
            }
            None => match under_way.join_next().await {
                Some(stored) => {
                    let done = stored.map_err(|why| Failure::at("storing", why))??;
                    at_once = if done.was_refused { (at_once / 2).max(1) } else { (at_once + 1).min(parallel) };
                    progress.note(done)?;
                }
                None => return Ok(()),
            },
        }
    }
}

/// Says what was done, and how to go on.
fn tell(session: &Session, progress: &Progress, is_whole: bool, file: &std::path::Path) -> Result<(), Failure> {
    let Tally { stored, expired, failed, .. } = progress.tally;
    let output = &session.output;
    if output.json {
        let lines = progress.lines;
        return output.json(&serde_json::json!({
            "complete": is_whole, "stored": stored, "expired": expired, "failed": failed, "lines": lines,
        }));
    }
    let seconds = progress.elapsed().as_secs_f64();
    let rate = stored as f64 / seconds.max(0.001);
    output.note(&format!("stored {} in {seconds:.1} s, {rate:.0} a second", entries(stored)));
    if expired > 0 {
        output.note(&format!(
            "{} had expired and {} left out",
            count(expired),
            if expired == 1 { "was" } else { "were" }
        ));
    }
    if failed > 0 {
        output.note(&format!("{} could not be stored", count(failed)));
    }
    if !is_whole {
        let lines = progress.lines;
        output.note(&if progress.is_kept() {
            format!("stopped after line {}: the same command goes on", count(lines))
        } else {
            format!("stopped: strata import {} --skip {lines} goes on", file.display())
        });
    }
    Ok(())
}
