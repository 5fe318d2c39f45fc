//! `strata top`: the fleet, live.

mod draw;
mod seen;

use crate::{exit::Failure, session::Session};
use clap::Args;
use ratatui::{Terminal, backend::TermionBackend};
use seen::Seen;
use std::{
    io::{self, IsTerminal, Stdout},
    time::Duration,
};
use strata_client::Client;
use termion::{
    event::Key,
    input::TermRead,
    raw::{IntoRawMode, RawTerminal},
    screen::{AlternateScreen, IntoAlternateScreen},
};
use tokio::sync::mpsc;

/// Keys that are typed and not read yet; a person has no more fingers.
const TYPED: usize = 16;
/// Mutations asked for at once.
const MUTATIONS: u64 = 200;

/// Jobs that are shown.
const JOBS: u64 = 5;
/// Minutes that hit ratios are shown of.
const MINUTES: u64 = 60;

/// Follow levels, hit ratios of the last hour, fleet, jobs and journal at a terminal; q ends it
#[derive(Debug, Args)]
pub struct Top {
    /// Time between two looks
    #[arg(long, short, value_parser = crate::words::duration, default_value = "2s")]
    interval: Duration,
}

type Screen = Terminal<TermionBackend<AlternateScreen<RawTerminal<Stdout>>>>;

impl Top {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err(Failure::usage("top needs a terminal; strata status --json is for programs"));
        }
        // What is wrong with the URL or the token is better said before the screen changes.
        let mut seen = Seen::new(session.client.url().to_owned(), session.client.status().history(MINUTES).await?);
        let mut keys = keys();
        let mut screen = screen()?;
        let mut clock = tokio::time::interval(self.interval.max(Duration::from_secs(1)));
        loop {
            screen.draw(|frame| draw::draw(frame, &seen))?;
            tokio::select! {
                key = keys.recv() => match key {
                    None | Some(Key::Char('q') | Key::Esc | Key::Ctrl('c')) => return Ok(()),
                    // Others draw it again, as after a change of the terminal's size.
                    Some(_) => {}
                },
                _ = clock.tick() => look(&session.client, &mut seen).await,
            }
        }
    }
}

/// Puts the terminal into a mode for drawing; it returns to its own when the screen is dropped.
fn screen() -> io::Result<Screen> {
    let stdout = io::stdout().into_raw_mode()?.into_alternate_screen()?;
    let mut screen = Terminal::new(TermionBackend::new(stdout))?;
    screen.hide_cursor()?;
    Ok(screen)
}

/// The keys that are typed, from a thread of its own, which ends with the process.
fn keys() -> mpsc::Receiver<Key> {
    let (sender, receiver) = mpsc::channel(TYPED);
    tokio::task::spawn_blocking(move || {
        for key in io::stdin().keys().map_while(Result::ok) {
            if sender.blocking_send(key).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Looks once more. What cannot be seen is said on the screen, and looked at again.
async fn look(client: &Client, seen: &mut Seen) {
    let status = match client.status().history(MINUTES).await {
        Ok(status) => status,
        Err(error) => return seen.blind(error.to_string()),
    };
    let jobs = client.jobs().limit(JOBS).await;
    let journal = client.journal().limit(MUTATIONS);
    let mutations = match seen.position() {
        Some(position) => journal.since(position).await,
        None => journal.await,
    };
    seen.look(status, jobs, mutations);
}
