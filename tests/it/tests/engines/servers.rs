//! Servers that are set up in ways the stack's own is not: a cluster, TLS, users with few rights.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The administrator's password, and everybody's where a suite sets up no other user.
pub const PASSWORD: &str = "password-of-the-suite";
/// Slots of a cluster.
const SLOTS: u16 = 16_384;
const MASTERS: u16 = 3;
/// Attempts to find ports that nobody else takes.
const PORT_ATTEMPTS: usize = 5;
const TRIES: usize = 400;
const PAUSE: Duration = Duration::from_millis(50);

/// Servers on loopback; they end with it.
pub struct Servers {
    pub nodes: Vec<Node>,
    _folder: tempfile::TempDir,
}

/// One server.
pub struct Node {
    pub port: u16,
    /// Where the settings have a certificate.
    tls_port: Option<u16>,
    process: Child,
}

impl Servers {
    /// One server with these settings besides.
    pub async fn single(settings: &str) -> Servers {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::start(settings, folder.path()).await;
        Servers { nodes: vec![node], _folder: folder }
    }

    /// A cluster of three masters with these settings besides.
    pub async fn cluster(settings: &str) -> Servers {
        let folder = tempfile::tempdir().unwrap();
        let (mut nodes, mut buses) = (Vec::new(), Vec::new());
        for _ in 0..MASTERS {
            let bus = free_port();
            let own = format!("cluster-enabled yes\ncluster-port {bus}\ncluster-config-file {bus}.conf\n");
            nodes.push(Node::start(&format!("{settings}{own}"), folder.path()).await);
            buses.push(bus);
        }
        form(&nodes, buses[0]).await;
        Servers { nodes, _folder: folder }
    }
}

async fn form(nodes: &[Node], first_bus: u16) {
    let first = nodes[0].announced_port().to_string();
    for (index, node) in (0..MASTERS).zip(nodes) {
        let last = if index + 1 == MASTERS { SLOTS } else { SLOTS / MASTERS * (index + 1) } - 1;
        let slots = [SLOTS / MASTERS * index, last].map(|slot| slot.to_string());
        let url = node.admin_url();
        say(&url, &["CLUSTER", "ADDSLOTSRANGE", &slots[0], &slots[1]]).await;
        // Else the nodes find out that their epochs are the same, and change them once the cluster is in use.
        say(&url, &["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]).await;
        if index > 0 {
            say(&url, &["CLUSTER", "MEET", "127.0.0.1", &first, &first_bus.to_string()]).await;
        }
    }
    for node in nodes {
        await_cluster(&node.admin_url()).await;
    }
}

/// Waits until a node knows all others and every slot.
async fn await_cluster(url: &str) {
    for _ in 0..TRIES {
        let info = say(url, &["CLUSTER", "INFO"]).await;
        if info.contains("cluster_state:ok") && info.contains(&format!("cluster_known_nodes:{MASTERS}")) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("the cluster does not form");
}

impl Node {
    /// Starts a server, on other ports when somebody else has taken them between looking for them and listening.
    async fn start(settings: &str, folder: &Path) -> Node {
        for _ in 0..PORT_ATTEMPTS {
            let mut node = Node::spawn(settings, folder);
            if node.is_ready().await {
                return node;
            }
        }
        panic!("redis-server does not start with {settings}");
    }

    fn spawn(settings: &str, folder: &Path) -> Node {
        let port = free_port();
        let tls_port = settings.contains("tls-cert-file").then(free_port);
        let tls = tls_port.map(|port| format!("tls-port {port}\n")).unwrap_or_default();
        let own = format!(
            "port {port}\nbind 127.0.0.1\nrequirepass {PASSWORD}\nsave \"\"\nappendonly no\ndir {}\n",
            folder.display()
        );
        let file = folder.join(format!("{port}.settings"));
        std::fs::write(&file, own + &tls + settings).unwrap();
        let process = Command::new("redis-server").arg(&file).stdout(Stdio::null()).spawn();
        Node { port, tls_port, process: process.expect("redis-server is on PATH") }
    }

    /// Waits until the server answers. False when it has ended, and it is another one that answers there.
    async fn is_ready(&mut self) -> bool {
        let client = redis::Client::open(self.admin_url()).unwrap();
        for _ in 0..TRIES {
            let answers = client.get_multiplexed_async_connection().await.is_ok();
            if !matches!(self.process.try_wait(), Ok(None)) {
                return false;
            }
            if answers {
                return true;
            }
            tokio::time::sleep(PAUSE).await;
        }
        false
    }

    /// The port by which the nodes of a cluster know one another.
    fn announced_port(&self) -> u16 {
        self.tls_port.unwrap_or(self.port)
    }

    /// Where functions find it by TLS.
    pub fn tls_address(&self) -> String {
        format!("127.0.0.1:{}", self.tls_port.expect("the settings have a certificate"))
    }

    /// Where the administrator finds it.
    pub fn admin_url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A server that is gone already is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Says one command to a server and returns the reply as text; empty when it is something else.
pub async fn say(url: &str, words: &[&str]) -> String {
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let reply: redis::Value = redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.unwrap();
    redis::from_redis_value(reply).unwrap_or_default()
}
