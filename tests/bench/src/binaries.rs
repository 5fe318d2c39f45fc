//! Builds what is measured, in the profile the bench itself runs in.

use std::{
    fs,
    io::{self, Error},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use strata_stack::repository;

/// The names of all functions: their folders, their packages and their binaries are called the same.
pub fn functions() -> io::Result<Vec<String>> {
    let folders = fs::read_dir(repository().join("functions"))?;
    let mut names =
        folders.map(|folder| Ok(folder?.file_name().to_string_lossy().into_owned())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// The baseline that has a client of DynamoDB.
pub const HELLO_SDK: &str = "hello-sdk";

/// Builds all functions and both baselines and returns the folder they are in: the one of the running program.
///
/// All in one build that leaves the harness out, so that none gets features of crates it does not ask for; and always all,
/// for others together would get other features, and be compiled anew.
pub fn build() -> io::Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "-p", "strata-baseline", "--bin", "hello", "--bin", HELLO_SDK]);
    for name in functions()? {
        cargo.args(["-p", &name, "--bin", &name]);
    }
    run(cargo)
}

/// Builds one of the programs of the harness and returns where it is.
pub fn measuring(name: &str) -> io::Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "-p", "strata-bench", "--bin", name]);
    Ok(run(cargo)?.join(name))
}

/// Builds the command line and returns where it is.
pub fn command_line() -> io::Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "-p", "strata-cli", "--bin", "strata"]);
    Ok(run(cargo)?.join("strata"))
}

/// Builds in the profile of the running program, into the folder it is in.
fn run(mut cargo: Command) -> io::Result<PathBuf> {
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    if !cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status()?.success() {
        return Err(Error::other("what is to be measured cannot be built"));
    }
    folder()
}

/// The folder of the running program, and of what was built for it.
pub fn folder() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    program.parent().map(Path::to_path_buf).ok_or_else(|| Error::other("the program is in no folder"))
}

/// Bytes of `file` as a ZIP archive holds them, which is what is uploaded to Lambda: gzip has the same compression.
pub fn deflated(file: &Path) -> io::Result<u64> {
    let output = Command::new("gzip").args(["-9", "-c"]).arg(file).stderr(Stdio::inherit()).output()?;
    Ok(output.stdout.len() as u64)
}
