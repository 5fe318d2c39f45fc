//! `strata export`: entries as lines of JSON, as `strata import` reads them.

use super::{
    import::Line,
    which::{PAGE, Which},
};
use crate::{
    exit::{Exit, Failure},
    output::entries,
    session::Session,
};
use clap::Args;
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use strata_client::{Client, Entry, Level, LevelHealth, ListedKey, MAX_OPERATIONS, Operation, Outcome, Retry};
use tokio::task::JoinSet;

/// Limits are waited for, and a level that is away as well, but not a whole night.
const RETRY: Retry = Retry { times: 10_000, patience: Duration::from_secs(3600) };
/// How hard zstd tries: its own default.
const ZSTD_LEVEL: i32 = 3;

/// Write entries as lines of JSON, by key
///
/// Each line has `key`, `value` byte for byte, `tags` and `expires_at`, and where it was stored with them `grace_seconds`
/// and `cache_levels`.
#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    which: Which,
    /// Write to a file, compressed if it ends in .gz or .zst
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let client = session.client_with(RETRY)?;
        let mut target = Target::open(self.output.as_deref())?;
        let ended = tokio::select! {
            ended = self.write(&client, &mut target) => ended,
            _ = tokio::signal::ctrl_c() => Err(Failure::silent(Exit::Interrupted)),
        };
        let written = target.written;
        if ended.is_ok() {
            target.finish()?;
            session.output.note(&entries(written));
        } else {
            target.give_up();
            session.output.note(&format!("stopped after {}; what was written is not whole", entries(written)));
        }
        ended
    }

    async fn write(&self, client: &Client, target: &mut Target) -> Result<(), Failure> {
        let in_use = in_use(client).await?;
        let mut cursor = None;
        loop {
            let page = self.which.page(client, PAGE, cursor).await?;
            for line in read(client, page.keys, &in_use).await? {
                target.line(&line)?;
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }
}

/// The levels that are switched on.
async fn in_use(client: &Client) -> Result<Arc<[Level]>, Failure> {
    let levels = client.status().await?.levels;
    Ok(levels.iter().filter(|level| level.status != LevelHealth::Disabled).map(|level| level.level).collect())
}

/// Reads the values of a page, side by side, and returns their lines in the page's order.
async fn read(client: &Client, keys: Vec<ListedKey>, in_use: &Arc<[Level]>) -> Result<Vec<Line>, Failure> {
    let mut reads = JoinSet::new();
    let mut keys = keys.into_iter().peekable();
    for number in 0.. {
        let some: Vec<ListedKey> = keys.by_ref().take(MAX_OPERATIONS).collect();
        if some.is_empty() {
            break;
        }
        let (client, in_use) = (client.clone(), Arc::clone(in_use));
        reads.spawn(async move { lines(&client, some, &in_use).await.map(|lines| (number, lines)) });
    }
    let mut parts = Vec::new();
    while let Some(read) = reads.join_next().await {
        parts.push(read.map_err(|why| Failure::at("reading", why))??);
    }
    parts.sort_by_key(|(number, _): &(usize, _)| *number);
    Ok(parts.into_iter().flat_map(|(_, lines)| lines).collect())
}

/// The lines of as many keys as one batch takes. What is gone meanwhile is left out.
async fn lines(client: &Client, keys: Vec<ListedKey>, in_use: &[Level]) -> Result<Vec<Line>, Failure> {
    let mut lines: Vec<Option<Line>> = keys.iter().map(|_| None).collect();
    let mut left: Vec<usize> = (0..keys.len()).collect();
    // The first value always fits an answer, so each round leaves less.
    while !left.is_empty() {
        let operations = left.iter().map(|at| Operation::get(&keys[*at].key));
        let outcomes = client.batch(operations).fresh().await?;
        let mut again = Vec::new();
        for (at, outcome) in left.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Found(entry) => lines[at] = line(client, &keys[at], *entry, in_use).await?,
                Outcome::Missing => {}
                Outcome::Unprocessed => again.push(at),
                Outcome::Failed(error) => return Err(strata_client::Error::Api(error).into()),
                other => return Err(Failure::at(&keys[at].key, format!("{other:?}"))),
            }
        }
        left = again;
    }
    Ok(lines.into_iter().flatten().collect())
}

