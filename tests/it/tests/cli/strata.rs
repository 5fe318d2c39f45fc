//! Running `strata`.

use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
};
use strata_it::{Api, stack::Claims};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
};

/// The binary, beside those of the functions.
pub fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let folder = tests.ancestors().nth(2).unwrap();
    let binary = folder.join("strata");
    assert!(binary.is_file(), "{} is not built", binary.display());
    binary
}

/// Somebody's shell: a home folder and an environment.
pub struct Shell {
    home: TempDir,
    environment: Vec<(String, String)>,
}

impl Shell {
    /// Of somebody who has not heard of the API.
    pub fn new() -> Shell {
        Shell { home: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    /// With the URL and a token of all scopes in the environment.
    pub fn of(api: &Api) -> Shell {
        Shell::new().set("STRATA_URL", api.stack.url()).set("STRATA_TOKEN", &api.stack.token(Claims::default()))
    }

    /// With one more variable.
    pub fn set(mut self, name: &str, value: &str) -> Shell {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The home folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A program in this shell.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:{}", binary().parent().unwrap().display(), std::env::var("PATH").unwrap());
        command.env_clear().env("HOME", self.home()).env("PATH", path).envs(self.environment.iter().cloned());
        command.current_dir(self.home()).kill_on_drop(true);
        command
    }

    /// `strata` with these words and nobody at the terminal.
    pub async fn strata(&self, words: &[&str]) -> Done {
        self.strata_with(words, "").await
    }

    /// The same, with something on standard input.
    pub async fn strata_with(&self, words: &[&str], input: &str) -> Done {
        let mut command = self.command("strata");
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Not everybody reads what is there.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
        Done::new(words.join(" "), child.wait_with_output().await.unwrap())
    }

    /// A line of the shell, with somebody at a terminal who types `keys`. Both outputs are one there.
    pub async fn at_a_terminal(&self, line: &str, keys: &str) -> Done {
        self.typing(line, &[], keys).await
    }

    /// The same, who types once all of `texts` have been shown.
    pub async fn typing(&self, line: &str, texts: &[&str], keys: &str) -> Done {
        let mut command = self.command("script");
        command
            .args(["--quiet", "--return", "--command", line, "/dev/null"])
            .env("TERM", "xterm")
            .env("SHELL", "/bin/sh");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut shown = Vec::new();
        let is_shown = |shown: &[u8]| texts.iter().all(|text| String::from_utf8_lossy(shown).contains(text));
        while !is_shown(&shown) {
            assert_ne!(stdout.read_buf(&mut shown).await.unwrap(), 0, "{}", String::from_utf8_lossy(&shown));
        }
        stdin.write_all(keys.as_bytes()).await.unwrap();
        stdout.read_to_end(&mut shown).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        drop(stdin);
        Done::new(line.to_owned(), Output { stdout: shown, ..output })
    }
}

/// Presses Ctrl-C, and waits for the end.
pub async fn interrupt(child: Child) -> Done {
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    Done::new("Ctrl-C".to_owned(), child.wait_with_output().await.unwrap())
}

/// How it ended.
#[derive(Debug)]
pub struct Done {
    what: String,
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Done {
    pub fn new(what: String, output: Output) -> Done {
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        Done { what, code: output.status.code().unwrap_or(-1), out, err }
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Done {
        assert_eq!(self.code, code, "{}: {self:?}", self.what);
        self
    }

    /// That standard error has this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Done {
        assert!(self.err.contains(text), "{}: {text}: {self:?}", self.what);
        self
    }

    /// The only line of standard output, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
