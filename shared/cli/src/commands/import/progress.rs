//! How far an import is, for people, and for another one that goes on.

use super::store::{Done, Tally};
use crate::{exit::Failure, output::Output, settings};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Messages of what could not be stored that are shown.
const MESSAGES: usize = 20;
/// Between two checkpoints. What was stored since the last is stored again after a crash.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);

/// How far it is.
pub struct Progress {
    pub tally: Tally,
    /// Lines of the file up to which all is done with.
    pub lines: u64,
    /// Chunks that are done before one that is not, by number.
    ahead: BTreeMap<u64, Done>,
    next: u64,
    messages: usize,
    bar: ProgressBar,
    output: Output,
    checkpoint: Option<Checkpoint>,
    began: Instant,
}

impl Progress {
    pub fn new(output: &Output, size: Option<u64>, lines: u64, checkpoint: Option<Checkpoint>) -> Progress {
        let target = if output.shows_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let template = match size {
            Some(_) => "{bar:30} {percent:>3} %  {msg}, {eta} left",
            None => "{spinner} {msg}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(size, target).with_style(style);
        Progress {
            tally: Tally::default(),
            lines,
            ahead: BTreeMap::new(),
            next: 0,
            messages: 0,
            bar,
            output: *output,
            checkpoint,
            began: Instant::now(),
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether another import can go on by itself.
    pub fn is_kept(&self) -> bool {
        self.checkpoint.is_some()
    }

    /// Notes a chunk that is done with.
    pub fn note(&mut self, done: Done) -> Result<(), Failure> {
        self.tally.stored += done.tally.stored;
        self.tally.expired += done.tally.expired;
        self.tally.failed += done.tally.failed;
        for message in &done.messages {
            self.messages += 1;
            match self.messages {
                ..=MESSAGES => self.bar.suspend(|| self.output.note(message)),
                number if number == MESSAGES + 1 => self.bar.suspend(|| self.output.note("…")),
                _ => {}
            }
        }
        self.ahead.insert(done.number, done);
        while let Some(done) = self.ahead.remove(&self.next) {
            self.next += 1;
            self.lines = done.last_line;
            self.bar.set_position(done.taken);
        }
        let rate = self.tally.stored as f64 / self.elapsed().as_secs_f64().max(0.001);
        self.bar.set_message(format!("{}, {rate:.0}/s", crate::output::entries(self.tally.stored)));
        match &mut self.checkpoint {
            Some(checkpoint) => checkpoint.keep(self.lines, false),
            None => Ok(()),
        }
    }

    /// Ends it: all is done, or the rest is left to another.
    pub fn finish(&mut self, is_whole: bool) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        match &mut self.checkpoint {
            Some(checkpoint) if is_whole => checkpoint.forget(),
            Some(checkpoint) => checkpoint.keep(self.lines, true),
            None => Ok(()),
        }
    }
}

/// How far an import of a file has come, kept in a file of its own.
pub struct Checkpoint {
    path: PathBuf,
    kept: Kept,
    written: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    file: PathBuf,
    url: String,
    /// Of the file: another size or time is another file.
    size: u64,
    modified_ns: u128,
    lines: u64,
}

impl Checkpoint {
    /// Of this file into the API at `url`; `None` for what is no file, or where there is no folder to keep it in.
    pub fn of(file: &Path, url: &str) -> Result<Option<Checkpoint>, Failure> {
        let Some(folder) = settings::state_folder() else { return Ok(None) };
        if file == Path::new("-") {
            return Ok(None);
        }
        let at = |why: io::Error| Failure::at(file.display(), why);
        let metadata = fs::metadata(file).map_err(at)?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let modified = metadata.modified().map_err(at)?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let file = fs::canonicalize(file).map_err(at)?;
        let (size, modified_ns) = (metadata.len(), modified.as_nanos());
        let mut kept = Kept { file, url: url.to_owned(), size, modified_ns, lines: 0 };
        let path = folder.join("imports").join(name(&kept));
        let before = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Kept>(&text).ok());
        if let Some(before) = before.filter(|before| Kept { lines: 0, ..before.clone() } == kept) {
            kept.lines = before.lines;
        }
        Ok(Some(Checkpoint { path, kept, written: None }))
    }

    /// Lines that are done with.
    pub fn lines(&self) -> u64 {
        self.kept.lines
    }

    /// Keeps it, now or once in a while.
    fn keep(&mut self, lines: u64, now: bool) -> Result<(), Failure> {
        if !now && self.written.is_some_and(|written| written.elapsed() < CHECKPOINT_EVERY) {
            return Ok(());
        }
        self.kept.lines = lines;
        self.written = Some(Instant::now());
        self.write().map_err(|why| Failure::at(self.path.display(), why))
    }

    /// In one step, so that it is whole whatever happens.
    fn write(&self) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let draft = self.path.with_extension("new");
        fs::write(&draft, serde_json::to_vec(&self.kept)?)?;
        fs::rename(draft, &self.path)
    }

    fn forget(&self) -> Result<(), Failure> {
        match fs::remove_file(&self.path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(Failure::at(self.path.display(), why)),
            _ => Ok(()),
        }
    }
}

/// A name that no two files and URLs have in common but by chance, and then they only begin anew.
fn name(kept: &Kept) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (&kept.file, &kept.url).hash(&mut hasher);
    format!("{:016x}.json", hasher.finish())
}
