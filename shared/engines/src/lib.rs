//! What the cache asks of Redis and of DynamoDB, in memory and without a network.
//!
//! Two uses: a program's own tests can have the whole cache without a server, and the simulator can have the real cache in a
//! world that it decides about. So neither engine knows of time, chance or threads of its own: what it is asked comes with
//! the time, and what it draws by lot comes from a seed.
//!
//! Both answer what the real ones do. `tests/it` sends each of them and a real one the same commands.

pub mod dynamo;
pub mod redis;
