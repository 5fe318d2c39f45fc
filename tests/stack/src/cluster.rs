//! A cluster of engines on loopback, each primary with a replica: its slots can be moved and its primaries replaced.
//!
//! A stack finds it by [`Cluster::url`]. Its clients speak to the nodes as they are announced, past the containers'
//! proxies.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use crate::error::{Doing, Error};
use crate::options::RedisEngine;
use crate::process::signal;
use crate::redis::{RETRY_PAUSE, START_TIMEOUT, binary_of, exchange, free_port};

/// Slots of every cluster.
const SLOTS: u16 = 16_384;
/// How long a primary may be silent before its replica takes its place, in ms.
const NODE_TIMEOUT_MS: u32 = 1000;
/// How long a failover by agreement may take before it is asked for again, and how often it is.
const FAILOVER_TIME: Duration = Duration::from_secs(2);
const FAILOVER_ATTEMPTS: usize = 4;
/// Attempts to find ports that nobody else takes.
const PORT_ATTEMPTS: usize = 5;
/// Keys that are moved at a time.
const BATCH: usize = 100;

/// A cluster; it ends when it is dropped.
pub struct Cluster {
    /// The primaries, and then their replicas in the same order, as it began.
    nodes: Vec<Node>,
    binary: PathBuf,
    folder: tempfile::TempDir,
}

/// One server of a cluster.
struct Node {
    port: u16,
    bus: u16,
    id: String,
    process: Mutex<Child>,
}

/// A line of CLUSTER NODES.
struct Line {
    id: String,
    is_primary: bool,
    has_failed: bool,
    slots: Vec<(u16, u16)>,
}

impl Cluster {
    /// Starts so many primaries, of which each has an equal share of the slots, and a replica of each.
    pub async fn start(engine: &RedisEngine, primaries: usize) -> Result<Self, Error> {
        let binary = binary_of(engine).ok_or(Error::NoRedis)?;
        let folder = tempfile::tempdir().doing("making a folder for a cluster")?;
        let mut nodes = Vec::new();
        for _ in 0..2 * primaries {
            nodes.push(Node::start(&binary, folder.path()).await?);
        }
        let cluster = Self { nodes, binary, folder };
        cluster.form(primaries).await?;
        Ok(cluster)
    }

    async fn form(&self, primaries: usize) -> Result<(), Error> {
        let first = &self.nodes[0];
        let share = SLOTS / u16::try_from(primaries).expect("few primaries");
        for (index, node) in self.nodes.iter().enumerate() {
            // Otherwise the nodes find out that their epochs are the same, and change them once the cluster is in use.
            node.say(&format!("CLUSTER SET-CONFIG-EPOCH {}", index + 1)).await?;
            if index < primaries {
                let from = share * u16::try_from(index).expect("few primaries");
                let to = if index + 1 == primaries { SLOTS } else { from + share } - 1;
                node.say(&format!("CLUSTER ADDSLOTSRANGE {from} {to}")).await?;
            }
            if index > 0 {
                node.say(&format!("CLUSTER MEET 127.0.0.1 {} {}", first.port, first.bus)).await?;
            }
        }
        let all = self.nodes.len();
        self.until("nodes that know each other", async |node| {
            let info = node.ask("CLUSTER INFO").await?;
            Ok(info.contains("cluster_state:ok") && info.contains(&format!("cluster_known_nodes:{all}\r")))
        })
        .await?;
        for (primary, replica) in self.nodes.iter().zip(&self.nodes[primaries..]) {
            replica.say(&format!("CLUSTER REPLICATE {}", primary.id)).await?;
        }
        self.until("replicas that all know of", async |node| {
            let info = node.ask("INFO replication").await?;
            let lines = node.lines().await?;
            let is_ready = info.contains("role:master") || info.contains("master_link_status:up");
            Ok(is_ready && lines.iter().filter(|line| line.is_primary).count() == primaries)
        })
        .await
    }

