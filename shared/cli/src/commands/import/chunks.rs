//! Lines, put together into what one request stores.

use super::{input::Input, line::Line};
use crate::exit::Failure;
use std::{
    collections::{HashSet, VecDeque},
    io::BufRead,
    sync::atomic::Ordering,
};
use strata_client::MAX_OPERATIONS;
use tokio::sync::mpsc::Sender;

/// Most bytes of the lines of one request. Lambda takes 6 MB of it, with quotes escaped once more.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// Longest line, in bytes: no entry is as large.
const MAX_LINE: u64 = 32 * 1024 * 1024;

/// Lines that are stored together.
#[derive(Default)]
pub struct Chunk {
    /// Its place among all of them, from 0.
    pub number: u64,
    pub lines: Vec<Line>,
    /// Lines that can be no entry, by their numbers and why.
    pub wrong: Vec<(u64, String)>,
    /// The number of its last line.
    pub last_line: u64,
    /// Bytes of the file that were read for it and all before.
    pub taken: u64,
    /// It has a key that may still be on its way with another, and must be stored after it.
    pub waits: bool,
    bytes: usize,
    keys: HashSet<String>,
}

/// Reads chunks.
pub struct Chunks {
    input: Input,
    skip: u64,
    /// The keys of so many chunks before this one, which may be under way.
    recent: VecDeque<HashSet<String>>,
    window: usize,
    chunk: Chunk,
}

impl Chunks {
    /// Of what follows after `skip` lines, where at most `window` chunks are on their way.
    pub fn new(input: Input, skip: u64, window: usize) -> Chunks {
        Chunks { input, skip, recent: VecDeque::new(), window, chunk: Chunk::default() }
    }

    /// Reads to the end, or until nobody wants any more.
    pub fn send(mut self, chunks: &Sender<Chunk>) -> Result<(), Failure> {
        let mut text = Vec::new();
        for number in 1.. {
            text.clear();
            let mut limited = std::io::Read::take(&mut self.input.lines, MAX_LINE);
            let read =
                limited.read_until(b'\n', &mut text).map_err(|why| Failure::at(format!("line {number}"), why))?;
            if read == 0 {
                break;
            }
            if read as u64 == MAX_LINE {
                return Err(Failure::at(format!("line {number}"), "is longer than an entry can be"));
            }
            if number <= self.skip {
                continue;
            }
            let line = text.trim_ascii();
            if !line.is_empty() && !self.add(number, line, chunks) {
                return Ok(());
            }
            self.chunk.last_line = number;
        }
        self.flush(chunks);
        Ok(())
    }

    /// Adds a line, to another chunk where this one is full; false when nobody wants it.
    fn add(&mut self, number: u64, line: &[u8], chunks: &Sender<Chunk>) -> bool {
        let read: Line = match serde_json::from_slice(line) {
            Ok(read) => read,
            Err(why) => {
                self.chunk.wrong.push((number, why.to_string()));
                return true;
            }
        };
        let chunk = &self.chunk;
        let is_full = chunk.lines.len() == MAX_OPERATIONS || chunk.bytes + line.len() > MAX_BYTES;
        if (is_full || chunk.keys.contains(&read.key)) && !chunk.lines.is_empty() && !self.flush(chunks) {
            return false;
        }
        self.chunk.waits |= self.recent.iter().any(|keys| keys.contains(&read.key));
        self.chunk.bytes += line.len();
        self.chunk.keys.insert(read.key.clone());
        self.chunk.lines.push(read);
        true
    }

    /// Sends the chunk and begins the next.
    fn flush(&mut self, chunks: &Sender<Chunk>) -> bool {
        let (number, last_line) = (self.chunk.number + 1, self.chunk.last_line);
        let mut chunk = std::mem::replace(&mut self.chunk, Chunk { number, last_line, ..Chunk::default() });
        chunk.taken = self.input.taken.load(Ordering::Relaxed);
        self.recent.push_back(std::mem::take(&mut chunk.keys));
        if self.recent.len() > self.window {
            self.recent.pop_front();
        }
        chunks.blocking_send(chunk).is_ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::{io::Cursor, sync::Arc};

    fn chunks(text: String, skip: u64) -> Vec<Chunk> {
        let input = Input { lines: Box::new(Cursor::new(text)), taken: Arc::default(), size: None };
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1000);
        Chunks::new(input, skip, 2).send(&sender).unwrap();
        drop(sender);
        std::iter::from_fn(|| receiver.blocking_recv()).collect()
    }

    fn line(key: &str, bytes: usize) -> String {
        format!("{{\"key\":\"{key}\",\"value\":\"{}\"}}\n", "x".repeat(bytes))
    }

    #[test]
    fn a_chunk_is_what_one_request_takes() {
        let many: String = (0..250).map(|number| line(&number.to_string(), 1)).collect();
        let sizes: Vec<_> = chunks(many, 0).iter().map(|chunk| (chunk.lines.len(), chunk.last_line)).collect();
        assert_eq!(sizes, [(100, 100), (100, 200), (50, 250)]);
        let large: String = ["a", "b", "c"].map(|key| line(key, MAX_BYTES / 2)).concat();
        assert_eq!(chunks(large, 0).iter().map(|chunk| chunk.lines.len()).collect::<Vec<_>>(), [1, 1, 1]);
        let one = chunks(line("a", 2 * MAX_BYTES), 0);
        assert_eq!(one[0].lines.len(), 1, "what is larger alone goes alone");
    }

    #[test]
    fn a_key_that_comes_again_is_stored_in_its_order() {
        let within = chunks(["a", "b", "a", "c"].map(|key| line(key, 1)).concat(), 0);
        let keys: Vec<Vec<&str>> = within.iter().map(|c| c.lines.iter().map(|line| &*line.key).collect()).collect();
        assert_eq!(keys, [vec!["a", "b"], vec!["a", "c"]]);
        assert_eq!(within.iter().map(|chunk| chunk.waits).collect::<Vec<_>>(), [false, true]);
        let after = |others: u32| {
            let between: String = (0..others).map(|number| line(&number.to_string(), 1)).collect();
            chunks([line("a", 1), between, line("a", 1)].concat(), 0).pop().unwrap().waits
        };
        assert!(after(150) && !after(400), "only while it may be on its way");
    }

    #[test]
    fn what_is_wrong_is_named_by_its_line() {
        let text = format!("\n{{\"key\":1}}\n{}{{\"key\":\"k\",\"value\":1,\"ttl\":5}}\n", line("a", 1));
        let chunks = chunks(text, 0);
        assert_eq!(chunks[0].wrong.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4]);
        assert!(chunks[0].wrong[1].1.contains("unknown field `ttl`"));
        assert_eq!((chunks[0].lines.len(), chunks[0].last_line), (1, 4));
    }

    #[test]
    fn lines_that_are_done_are_left_out() {
        let text: String = (0..5).map(|number| line(&number.to_string(), 1)).collect();
        let chunks = chunks(text, 3);
        assert_eq!((chunks[0].lines.len(), chunks[0].lines[0].key.as_str(), chunks[0].last_line), (2, "3", 5));
    }
}