/// A line. Tags and levels are listed, not read: where the value is another one than was listed, so may they be, and are
/// listed again.
async fn line(client: &Client, listed: &ListedKey, entry: Entry, in_use: &[Level]) -> Result<Option<Line>, Failure> {
    let Entry { key, value, metadata, .. } = entry;
    let (mut tags, mut levels) = (listed.tags.clone(), listed.levels.clone());
    if listed.created_at.is_some_and(|at| at != metadata.created_at) {
        let again = client.keys().prefix(&key).limit(1).await?.keys.into_iter().find(|again| again.key == key);
        let Some(again) = again else { return Ok(None) };
        (tags, levels) = (again.tags, again.levels);
    }
    // One whose life slides expires when it is not read: its life begins anew where it is imported.
    let (expires_at, ttl_seconds) = match metadata.idle_seconds {
        None => (Some(metadata.expires_at), None),
        Some(_) => (None, Some(metadata.ttl_seconds)),
    };
    // Where it may be in every level there is, so it may where it is imported, whichever those are.
    let is_everywhere = levels.is_empty() || in_use.iter().all(|level| levels.contains(level));
    Ok(Some(Line {
        key,
        value,
        tags,
        expires_at,
        ttl_seconds,
        idle_seconds: metadata.idle_seconds,
        grace_seconds: metadata.grace_seconds,
        cache_levels: (!is_everywhere).then_some(levels),
    }))
}

/// Where lines are written to.
struct Target {
    writer: Writer,
    /// What is written, and what it is called at the end.
    file: Option<(PathBuf, PathBuf)>,
    written: u64,
}

enum Writer {
    Plain(BufWriter<Box<dyn Write + Send>>),
    Gzip(flate2::write::GzEncoder<BufWriter<Box<dyn Write + Send>>>),
    Zstd(zstd::Encoder<'static, BufWriter<Box<dyn Write + Send>>>),
}

impl Target {
    fn open(path: Option<&Path>) -> Result<Target, Failure> {
        let Some(path) = path else {
            let writer = Writer::Plain(BufWriter::new(Box::new(io::stdout())));
            return Ok(Target { writer, file: None, written: 0 });
        };
        let mut draft = path.as_os_str().to_owned();
        draft.push(".part");
        let draft = PathBuf::from(draft);
        let file = File::create(&draft).map_err(|why| Failure::at(draft.display(), why))?;
        let writer: BufWriter<Box<dyn Write + Send>> = BufWriter::new(Box::new(file));
        let writer = match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Writer::Gzip(flate2::write::GzEncoder::new(writer, flate2::Compression::default())),
            Some("zst") => Writer::Zstd(zstd::Encoder::new(writer, ZSTD_LEVEL)?),
            _ => Writer::Plain(writer),
        };
        Ok(Target { writer, file: Some((draft, path.to_owned())), written: 0 })
    }

    fn line(&mut self, line: &Line) -> Result<(), Failure> {
        let mut text = serde_json::to_vec(line).map_err(|why| Failure::at(&line.key, why))?;
        text.push(b'\n');
        match &mut self.writer {
            Writer::Plain(writer) => writer.write_all(&text)?,
            Writer::Gzip(writer) => writer.write_all(&text)?,
            Writer::Zstd(writer) => writer.write_all(&text)?,
        }
        self.written += 1;
        Ok(())
    }

    /// All is written: the file gets its name.
    fn finish(self) -> Result<(), Failure> {
        match self.writer {
            Writer::Plain(writer) => writer,
            Writer::Gzip(writer) => writer.finish()?,
            Writer::Zstd(writer) => writer.finish()?,
        }
        .flush()?;
        match self.file {
            Some((draft, path)) => fs::rename(draft, &path).map_err(|why| Failure::at(path.display(), why)),
            None => Ok(()),
        }
    }

    /// A part is no export.
    fn give_up(self) {
        if let Some((draft, _)) = self.file {
            fs::remove_file(draft).ok();
        }
    }
}