    /// Where a stack finds it: by the last primary, which is to stay. Whoever loses its connection when that one is
    /// gone finds no other.
    pub fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{}", self.nodes[self.nodes.len() / 2 - 1].port)
    }

    /// The slot of a key.
    pub async fn slot(&self, key: &str) -> Result<u16, Error> {
        let node = self.nodes.iter().find(|node| node.is_running()).ok_or(Error::NoRedis)?;
        let reply = node.ask(&format!("CLUSTER KEYSLOT {key}")).await?;
        reply.trim_start_matches(':').parse().map_err(|_| Error::Redis(format!("CLUSTER KEYSLOT: {reply}")))
    }

    /// What the primary that has the slot says to a command, as it came.
    pub async fn ask(&self, slot: u16, command: &str) -> Result<String, Error> {
        self.nodes[self.owner(slot).await?].ask(command).await
    }

    /// Moves a slot to the next primary: at once, where the engine can, else key by key.
    pub async fn move_slot(&self, slot: u16) -> Result<(), Error> {
        let (from, to) = self.way(slot).await?;
        let moving = format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {}", self.nodes[to].id);
        let reply = self.nodes[from].ask(&moving).await?;
        if reply.contains("unknown subcommand") {
            return self.begin_moving(slot).await?.finish().await;
        }
        if reply != "+OK" {
            return Err(Error::Redis(format!("{moving}: {reply}")));
        }
        self.until_owned(slot, to).await
    }

    /// Begins to move a slot to the next primary key by key: from now on either has some of its keys.
    pub async fn begin_moving(&self, slot: u16) -> Result<Moving<'_>, Error> {
        let (from, to) = self.way(slot).await?;
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        target.say(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", source.id)).await?;
        source.say(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", target.id)).await?;
        Ok(Moving { cluster: self, slot, from, to })
    }

    /// Has the replica of the slot's primary take its place, in agreement with it: nothing is lost, and nobody can
    /// tell.
    pub async fn fail_over(&self, slot: u16) -> Result<(), Error> {
        let from = self.owner(slot).await?;
        let (old, new) = (&self.nodes[from], &self.nodes[self.partner(from)]);
        // Redis forgets what it is asked before the primary has heard that the node is its replica: it is asked again.
        for _ in 0..FAILOVER_ATTEMPTS {
            new.say("CLUSTER FAILOVER").await?;
            let deadline = Instant::now() + FAILOVER_TIME;
            while !new.is_primary().await && Instant::now() < deadline {
                sleep(RETRY_PAUSE).await;
            }
            if new.is_primary().await {
                break;
            }
        }
        self.until_owned(slot, self.partner(from)).await?;
        // It may take the place back only when it has all the data.
        self.until("a replica that follows", async |_| {
            Ok(old.ask("INFO replication").await?.contains("master_link_status:up"))
        })
        .await
    }

    /// Freezes the replica of the slot's primary: what the primary is told from now on is lost by [`lose`](Self::lose).
    pub async fn sever(&self, slot: u16) -> Result<(), Error> {
        let primary = self.owner(slot).await?;
        self.nodes[self.partner(primary)].send(Signal::SIGSTOP);
        // Otherwise it would find in its socket what was sent to it while it was frozen.
        self.nodes[primary].ask("CLIENT KILL TYPE replica").await.map(drop)
    }

    /// Kills the slot's primary, and returns when its replica has taken its place.
    pub async fn lose(&self, slot: u16) -> Result<(), Error> {
        let from = self.owner(slot).await?;
        self.nodes[from].kill();
        let to = self.partner(from);
        self.nodes[to].send(Signal::SIGCONT);
        self.until_owned(slot, to).await
    }

    /// Starts again what was killed, which becomes a replica of the one that took its place.
    pub async fn mend(&self) -> Result<(), Error> {
        for node in self.nodes.iter().filter(|node| !node.is_running()) {
            let process = spawn(&self.binary, self.folder.path(), node.port, node.bus);
            *node.process() = process.doing("starting a node again")?;
        }
        self.until("nodes that are back", async |node| {
            let Ok(info) = node.ask("INFO replication").await else { return Ok(false) };
            let knows = node.lines().await?.iter().filter(|line| line.is_primary).count() == self.nodes.len() / 2;
            Ok(knows && (info.contains("role:master") || info.contains("master_link_status:up")))
        })
        .await
    }

    /// From where to where a slot is moved.
    async fn way(&self, slot: u16) -> Result<(usize, usize), Error> {
        let from = self.owner(slot).await?;
        let primaries = self.nodes.len() / 2;
        let mut to = (from % primaries + 1) % primaries;
        if !self.nodes[to].is_primary().await {
            to = self.partner(to);
        }
        Ok((from, to))
    }

    /// The other node of a pair.
    fn partner(&self, node: usize) -> usize {
        (node + self.nodes.len() / 2) % self.nodes.len()
    }

    /// Which node has a slot.
    async fn owner(&self, slot: u16) -> Result<usize, Error> {
        for (index, node) in self.nodes.iter().enumerate() {
            if node.is_running() && node.owner(slot).await? == node.id {
                return Ok(index);
            }
        }
        Err(Error::Redis(format!("no node has slot {slot}")))
    }

    async fn until_owned(&self, slot: u16, to: usize) -> Result<(), Error> {
        let owner = &self.nodes[to].id;
        self.until("a slot's owner", async |node| Ok(node.owner(slot).await? == *owner)).await
    }

    /// Waits until it holds on every node that runs.
    async fn until(&self, what: &str, holds: impl AsyncFn(&Node) -> Result<bool, Error>) -> Result<(), Error> {
        let deadline = Instant::now() + START_TIMEOUT;
        for node in &self.nodes {
            while node.is_running() && !holds(node).await? {
                if Instant::now() > deadline {
                    return Err(Error::Redis(format!("the cluster takes too long: {what}")));
                }
                sleep(RETRY_PAUSE).await;
            }
        }
        Ok(())
    }
}

