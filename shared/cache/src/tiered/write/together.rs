//! What mutations that are made with each other share: the sync they begin with, and the telling of Redis at their end.
//!
//! Those that have come so far while others were being told go in one round trip, with one look into the journal after all
//! of them. Each by itself would read in that look what all the others have just recorded: the work of Redis would grow
//! with the square of their number.

use crate::tiered::{
    read::many::AT_ONCE,
    setup::Setup,
    sync::{After, Checked, unfinished::CopyWrite},
    view::View,
};
use crate::{
    coherence::AsOf,
    key::Key,
    redis::{Command, Down},
    version::Version,
};
use futures_util::{
    future::ready,
    stream::{self, StreamExt},
};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Groups of which Redis is being told at once. While it is told of one the next one forms, and with two nobody waits for a
/// whole round trip before its own.
const GROUPS_AT_ONCE: usize = 2;

/// What the mutations that are made with each other share.
#[derive(Debug)]
pub(crate) struct Together {
    setup: Arc<Setup>,
    /// A sync was made for all of them.
    pub(super) synced: bool,
    line: mpsc::UnboundedSender<(Telling, [Command; 2])>,
}

/// Those that Redis is to be told of.
pub(super) struct Waiting(mpsc::UnboundedReceiver<(Telling, [Command; 2])>);

/// A mutation that Redis is to be told of, by two commands. It is told also when nobody waits for that any more.
struct Telling {
    as_of: AsOf,
    key: Key,
    tags: Vec<Arc<str>>,
    version: Version,
    bytes: usize,
    told: oneshot::Sender<Result<Checked, Down>>,
}

impl Together {
    /// What mutations under that view share, and what tells of them. `synced`: a sync was made for all of them.
    pub(super) fn new(view: &View<'_>, synced: bool) -> (Together, Waiting) {
        let (line, waiting) = mpsc::unbounded_channel();
        (Together { setup: Arc::clone(&view.setup), synced, line }, Waiting(waiting))
    }

    /// Whether they are told under that configuration.
    pub(super) fn goes_by(&self, setup: &Arc<Setup>) -> bool {
        Arc::ptr_eq(&self.setup, setup)
    }

    /// Tells Redis of a write by two commands, the second after the first, and looks into the journal after them, with those
    /// that wait for that as well.
    pub(super) async fn tell(&self, written: &CopyWrite<'_>, commands: [Command; 2]) -> Result<Checked, Down> {
        let (told, answer) = oneshot::channel();
        let &CopyWrite { as_of, key, tags, version, bytes } = written;
        let telling = Telling { as_of, key: key.clone(), tags: tags.to_vec(), version, bytes, told };
        self.line.send((telling, commands)).map_err(|_| Down::Skipped)?;
        answer.await.unwrap_or(Err(Down::Odd("a mutation among many is left untold")))
    }
}

impl View<'_> {
    /// Tells Redis of all that comes, until nothing can come any more.
    pub(super) async fn tell_all(&self, Waiting(mut waiting): Waiting) {
        let waiting = stream::poll_fn(move |context| waiting.poll_recv(context));
        let groups = waiting.ready_chunks(AT_ONCE).map(|group| self.tell_group(group));
        groups.buffer_unordered(GROUPS_AT_ONCE).for_each(ready).await;
    }

    /// One that fails for itself says so in its replies; where Redis is not reached, or what it says of one is not understood,
    /// none of them knows whether it was told.
    async fn tell_group(&self, group: Vec<(Telling, [Command; 2])>) {
        let (group, commands): (Vec<Telling>, Vec<_>) = group.into_iter().unzip();
        let (firsts, seconds): (Vec<_>, Vec<_>) = commands.into_iter().map(<(Command, Command)>::from).unzip();
        let written: Vec<_> = group.iter().map(Telling::written).collect();
        let commands = firsts.into_iter().chain(seconds).collect();
        let told = self.then_check_all(&written, commands, After::Halves).await;
        drop(written);
        match told {
            Ok(Checked { mut replies, since }) => {
                let seconds = replies.split_off(since.len().min(replies.len()));
                for (telling, ((first, second), since)) in
                    group.into_iter().zip(replies.into_iter().zip(seconds).zip(since))
                {
                    telling.answer(Ok(Checked { replies: vec![first, second], since: vec![since] }));
                }
            }
            Err(down) => group.into_iter().for_each(|telling| telling.answer(Err(down.clone()))),
        }
    }
}

impl Telling {
    /// Who has given up is not told.
    fn answer(self, told: Result<Checked, Down>) {
        drop(self.told.send(told));
    }

    fn written(&self) -> CopyWrite<'_> {
        let Telling { as_of, key, tags, version, bytes, .. } = self;
        CopyWrite { as_of: *as_of, key, tags, version: *version, bytes: *bytes }
    }
}
