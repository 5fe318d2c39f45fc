//! Redis Cluster, three masters: the same code, with scripts that each touch one slot, and no KEYS or SCAN anywhere.

use crate::support::{get, put, wait_out_the_window};
use serde_json::json;
use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};
use strata_it::{Api, entry, patient, stack::RedisEngine};

/// Slots of a cluster.
const SLOTS: u16 = 16_384;

/// Three masters on loopback; they end with it.
struct Cluster {
    nodes: Vec<(u16, Child)>,
    _folder: tempfile::TempDir,
}

impl Cluster {
    async fn start() -> Cluster {
        let folder = tempfile::tempdir().unwrap();
        let ports: Vec<(u16, u16)> = (0..3).map(|_| (free_port(), free_port())).collect();
        let nodes = ports.iter().map(|&(port, bus)| (port, node(port, bus, folder.path()))).collect();
        let cluster = Cluster { nodes, _folder: folder };
        cluster.form(&ports).await;
        cluster
    }

    /// What all nodes use, in MiB.
    async fn used_mb(&self) -> f64 {
        let mut sum = 0.0;
        for &(port, _) in &self.nodes {
            let info = say(port, &["INFO".to_owned(), "memory".to_owned()]).await;
            let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
            sum += used.trim().parse::<f64>().unwrap() / f64::from(1 << 20);
        }
        sum
    }

    fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{}", self.nodes[0].0)
    }

    async fn form(&self, ports: &[(u16, u16)]) {
        for (index, &(port, _)) in ports.iter().enumerate() {
            let (from, to) =
                (SLOTS / 3 * index as u16, if index == 2 { SLOTS } else { SLOTS / 3 * (index as u16 + 1) });
            let slots = ["CLUSTER".to_owned(), "ADDSLOTSRANGE".to_owned(), from.to_string(), (to - 1).to_string()];
            say(port, &slots).await;
            // Else the nodes find out that their epochs are the same, and change them once the cluster is in use.
            let epoch = ["CLUSTER".to_owned(), "SET-CONFIG-EPOCH".to_owned(), (index + 1).to_string()];
            say(port, &epoch).await;
            let (first, bus) = ports[0];
            if port != first {
                let meet = ["CLUSTER", "MEET", "127.0.0.1", &first.to_string(), &bus.to_string()].map(str::to_owned);
                say(port, &meet).await;
            }
        }
        for _ in 0..200 {
            let mut ready = true;
            for &(port, _) in ports {
                let info = say(port, &["CLUSTER".to_owned(), "INFO".to_owned()]).await;
                ready &= info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3");
            }
            if ready {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the cluster does not form");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for (_, node) in &mut self.nodes {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn node(port: u16, bus: u16, folder: &std::path::Path) -> Child {
    let settings = format!(
        "port {port}\ncluster-port {bus}\nbind 127.0.0.1\ncluster-enabled yes\ncluster-config-file {port}.conf\n\
         save \"\"\nappendonly no\ndir {}\n",
        folder.display()
    );
    let file = folder.join(format!("{port}.settings"));
    std::fs::write(&file, settings).unwrap();
    let start = |server: &str| Command::new(server).arg(&file).stdout(Stdio::null()).spawn();
    start("redis-server").or_else(|_| start("valkey-server")).expect("a server is installed")
}

async fn say(port: u16, words: &[String]) -> String {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    for _ in 0..100 {
        if let Ok(mut connection) = client.get_multiplexed_async_connection().await {
            return redis::cmd(&words[0]).arg(&words[1..]).query_async(&mut connection).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no server on port {port}");
}

#[tokio::test]
async fn entries_spread_over_the_masters_and_stay_coherent() {
    let cluster = Cluster::start().await;
    let api = Api::with(patient().redis(RedisEngine::Url(cluster.url()))).await;
    for i in 0..40 {
        let body = format!(r#"{{"value":{i},"tags":["t"]}}"#);
        let told = api.put(&entry(&format!("k:{i}")), body).pin("entries-1").send().await.expect(201);
        assert_eq!(told.json()["metadata"]["levels_stored"].as_array().unwrap().len(), 3);
    }
    for i in 0..40 {
        let found = get(&api, "entries-2", &format!("k:{i}")).await.expect(200);
        assert_eq!((found.value(), found.level().as_str()), (i.to_string().as_str(), "L2_REDIS"));
    }
    put(&api, "entries-1", "k:0", "\"new\"").await.expect(200);
    wait_out_the_window().await;
    assert_eq!(get(&api, "entries-2", "k:0").await.value(), "\"new\"");
    for (body, count) in [(r#"{"pattern":"k:1*"}"#, 11), (r#"{"tags":["t"]}"#, 28)] {
        let done = api.request("POST", "/invalidate").body(body).send().await.expect(200);
        assert_eq!(done.json()["invalidated_count"], count, "{body}");
    }
    wait_out_the_window().await;
    for i in 1..40 {
        get(&api, "entries-2", &format!("k:{i}")).await.expect(404);
    }
    assert_eq!(get(&api, "entries-2", "k:0").await.value(), "\"new\"");
    api.delete(&entry("k:0")).pin("entries-2").send().await.expect(200);
    wait_out_the_window().await;
    get(&api, "entries-1", "k:0").await.expect(404);
}

#[tokio::test]
async fn statistics_span_the_masters() {
    let cluster = Cluster::start().await;
    let api = Api::with(patient().redis(RedisEngine::Url(cluster.url()))).await;
    for i in 0..40 {
        put(&api, "entries-1", &format!("k:{i}"), "1").await.expect(201);
    }
    get(&api, "entries-1", "k:0").await.expect(200);
    wait_out_the_window().await;
    get(&api, "entries-1", "k:0").await.expect(200);
    let found = api.get("/status").send().await.expect(200).json();
    assert_eq!(found["status"], "healthy", "{found}");
    let [l1, l2, l3] = [0, 1, 2].map(|level| &found["levels"][level]);
    assert_eq!((&l1["entries"], &l1["hits"]), (&json!(40), &json!(1)), "{found}");
    assert_eq!((&l2["entries"], &l3["entries"]), (&json!(40), &json!(40)), "{found}");
    let (told, used) = (l2["memory_usage_mb"].as_f64().unwrap(), cluster.used_mb().await);
    assert!((told / used - 1.0).abs() < 0.5, "{told} MiB of {used}");
}
