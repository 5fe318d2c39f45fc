//! The local stack: the real function binaries, run the way Lambda runs them.
//!
//! `make run` starts it, and every suite runs against it, so that nothing is tested against a mock that can
//! be tested against the real part.
//!
//! # Map
//! ```text
//! gateway ── request, route, event, response, gateway_response     API Gateway's REST API, from template.yaml
//!    │ ├──── coding, mock ── velocity                               packed bodies, and what it answers without a function
//!    │ └──── authorizer, policy                                     its TOKEN authorizer, with the result cache
//!    ▼
//!  pool ──── container, supervisor, runtime_api, environment        Lambda: one event at a time, frozen in between
//!    ├◄───── mapping ── stream, filter;  schedule                   what a table's stream and EventBridge invoke
//!    ├◄───── invoke                                                Lambda's Invoke API, for tools
//!    ├────── redis_path ──► redis, replica                          a TCP proxy per container, and the server
//!    └────── l3 ──► dynamo                                          an HTTP proxy, and the engine
//! ```
//! `template` (by `yaml` and `intrinsic`) reads the deployment's own template; `gate` is the port that both proxies close; `watchdog`
//! ends the children whatever happens to the stack; `launch` starts it all. `secrets_manager` and `cluster` stand
//! beside it, for suites that want the authorizer's secret, or L2, kept there.
//!
//! # What is like AWS
//! Paths and path parameters stay as they were sent; query values arrive decoded; answers of the gateway itself come
//! from the template's GatewayResponses; the authorizer's verdicts are cached per token. A container has exactly the
//! environment that the template declares, handles one event at a time, is frozen (SIGSTOP) from its poll for work to
//! the next event, is killed when its time is up, and is replaced when it dies. Limits: 10 MB and 29 s in the gateway,
//! 6 MB each way in Lambda. A table's stream is read by the API of DynamoDB Streams, filtered, and delivered by
//! Lambda's rules: in order for each key, at least once, cut in two and repeated on failure, then given up to a log.
//!
//! # What is not
//! SIGSTOP does not stop the monotonic clock. The container that has been free longest gets the next event, not the one
//! used last. There are no throttles and no scaling. Records of a stream do not become too old. A greedy path parameter
//! keeps a trailing slash.

mod authorizer;
mod calendar;
mod clock;
mod cluster;
mod coding;
mod consumed;
mod container;
mod dynamo;
mod environment;
mod error;
mod event;
mod faults;
mod filter;
mod gate;
mod gateway;
mod gateway_response;
mod info;
mod intrinsic;
mod invoke;
mod invoke_error;
mod l3;
mod launch;
mod logs;
mod mapping;
mod mock;
mod options;
mod policy;
mod pool;
mod process;
mod redis;
mod redis_path;
mod redis_url;
mod replica;
mod request;
mod response;
mod route;
mod runtime_api;
mod schedule;
mod secrets_manager;
mod stack;
mod stream;
mod supervisor;
mod template;
mod token;
mod velocity;
mod watchdog;
mod yaml;

pub use cluster::{Cluster, Moving};
pub use consumed::{Consumed, asking};
pub use error::Error;
pub use info::{ContainerInfo, Info, Outside};
pub use invoke_error::{InvokeError, REQUEST_LIMIT, RESPONSE_LIMIT};
pub use l3::{L3, L3Fault};
pub use options::{L3Store, Options, RedisEngine, repository};
pub use redis::{Redis, Refusal};
pub use redis_path::{PathFault, RedisPaths};
pub use replica::Replica;
pub use secrets_manager::{SecretsFault, SecretsManager};
pub use stack::Stack;
pub use token::{ALL_SCOPES, Claims, Issuer};

/// Every container, where a container can be named.
pub const ALL: &str = "all";
/// The way to Redis of functions that somebody else runs, where a container can be named.
pub const OUTSIDE: &str = "outside";

/// The account in ARNs and events: the one that AWS uses in its examples.
const ACCOUNT: &str = "123456789012";
/// The API's id in ARNs and events.
const API_ID: &str = "strata";
