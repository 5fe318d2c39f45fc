//! Builds what is compared, in the profile the bench itself runs in.

use std::{
    io::{self, Error},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Builds `entries` and `hello` and returns the folder they are in: the one of the running program.
///
/// Both in one build that leaves the harness out, so that neither gets features of crates it does not ask for.
pub fn build() -> io::Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--no-default-features"]);
    cargo.args(["-p", "entries", "--bin", "entries", "-p", "strata-bench", "--bin", "hello"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    if !cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status()?.success() {
        return Err(Error::other("the functions cannot be built"));
    }
    let program = std::env::current_exe()?;
    program.parent().map(Path::to_path_buf).ok_or_else(|| Error::other("the program is in no folder"))
}

/// Bytes of `file` as a ZIP archive holds them, which is what is uploaded to Lambda: gzip has the same compression.
pub fn deflated(file: &Path) -> io::Result<u64> {
    let output = Command::new("gzip").args(["-9", "-c"]).arg(file).stderr(Stdio::inherit()).output()?;
    Ok(output.stdout.len() as u64)
}
