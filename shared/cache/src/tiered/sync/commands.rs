//! Commands to Redis without a sync, and for how long they may take effect.

use crate::tiered::view::View;
use crate::{
    clock::elapsed_ms,
    coherence::{AsOf, OPERATION_LIFE},
    redis::{Batch, Command, Down, Operation, Order, Reply},
};
use std::time::Duration;

/// How much later than its timeout a command of a broken connection may still arrive, and do something, in ms.
const ARRIVAL_MS: i64 = 1000;

impl View<'_> {
    /// How old a script may find an operation that began with the sync of `as_of`: a little older than it is now. What
    /// a broken connection delivers later does nothing.
    pub(crate) fn operation(&self, as_of: AsOf) -> Operation {
        let age_ms = elapsed_ms(as_of.sent_ms, self.clock.steady_ms());
        let life_ms = age_ms.saturating_add(self.link_grace_ms().unsigned_abs());
        let life = Duration::from_millis(life_ms).min(OPERATION_LIFE);
        Operation { started_us: as_of.started_us, life_us: life.as_micros().try_into().unwrap_or(u64::MAX) }
    }

    /// How long after it was made a command may still arrive, in ms.
    pub(crate) fn link_grace_ms(&self) -> i64 {
        i64::try_from(self.setup.config.l2_config.timeout_ms).unwrap_or(i64::MAX).saturating_add(ARRIVAL_MS)
    }

    /// Sends one command.
    pub(crate) async fn ask(&self, command: Command) -> Result<Reply, Down> {
        let replies = self.link.run(&Batch::from_iter([command]), Order::Any).await?;
        replies.into_iter().next().ok_or(Down::Odd("no reply"))
    }

    /// Sends commands, in any order, which carry or bring so many bytes of values.
    pub(crate) async fn ask_all(&self, commands: Vec<Command>, bytes: usize) -> Result<Vec<Reply>, Down> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        self.link.run(&Batch::from_iter(commands).carrying(bytes), Order::Any).await
    }
}
