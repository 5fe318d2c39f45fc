//! The engines in memory answer what real ones answer: the same random sequences go to both.

mod dynamo;
mod redis;
