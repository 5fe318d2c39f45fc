//! What a Redis server has done, by its own count.

use redis::{RedisResult, aio::MultiplexedConnection};

/// Commands that only clients send here: no script calls them.
const SENT: [&str; 5] = ["evalsha", "zrangebylex", "scan", "unlink", "get"];

/// Work done since the server started, or between two looks at it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Work {
    /// Commands that clients sent, of those that are measured here.
    pub sent: u64,
    /// Commands executed, also those that scripts call.
    pub executed: u64,
    /// Reads from connections: one for every batch of commands of a few KB, which is one round trip.
    pub reads: u64,
    /// Processor time, in milliseconds.
    pub cpu_ms: f64,
}

impl Work {
    /// Asks the server.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn so_far(connection: &mut MultiplexedConnection) -> RedisResult<Work> {
        let info: String = redis::cmd("INFO").arg(&["stats", "commandstats", "cpu"]).query_async(connection).await?;
        Ok(Work::parse(&info))
    }

    /// What has been done between two looks, the first of them left out.
    pub fn since(self, before: Work) -> Work {
        Work {
            sent: self.sent - before.sent,
            executed: self.executed - before.executed - 1,
            reads: self.reads - before.reads - 1,
            cpu_ms: self.cpu_ms - before.cpu_ms,
        }
    }

    fn parse(info: &str) -> Work {
        let mut work = Work::default();
        for (name, value) in info.lines().filter_map(|line| line.trim().split_once(':')) {
            if let Some(command) = name.strip_prefix("cmdstat_") {
                let calls = value.strip_prefix("calls=").and_then(|calls| calls.split(',').next()?.parse().ok());
                let calls = calls.unwrap_or(0);
                work.executed += calls;
                work.sent += if SENT.contains(&command) { calls } else { 0 };
            }
            match name {
                "total_reads_processed" => work.reads = value.parse().unwrap_or(0),
                "used_cpu_user" | "used_cpu_sys" => work.cpu_ms += value.parse().unwrap_or(0.0) * 1e3,
                _ => {}
            }
        }
        work
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_was_sent_from_what_scripts_call() {
        let info = "# Stats\r\ntotal_reads_processed:7\r\n# CPU\r\nused_cpu_sys:0.001\r\nused_cpu_user:0.002\r\n\
            used_cpu_user_children:5\r\n# Commandstats\r\ncmdstat_evalsha:calls=3,usec=5\r\n\
            cmdstat_config|get:calls=2,usec=1\r\n";
        let work = Work::parse(info);
        assert_eq!(work, Work { sent: 3, executed: 5, reads: 7, cpu_ms: 3.0 });
        let before = Work { sent: 1, executed: 1, reads: 1, cpu_ms: 1.0 };
        assert_eq!(work.since(before), Work { sent: 2, executed: 3, reads: 5, cpu_ms: 2.0 });
    }
}
