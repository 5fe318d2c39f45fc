//! The same scenarios on every engine that L2 may be: what a script may touch, how a connection signs in and where its
//! keys lie differ, what users see does not.

pub mod authority;
mod reconnect;
mod scenarios;
pub mod servers;
mod topology;

use self::authority::Authority;
use self::servers::{Node, PASSWORD, Servers};
use serde_json::json;
use strata_it::stack::{Options, RedisEngine};
use strata_it::{Api, configured, patient};

/// A running stack, and its engine's nodes as their administrator sees them.
struct Rig {
    api: Api,
    nodes: Vec<String>,
    _servers: Option<Servers>,
}

impl Rig {
    /// A stack on `servers`, which its functions find at `url`.
    async fn on(servers: Servers, url: String, options: Options) -> Rig {
        let nodes = servers.nodes.iter().map(Node::admin_url).collect();
        Rig { api: Api::with(options.redis(RedisEngine::Url(url))).await, nodes, _servers: Some(servers) }
    }

    /// Says one command to every node.
    async fn every_node(&self, words: &[&str]) {
        for url in &self.nodes {
            servers::say(url, words).await;
        }
    }
}

#[tokio::test]
async fn valkey() {
    let api = Api::with(patient().redis(RedisEngine::Valkey)).await;
    let nodes = vec![api.stack.redis().url().to_owned()];
    let rig = Rig { api, nodes, _servers: None };
    scenarios::all(&rig).await;
}

#[tokio::test]
async fn valkey_as_the_only_shared_level() {
    let l3_off = configured(json!({"l3_config": {"enabled": false}}));
    let api = Api::with(l3_off.redis(RedisEngine::Valkey)).await;
    let nodes = vec![api.stack.redis().url().to_owned()];
    scenarios::without_l3(&Rig { api, nodes, _servers: None }).await;
}

#[tokio::test]
async fn redis_cluster() {
    let servers = Servers::cluster("").await;
    let url = format!("redis+cluster://:{PASSWORD}@127.0.0.1:{}", servers.nodes[0].port);
    scenarios::all(&Rig::on(servers, url, patient()).await).await;
}

#[tokio::test]
async fn redis_cluster_as_the_only_shared_level() {
    let servers = Servers::cluster("").await;
    let url = format!("redis+cluster://:{PASSWORD}@127.0.0.1:{}", servers.nodes[0].port);
    let l3_off = configured(json!({"l3_config": {"enabled": false}}));
    scenarios::without_l3(&Rig::on(servers, url, l3_off).await).await;
}

#[tokio::test]
async fn redis_with_tls_and_a_password() {
    let authority = Authority::new();
    let servers = Servers::single(&authority.settings()).await;
    let url = format!("rediss://:{PASSWORD}@{}/1", servers.nodes[0].tls_address());
    let options = patient().env("REDIS_CA_FILE", authority.certificate());
    scenarios::all(&Rig::on(servers, url, options).await).await;
}

/// Cluster, TLS, IAM, and no more rights than template.yaml gives to the functions' user.
#[tokio::test]
async fn as_elasticache_serverless() {
    let authority = Authority::new();
    // ElastiCache would check the token; `reconnect` says which tokens are sent.
    let user = format!("user functions nopass {}\n", crate::template::access_string());
    let servers = Servers::cluster(&(authority.settings() + &user)).await;
    let url = format!("rediss+cluster://{}", servers.nodes[0].tls_address());
    let options = patient()
        .env("REDIS_CA_FILE", authority.certificate())
        .env("REDIS_AUTH", "iam-serverless")
        .env("REDIS_USER", "functions")
        .env("REDIS_CACHE_NAME", "strata");
    scenarios::all(&Rig::on(servers, url, options).await).await;
}

/// Commands are checked by name, whatever keys they would show, and scripts belong to everybody who uses the server.
#[tokio::test]
async fn the_template_s_user_may_not_look_at_what_others_have() {
    let user = format!("user functions nopass {}\n", crate::template::access_string());
    let servers = Servers::single(&user).await;
    let client = redis::Client::open(servers.nodes[0].admin_url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for (command, allowed) in [
        ("SCAN 0", false),
        ("RANDOMKEY", false),
        ("KEYS *", false),
        ("DBSIZE", true),
        ("SCRIPT FLUSH", false),
        ("SCRIPT KILL", false),
        ("SCRIPT LOAD x", true),
        ("FUNCTION LIST", false),
        ("FUNCTION LOAD x", false),
        ("FCALL f 0", false),
        ("CONFIG GET *", false),
        ("FLUSHALL", false),
        ("TIME", true),
        ("INFO", true),
        ("GET strata:cache:k", true),
        ("GET other:k", false),
        ("EVALSHA x 1 strata:cache:k", true),
        ("EVALSHA x 1 other:k", false),
    ] {
        let mut dry_run = redis::cmd("ACL");
        dry_run.arg("DRYRUN").arg("functions").arg(command.split(' ').collect::<Vec<_>>());
        let said: String = dry_run.query_async(&mut connection).await.unwrap();
        assert_eq!(said == "OK", allowed, "{command}: {said}");
    }
}
