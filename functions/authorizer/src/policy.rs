//! The answer that API Gateway expects: an IAM policy, and the context that it hands to the functions.
//!
//! The policy covers the whole stage. The gateway caches it by token and evaluates the cached one for other routes too,
//! so a policy for the route that was asked for would refuse the next one. What a token may do is in its scopes, and
//! the functions check those.

use std::fmt;

use serde::Serialize;

use crate::token::Principal;

/// Permission for one bearer to invoke the API.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy<C = Context> {
    /// The token's `sub`.
    pub principal_id: String,
    policy_document: Document,
    /// What the functions learn about the bearer.
    pub context: C,
}

/// What the functions learn about a token that has expired: why they must refuse it, and nothing that they could take
/// for a bearer.
#[derive(Debug, Serialize)]
pub struct Expired {
    denied: &'static str,
}

/// `requestContext.authorizer` of the functions' events. API Gateway allows only strings, numbers and booleans here,
/// hence lists as JSON text.
#[derive(Debug, Serialize)]
pub struct Context {
    /// The token's `sub`.
    pub sub: String,
    /// The token's `api_key`; absent when it has none, and never `sub` in its place: the functions must be able to tell
    /// them apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
    /// Until when the token is good, leeway included, in seconds since the epoch. The gateway reuses a verdict without
    /// looking at it, and the functions know no leeway.
    pub exp: u64,
    /// JSON array of the token's scopes.
    pub scopes: String,
    /// JSON array of the key prefixes that the token is limited to; absent when it is not limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefixes: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    action: &'static str,
    effect: &'static str,
    resource: String,
}

/// A method ARN without API and stage.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownMethodArn;

impl Policy {
    /// Lets `principal` invoke everything of the stage that `method_arn` belongs to.
    ///
    /// # Errors
    /// The ARN is not one of an API method.
    pub fn allow(principal: Principal, method_arn: &str) -> Result<Self, UnknownMethodArn> {
        Ok(Self {
            principal_id: principal.sub.clone(),
            policy_document: Document::of_stage(method_arn)?,
            context: Context::from(principal),
        })
    }

    /// What the policy allows to be invoked.
    pub fn resource(&self) -> &str {
        &self.policy_document.statement[0].resource
    }
}

impl Policy<Expired> {
    /// Lets the functions say that the token has expired. A policy that refuses could not say it: it would be 403, in
    /// the gateway's words.
    ///
    /// # Errors
    /// The ARN is not one of an API method.
    pub fn expired(method_arn: &str) -> Result<Self, UnknownMethodArn> {
        let policy_document = Document::of_stage(method_arn)?;
        Ok(Self { principal_id: "expired".to_owned(), policy_document, context: Expired { denied: "expired" } })
    }
}

impl Document {
    fn of_stage(method_arn: &str) -> Result<Self, UnknownMethodArn> {
        let statement = Statement { action: "execute-api:Invoke", effect: "Allow", resource: stage_arn(method_arn)? };
        Ok(Self { version: "2012-10-17", statement: [statement] })
    }
}

impl From<Principal> for Context {
    fn from(principal: Principal) -> Self {
        Self {
            sub: principal.sub,
            api_key: principal.api_key,
            exp: principal.exp,
            scopes: json(&principal.scopes),
            prefixes: principal.prefixes.as_deref().map(json),
        }
    }
}

fn json(list: &[String]) -> String {
    serde_json::to_string(list).expect("a list of strings is JSON")
}

/// `arn:…:api/stage/*` of `arn:…:api/stage/METHOD/path`.
fn stage_arn(method_arn: &str) -> Result<String, UnknownMethodArn> {
    let mut parts = method_arn.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(api), Some(stage), Some(_)) if api.starts_with("arn:") && !stage.is_empty() => {
            Ok(format!("{api}/{stage}/*"))
        }
        _ => Err(UnknownMethodArn),
    }
}

impl fmt::Display for UnknownMethodArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event's methodArn names no API and stage")
    }
}

impl std::error::Error for UnknownMethodArn {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:execute-api:eu-central-1:123456789012:abc123/v1/GET/cache/entries/a:b/c";

    fn principal(prefixes: Option<Vec<String>>) -> Principal {
        let scopes = vec!["cache:read".to_owned(), "cache:write".to_owned()];
        Principal { sub: "alice".into(), api_key: Some("key-1".into()), exp: 1_900_000_000, scopes, prefixes }
    }

    #[test]
    fn the_gateway_gets_what_it_expects() {
        let policy = Policy::allow(principal(Some(vec!["customer:".into()])), ARN).unwrap();
        let expected = json!({
            "principalId": "alice",
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow",
                    "Resource": "arn:aws:execute-api:eu-central-1:123456789012:abc123/v1/*"
                }]
            },
            "context": {
                "sub": "alice",
                "api_key": "key-1",
                "exp": 1_900_000_000,
                "scopes": "[\"cache:read\",\"cache:write\"]",
                "prefixes": "[\"customer:\"]"
            }
        });
        assert_eq!(serde_json::to_value(policy).unwrap(), expected);
    }

    #[test]
    fn an_expired_token_has_no_bearer() {
        let policy = serde_json::to_value(Policy::expired(ARN).unwrap()).unwrap();
        assert_eq!(policy["context"], json!({"denied": "expired"}));
        let good = serde_json::to_value(Policy::allow(principal(None), ARN).unwrap()).unwrap();
        assert_eq!(policy["policyDocument"], good["policyDocument"]);
    }

    #[test]
    fn no_prefixes_and_no_limit_are_different() {
        let context = |prefixes| serde_json::to_value(Context::from(principal(prefixes))).unwrap();
        assert!(context(None).get("prefixes").is_none());
        assert_eq!(context(Some(vec![]))["prefixes"], "[]");
    }

    #[test]
    fn an_arn_without_a_stage_is_an_error() {
        for bad in ["", "*", "arn:aws:execute-api:eu-central-1:1:abc", "arn:aws:x:::abc/v1", "arn:aws:x:::abc//GET/"] {
            assert_eq!(Policy::allow(principal(None), bad).unwrap_err(), UnknownMethodArn, "{bad}");
        }
    }
}
