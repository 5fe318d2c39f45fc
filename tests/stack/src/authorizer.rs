//! The gateway's side of a TOKEN authorizer: calls its function, keeps its verdict, evaluates its policy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::HeaderMap;
use regex::Regex;
use serde_json::{Map, Value, json};

use crate::gateway_response::Refusal;
use crate::invoke_error::InvokeError;
use crate::policy::{Decision, Policy};
use crate::pool::Pool;
use crate::template::TokenAuthorizer;

/// Verdicts that have run out are thrown away when there are more than this.
const CACHE_LIMIT: usize = 1000;

pub(crate) struct Authorizer {
    pool: Arc<Pool>,
    header: String,
    ttl: Duration,
    validation: Option<Regex>,
    verdicts: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    until: Instant,
    verdict: Arc<Verdict>,
}

/// What the function said about a token.
#[derive(Debug)]
pub(crate) struct Verdict {
    policy: Policy,
    /// Goes to the functions as `requestContext.authorizer`.
    context: Map<String, Value>,
}

impl Authorizer {
    pub(crate) fn new(settings: &TokenAuthorizer, pool: Arc<Pool>) -> Self {
        let TokenAuthorizer { header, ttl, validation, .. } = settings.clone();
        let expression = |text: String| Regex::new(&text).expect("the template was read with it");
        Self { pool, header, ttl, validation: validation.map(expression), verdicts: Mutex::default() }
    }

    /// Asks whether the bearer of the request's token may call the method; if so, returns the context for its function.
    pub(crate) async fn authorize(&self, headers: &HeaderMap, method_arn: &str) -> Result<Map<String, Value>, Refusal> {
        // Like the event's single-valued headers, the last of several counts.
        let token = headers.get_all(&self.header).iter().next_back().map(|value| lossy(value.as_bytes()));
        let looks_like_one = |token: &String| self.validation.as_ref().is_none_or(|looks| looks.is_match(token));
        let token = token.filter(|token| !token.is_empty() && looks_like_one(token)).ok_or(Refusal::Unauthorized)?;
        let verdict = match self.kept(&token) {
            Some(verdict) => verdict,
            None => self.ask(token, method_arn).await?,
        };
        match verdict.policy.decide(method_arn) {
            Decision::Allow => Ok(verdict.context.clone()),
            Decision::ExplicitDeny => Err(Refusal::AccessDenied { explicit: true }),
            Decision::ImplicitDeny => Err(Refusal::AccessDenied { explicit: false }),
        }
    }

    fn kept(&self, token: &str) -> Option<Arc<Verdict>> {
        let verdicts = self.verdicts();
        verdicts.get(token).filter(|kept| kept.until > Instant::now()).map(|kept| kept.verdict.clone())
    }

    async fn ask(&self, token: String, method_arn: &str) -> Result<Arc<Verdict>, Refusal> {
        let event = json!({ "type": "TOKEN", "methodArn": method_arn, "authorizationToken": token });
        let (_, answer) = self.pool.invoke(Bytes::from(event.to_string()), None).await;
        let answer = answer.map_err(|error| match error {
            InvokeError::Function { message, .. } if message == "Unauthorized" => Refusal::Unauthorized,
            _ => Refusal::AuthorizerFailure,
        })?;
        let verdict = Arc::new(Verdict::parse(&answer).ok_or(Refusal::AuthorizerConfiguration)?);
        self.keep(token, verdict.clone());
        Ok(verdict)
    }

    fn keep(&self, token: String, verdict: Arc<Verdict>) {
        let now = Instant::now();
        let mut verdicts = self.verdicts();
        if verdicts.len() >= CACHE_LIMIT {
            verdicts.retain(|_, kept| kept.until > now);
        }
        verdicts.insert(token, Kept { until: now + self.ttl, verdict });
    }

    fn verdicts(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.verdicts.lock().expect("nothing panics while it holds the verdicts")
    }
}

impl Verdict {
    fn parse(answer: &[u8]) -> Option<Self> {
        let answer: Value = serde_json::from_slice(answer).ok()?;
        let principal = answer["principalId"].as_str()?;
        let policy = Policy::parse(&answer["policyDocument"])?;
        let mut context = match &answer["context"] {
            Value::Null => Map::new(),
            Value::Object(context) => context_of(context)?,
            _ => return None,
        };
        context.insert("principalId".to_owned(), json!(principal));
        Some(Self { policy, context })
    }
}

/// Context values are texts, numbers or booleans, and arrive as texts.
fn context_of(context: &Map<String, Value>) -> Option<Map<String, Value>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(json!(text)),
        Value::Number(_) | Value::Bool(_) => Some(json!(value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    context.iter().map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

/// A header as text, even when it is not valid UTF-8.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answer(context: Value) -> Vec<u8> {
        let statement = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
        json!({ "principalId": "me", "policyDocument": { "Statement": [statement] }, "context": context })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn context_values_become_texts() {
        let verdict = Verdict::parse(&answer(json!({ "sub": "me", "exp": 17, "flag": true }))).unwrap();
        let expected = json!({ "sub": "me", "exp": "17", "flag": "true", "principalId": "me" });
        assert_eq!(Value::Object(verdict.context), expected);
    }

    #[test]
    fn lists_in_the_context_and_missing_principals_are_refused() {
        assert!(Verdict::parse(&answer(json!({ "scopes": ["a"] }))).is_none());
        assert!(Verdict::parse(br#"{"policyDocument":{"Statement":[]}}"#).is_none());
        assert!(Verdict::parse(b"null").is_none());
    }
}
