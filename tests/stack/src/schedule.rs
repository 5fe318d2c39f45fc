//! EventBridge schedules: at the rate that template.yaml says, and when somebody asks for it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::container::InvokeError;
use crate::dynamo::REGION;
use crate::pool::Pool;
use crate::request::request_id;
use crate::{ACCOUNT, calendar};

/// `POST` here fires every schedule once and answers with what the functions answered.
pub(crate) const PATH: &str = "/_strata/schedule";

/// The functions that have a schedule.
#[derive(Clone, Default)]
pub(crate) struct Schedules(pub(crate) Arc<Vec<Scheduled>>);

/// A function and its schedule.
pub(crate) struct Scheduled {
    pub(crate) function: String,
    pub(crate) every: Duration,
    pub(crate) pool: Arc<Pool>,
}

impl Schedules {
    /// Starts firing at the template's rates.
    pub(crate) fn start(&self) {
        for index in 0..self.0.len() {
            let schedules = self.clone();
            tokio::spawn(async move {
                let scheduled = &schedules.0[index];
                loop {
                    sleep(scheduled.every).await;
                    // A function that fails tells its log; the next turn comes anyway.
                    let _ = scheduled.fire().await;
                }
            });
        }
    }

    /// Fires every schedule once; the functions' answers in order.
    pub(crate) async fn fire(&self) -> Result<Vec<Value>, InvokeError> {
        let mut answers = Vec::new();
        for scheduled in self.0.iter() {
            answers.push(scheduled.fire().await?);
        }
        Ok(answers)
    }

    /// Answers a request with a status and a JSON body.
    pub(crate) async fn answer(&self, method: &Method) -> (StatusCode, Value) {
        if *method != Method::POST {
            return (StatusCode::METHOD_NOT_ALLOWED, json!({ "message": "POST" }));
        }
        match self.fire().await {
            Ok(answers) => (StatusCode::OK, Value::from(answers)),
            Err(error) => (StatusCode::BAD_GATEWAY, json!({ "message": error.to_string() })),
        }
    }
}

impl Scheduled {
    async fn fire(&self) -> Result<Value, InvokeError> {
        let event = json!({
            "version": "0", "id": request_id(), "detail-type": "Scheduled Event", "source": "aws.events",
            "account": ACCOUNT, "time": calendar::iso(calendar::now_ms()), "region": REGION,
            "resources": [format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{}", self.function)], "detail": {},
        });
        let (_, answer) = self.pool.invoke(Bytes::from(event.to_string()), None).await;
        serde_json::from_slice(&answer?).map_err(|why| InvokeError::Malformed(why.to_string()))
    }
}

/// Reads a rate such as `rate(5 minutes)`.
pub(crate) fn rate(expression: &str) -> Option<Duration> {
    let (count, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let seconds = match unit.trim_end_matches('s') {
        "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(count.parse::<u64>().ok()? * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        assert_eq!(rate("rate(5 minutes)"), Some(Duration::from_secs(300)));
        assert_eq!(rate("rate(1 hour)"), Some(Duration::from_secs(3600)));
        assert_eq!(rate("cron(0 12 * * ? *)"), None);
    }
}