/// A slot whose keys are on their way.
pub struct Moving<'a> {
    cluster: &'a Cluster,
    slot: u16,
    from: usize,
    to: usize,
}

impl Moving<'_> {
    /// Moves every key with this in its name. Names must have no line feeds, and neither quotes nor backslashes.
    pub async fn keys(&self, with: &str) -> Result<(), Error> {
        let (source, target) = (&self.cluster.nodes[self.from], &self.cluster.nodes[self.to]);
        let all = source.ask(&format!("CLUSTER GETKEYSINSLOT {} {}", self.slot, SLOTS)).await?;
        let keys = all.lines().filter(|line| !line.starts_with(['*', '$']) && line.contains(with));
        for batch in keys.map(|key| format!("\"{key}\"")).collect::<Vec<_>>().chunks(BATCH) {
            let moving = format!("MIGRATE 127.0.0.1 {} \"\" 0 5000 KEYS {}", target.port, batch.join(" "));
            source.say(&moving).await?;
        }
        Ok(())
    }

    /// Moves what is left, and then the slot.
    pub async fn finish(self) -> Result<(), Error> {
        let Self { cluster, slot, from, to } = self;
        let ending = format!("CLUSTER SETSLOT {slot} NODE {}", cluster.nodes[to].id);
        self.keys("").await?;
        cluster.nodes[to].say(&ending).await?;
        cluster.nodes[from].say(&ending).await?;
        cluster.until_owned(slot, to).await
    }
}

impl Node {
    async fn start(binary: &Path, folder: &Path) -> Result<Self, Error> {
        for _ in 0..PORT_ATTEMPTS {
            let (port, bus) = (free_port().await, free_port().await);
            let (port, bus) = (port.doing("finding a port")?, bus.doing("finding a port")?);
            let process = spawn(binary, folder, port, bus).doing(format!("starting {}", binary.display()))?;
            let mut node = Self { port, bus, id: String::new(), process: Mutex::new(process) };
            let deadline = Instant::now() + START_TIMEOUT;
            while node.is_running() && Instant::now() < deadline {
                if let Some((_, id)) =
                    node.ask("CLUSTER MYID").await.ok().as_deref().and_then(|id| id.split_once("\r\n"))
                {
                    node.id = id.to_owned();
                    return Ok(node);
                }
                sleep(RETRY_PAUSE).await;
            }
        }
        Err(Error::Redis(format!("{} does not start as a node of a cluster", binary.display())))
    }

    async fn ask(&self, command: &str) -> Result<String, Error> {
        exchange(self.port, command).await.doing(command)
    }

    async fn say(&self, command: &str) -> Result<(), Error> {
        let reply = self.ask(command).await?;
        if reply == "+OK" { Ok(()) } else { Err(Error::Redis(format!("{command}: {reply}"))) }
    }

    /// The nodes as this one sees them.
    async fn lines(&self) -> Result<Vec<Line>, Error> {
        let nodes = self.ask("CLUSTER NODES").await?;
        Ok(nodes.lines().filter_map(Line::parse).collect())
    }

    /// The id of the primary that has the slot, as this node sees it.
    async fn owner(&self, slot: u16) -> Result<String, Error> {
        let has = |line: &Line| line.slots.iter().any(|(from, to)| (*from..=*to).contains(&slot));
        let owner = self.lines().await?.into_iter().find(|line| line.is_primary && !line.has_failed && has(line));
        Ok(owner.map(|line| line.id).unwrap_or_default())
    }

    async fn is_primary(&self) -> bool {
        self.is_running() && self.ask("INFO replication").await.is_ok_and(|info| info.contains("role:master"))
    }

    fn is_running(&self) -> bool {
        matches!(self.process().try_wait(), Ok(None))
    }

    fn send(&self, what: Signal) {
        signal(self.process().id(), what);
    }

    fn kill(&self) {
        let mut process = self.process();
        // A server that is gone already is what is wanted.
        let _ = process.kill();
        let _ = process.wait();
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Child> {
        self.process.lock().expect("nothing panics while it holds the process")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (id, flags) = (words.next()?, words.nth(1)?);
        let slots = words.skip(5).filter_map(|range| {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            Some((from.parse().ok()?, to.parse().ok()?))
        });
        Some(Self {
            id: id.to_owned(),
            is_primary: flags.split(',').any(|flag| flag == "master"),
            has_failed: flags.split(',').any(|flag| flag == "fail"),
            slots: slots.collect(),
        })
    }
}

fn spawn(binary: &Path, folder: &Path, port: u16, bus: u16) -> std::io::Result<Child> {
    let file: PathBuf = folder.join(format!("{port}.nodes"));
    Command::new(binary)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()])
        .args(["--cluster-node-timeout", &NODE_TIMEOUT_MS.to_string(), "--repl-diskless-sync-delay", "0"])
        .args(["--cluster-config-file".as_ref(), file.as_os_str(), "--dir".as_ref(), folder.as_os_str()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C is for the stack, which then ends its children itself.
        .process_group(0)
        .spawn()
}
