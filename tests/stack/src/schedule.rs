//! EventBridge schedules: when template.yaml says, and when somebody asks for it.
//!
//! EventBridge invokes a function asynchronously, and Lambda tries an event that failed again, under the same request
//! id.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::dynamo::REGION;
use crate::invoke_error::{InvokeError, parsed};
use crate::pool::Pool;
use crate::request::request_id;
use crate::{ACCOUNT, calendar};

/// `POST` here fires every schedule once and answers with what the functions answered.
pub(crate) const PATH: &str = "/_strata/schedule";
/// How often Lambda tries an event again.
const RETRIES: u32 = 2;
/// The pause before an event is tried again, doubled the second time. Lambda's is a minute.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A schedule, as the template has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) timing: Timing,
    /// The JSON text that is sent instead of EventBridge's own event.
    pub(crate) input: Option<String>,
}

/// When a schedule fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    /// At this rate.
    Every(Duration),
    /// By a cron expression, which the stack does not follow: when somebody asks for it.
    Cron,
}

/// The functions that have a schedule.
#[derive(Clone, Default)]
pub(crate) struct Schedules(pub(crate) Arc<Vec<Scheduled>>);

/// A function and its schedule.
pub(crate) struct Scheduled {
    pub(crate) function: String,
    pub(crate) schedule: Schedule,
    pub(crate) pool: Arc<Pool>,
}

impl Schedules {
    /// Starts firing at the template's rates.
    pub(crate) fn start(&self) {
        for (index, scheduled) in self.0.iter().enumerate() {
            let Timing::Every(period) = scheduled.schedule.timing else { continue };
            let schedules = self.clone();
            tokio::spawn(async move {
                loop {
                    sleep(period).await;
                    // A function that fails says so in its log; the next turn comes anyway.
                    let _ = schedules.0[index].fire().await;
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
        let (id, event) = (request_id(), self.event());
        for retry in 0..RETRIES {
            let (_, answer) = self.pool.invoke_as(id.clone(), event.clone(), None).await;
            if answer.is_ok() {
                return parsed(answer);
            }
            sleep(RETRY_PAUSE * 2u32.pow(retry)).await;
        }
        parsed(self.pool.invoke_as(id, event, None).await.1)
    }

    fn event(&self) -> Bytes {
        if let Some(input) = &self.schedule.input {
            return Bytes::from(input.clone());
        }
        let event = json!({
            "version": "0", "id": request_id(), "detail-type": "Scheduled Event", "source": "aws.events",
            "account": ACCOUNT, "time": calendar::iso(calendar::now_ms()), "region": REGION,
            "resources": [format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{}", self.function)], "detail": {},
        });
        Bytes::from(event.to_string())
    }
}

impl Timing {
    /// Reads `rate(5 minutes)` and the like, or a cron expression.
    pub(crate) fn parse(expression: &str) -> Option<Timing> {
        if expression.starts_with("cron(") {
            return Some(Timing::Cron);
        }
        let (count, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
        let seconds = match unit.trim_end_matches('s') {
            "minute" => 60,
            "hour" => 3600,
            "day" => 86_400,
            _ => return None,
        };
        Some(Timing::Every(Duration::from_secs(count.parse::<u64>().ok()? * seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read() {
        let every = |seconds| Some(Timing::Every(Duration::from_secs(seconds)));
        assert_eq!(Timing::parse("rate(5 minutes)"), every(300));
        assert_eq!(Timing::parse("rate(1 hour)"), every(3600));
        assert_eq!(Timing::parse("cron(0 12 * * ? *)"), Some(Timing::Cron));
        assert_eq!(Timing::parse("rate(1 fortnight)"), None);
    }
}
