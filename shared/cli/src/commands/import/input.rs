//! What is imported: a file or standard input, compressed or not.

use crate::exit::Failure;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// Lines to read, and how many bytes of the file were needed for them.
pub struct Input {
    pub lines: Box<dyn BufRead + Send>,
    /// Bytes taken so far, compressed ones if they are.
    pub taken: Arc<AtomicU64>,
    /// Bytes of the file.
    pub size: Option<u64>,
}

impl Input {
    /// Opens a file; `-` is standard input.
    pub fn open(path: &Path) -> Result<Input, Failure> {
        let at = |why: io::Error| Failure::at(path.display(), why);
        if path == Path::new("-") {
            return Input::of(io::stdin(), None).map_err(at);
        }
        let file = File::open(path).map_err(at)?;
        let size = file.metadata().map_err(at)?.len();
        Input::of(file, Some(size)).map_err(at)
    }

    fn of(source: impl Read + Send + 'static, size: Option<u64>) -> io::Result<Input> {
        let taken = Arc::new(AtomicU64::new(0));
        let mut raw = BufReader::with_capacity(BUFFER, Counted { source, taken: taken.clone() });
        let first = raw.fill_buf()?;
        let (is_gzip, is_zstd) = (first.starts_with(&GZIP), first.starts_with(&ZSTD));
        let lines: Box<dyn BufRead + Send> = if is_gzip {
            // Several members one after the other are one file, as of `cat a.gz b.gz`.
            Box::new(BufReader::with_capacity(BUFFER, flate2::bufread::MultiGzDecoder::new(raw)))
        } else if is_zstd {
            Box::new(BufReader::with_capacity(BUFFER, zstd::Decoder::with_buffer(raw)?))
        } else {
            Box::new(raw)
        };
        Ok(Input { lines, taken, size })
    }
}

struct Counted<R> {
    source: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    fn text(bytes: Vec<u8>) -> String {
        let mut input = Input::of(io::Cursor::new(bytes), None).unwrap();
        let mut text = String::new();
        input.lines.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn what_is_compressed_is_told_by_its_beginning() {
        let gzip = |text: &str| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        };
        assert_eq!(text([gzip("a\n"), gzip("b\n")].concat()), "a\nb\n");
        assert_eq!(text(zstd::encode_all(&b"a\nb\n"[..], 1).unwrap()), "a\nb\n");
        assert_eq!(text(b"a\nb\n".to_vec()), "a\nb\n");
        assert_eq!(text(Vec::new()), "");
    }
}
