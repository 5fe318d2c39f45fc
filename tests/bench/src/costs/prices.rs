//! What AWS bills, in dollars: list prices of us-east-1 without any free tier, as third parties published them in 2025
//! and 2026 but for the gateway's, which are AWS's own (its other pages could not be read where this was written; check).

/// A million requests of a REST API.
pub const GATEWAY: f64 = 3.50;
/// A million requests of Lambda.
pub const LAMBDA_REQUEST: f64 = 0.20;
/// A second of Lambda with a gigabyte, on arm64.
pub const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;
/// A million read request units of DynamoDB on demand: a consistent read of up to 4 KB each.
pub const READ_UNIT: f64 = 0.125;
/// A million write request units: a row of up to 1 KB each, twice as many in a transaction.
pub const WRITE_UNIT: f64 = 0.625;
/// A million ECPU of ElastiCache Serverless for Valkey.
pub const ECPU: f64 = 0.0023;
/// A gigabyte taken into CloudWatch Logs.
pub const LOG_GB: f64 = 0.50;

/// The functions' memory in megabytes, as template.yaml has it.
pub const MEMORY_MB: f64 = 512.0;
/// The memory that comes with one whole processor; less is a share of it.
pub const MEMORY_OF_A_PROCESSOR_MB: f64 = 1769.0;
/// What Lambda itself writes into the log for an invocation in its JSON format: `platform.start` and `platform.report`.
pub const PLATFORM_LOG_BYTES: f64 = 500.0;
/// What a request to each takes within a region, in milliseconds: assumed, not measured.
pub const DYNAMODB_MS: f64 = 5.0;
/// The same of Redis.
pub const REDIS_MS: f64 = 0.5;
