//! The wall clocks of containers, which can be put on and back. A library that is loaded in front of the C library adds
//! to each what a file says, so that ordinary binaries are told another time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Doing, Error};

const SOURCE: &str = include_str!("clock.c");

/// A library, and a file for each container.
pub(crate) struct Clocks {
    folder: PathBuf,
}

impl Clocks {
    /// Compiles the library into `folder`, by the C compiler that Rust links with.
    pub(crate) fn compile(folder: PathBuf) -> Result<Self, Error> {
        fs::create_dir_all(&folder).doing(format!("creating {}", folder.display()))?;
        let source = folder.join("clock.c");
        fs::write(&source, SOURCE).doing("writing the source of the clocks")?;
        let clocks = Self { folder };
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(clocks.library()).arg(&source).arg("-ldl");
        let compiled = compiler.output().doing("compiling the clocks")?;
        if !compiled.status.success() {
            let why = String::from_utf8_lossy(&compiled.stderr).into_owned();
            return Err(io::Error::other(why)).doing("compiling the clocks");
        }
        Ok(clocks)
    }

    /// What a container needs in its environment. Its clock is right at first.
    pub(crate) fn environment(&self, container: &str) -> Result<[(String, String); 2], Error> {
        self.put(container, 0)?;
        let text = |path: &Path| path.display().to_string();
        let file = ("STRATA_CLOCK".to_owned(), text(&self.file(container)));
        Ok([file, ("LD_PRELOAD".to_owned(), text(&self.library()))])
    }

    /// From now on the container's clock is ahead by so much, or behind.
    pub(crate) fn put(&self, container: &str, ahead_ms: i64) -> Result<(), Error> {
        let nanoseconds = ahead_ms.saturating_mul(1_000_000);
        let file = self.file(container);
        let doing = || format!("writing {}", file.display());
        // In one write, and in place: the file is mapped.
        let mut open = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&file).doing(doing())?;
        io::Write::write_all(&mut open, &nanoseconds.to_ne_bytes()).doing(doing())
    }

    fn library(&self) -> PathBuf {
        self.folder.join("clock.so")
    }

    fn file(&self, container: &str) -> PathBuf {
        self.folder.join(container)
    }
}
