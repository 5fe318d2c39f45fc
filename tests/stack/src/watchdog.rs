//! Kills the stack's children, and removes its files, when the stack is gone, however it went.
//!
//! A frozen container notices nothing by itself, and neither a destructor nor a signal handler runs on SIGKILL. So a
//! small shell, in a process group of its own, reads the children's process ids from a pipe; when the pipe closes, the
//! stack has ended, and the shell kills what is left. Linux' parent-death signal would need unsafe code here, and is
//! bound to the thread that started the child.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;

const SCRIPT: &str = r#"
trap '' INT TERM HUP
live=
while read -r op pid; do
    case $op in
    +) live="$live $pid" ;;
    -) rest=
       for p in $live; do [ "$p" = "$pid" ] || rest="$rest $p"; done
       live=$rest ;;
    esac
done
[ -z "$live" ] || kill -KILL $live 2>/dev/null
rm -rf -- "$1"
"#;

/// Watches over the children of one stack.
pub(crate) struct Watchdog {
    shell: Mutex<Shell>,
}

struct Shell {
    process: Child,
    /// `None` once the stack has been shut down.
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    /// Watches over no child yet, and over a folder with all that the stack leaves behind.
    pub(crate) fn start(scratch: &Path) -> io::Result<Self> {
        let mut process = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(scratch)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = process.stdin.take();
        Ok(Self { shell: Mutex::new(Shell { process, pipe }) })
    }

    /// From now on the process does not outlive the stack. Fails once the stack is shut down.
    pub(crate) fn watch(&self, pid: u32) -> io::Result<()> {
        self.tell('+', pid)
    }

    /// The process has ended and been reaped; its number may be given to somebody else's.
    pub(crate) fn forget(&self, pid: u32) {
        // When the stack is shut down there is nothing to forget.
        let _ = self.tell('-', pid);
    }

    fn tell(&self, op: char, pid: u32) -> io::Result<()> {
        let mut shell = self.lock();
        let pipe = shell.pipe.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        pipe.write_all(format!("{op} {pid}\n").as_bytes())
    }

    /// Kills every watched process and removes the folder now; refuses new processes.
    pub(crate) fn kill_all(&self) {
        let mut shell = self.lock();
        shell.pipe = None;
        // The shell ends by itself at the end of its input; waiting for it means that all is cleared up.
        let _ = shell.process.wait();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shell> {
        self.shell.lock().expect("nothing panics while it holds the watchdog")
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.kill_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").process_group(0).spawn().unwrap()
    }

    #[test]
    fn kills_what_is_watched_frozen_or_not_and_spares_what_was_forgotten() {
        let (mut running, mut frozen, mut forgotten) = (sleeper(), sleeper(), sleeper());
        let scratch = tempfile::tempdir().unwrap().keep();
        let watchdog = Watchdog::start(&scratch).unwrap();
        for child in [&running, &frozen, &forgotten] {
            watchdog.watch(child.id()).unwrap();
        }
        watchdog.forget(forgotten.id());
        crate::process::signal(frozen.id(), nix::sys::signal::Signal::SIGSTOP);
        drop(watchdog);
        assert!(!scratch.exists());
        assert_eq!(running.wait().unwrap().signal(), Some(9));
        assert_eq!(frozen.wait().unwrap().signal(), Some(9));
        assert_eq!(forgotten.try_wait().unwrap(), None);
        forgotten.kill().unwrap();
        forgotten.wait().unwrap();
    }

    #[test]
    fn refuses_new_children_after_the_end() {
        let watchdog = Watchdog::start(&tempfile::tempdir().unwrap().keep()).unwrap();
        watchdog.kill_all();
        assert!(watchdog.watch(1).is_err());
    }
}
