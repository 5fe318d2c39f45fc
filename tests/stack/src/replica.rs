//! A replica that takes the place of a server, as a managed Redis does when its primary fails.
//!
//! Replication is asynchronous: the replica may lack what the primary was told last, and nobody is told that it does.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Doing, Error};
use crate::redis::{RETRY_PAUSE, Redis, START_TIMEOUT, Server};

/// A port on which no primary answers.
const NOBODY: u16 = 1;

/// A replica of a stack's own server; ended when dropped.
pub struct Replica {
    server: Server,
    primary: Arc<Server>,
}

impl Redis {
    /// Starts a replica of the server, and returns when it has all the data.
    pub async fn replicate(&self) -> Result<Replica, Error> {
        Replica::start(self.own()?.clone()).await
    }
}

impl Replica {
    async fn start(primary: Arc<Server>) -> Result<Self, Error> {
        let server = primary.another().await.doing("finding a port for a replica")?;
        server.try_to_start().await?;
        // Not to wait for other replicas that could share the transfer.
        primary.say("CONFIG SET repl-diskless-sync-delay 0").await?;
        server.say(&format!("REPLICAOF 127.0.0.1 {}", primary.port)).await?;
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            let info = server.command("INFO replication").await.doing("asking a replica")?;
            if info.lines().any(|line| line == "master_link_status:up") {
                return Ok(Self { server, primary });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(Error::Redis("the replica did not get the data".to_owned()))
    }

    /// Stops the replication: what the primary is told from now on is lost with it.
    pub async fn sever(&self) -> Result<(), Error> {
        self.server.say(&format!("REPLICAOF 127.0.0.1 {NOBODY}")).await
    }

    /// Kills the primary and puts the replica at its address, where it refuses to write for a while and is promoted then.
    pub async fn take_over(self, promoted_after: Duration) -> Result<(), Error> {
        let Self { server, primary } = self;
        primary.kill();
        let taking = format!("CONFIG SET port {}", primary.port);
        let deadline = Instant::now() + START_TIMEOUT;
        // Somebody's connection may have been given the port for a moment.
        while let Err(error) = server.say(&taking).await {
            if Instant::now() >= deadline {
                return Err(error);
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        let process = server.process().take();
        *primary.process() = process;
        tokio::time::sleep(promoted_after).await;
        primary.say("REPLICAOF NO ONE").await
    }
}
