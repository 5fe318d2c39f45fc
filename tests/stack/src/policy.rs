//! Evaluation of the IAM policy that an authorizer returns, for one method of the API.

use serde_json::Value;

/// What a policy says about a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// A statement allows it and none denies it.
    Allow,
    /// A statement denies it.
    ExplicitDeny,
    /// No statement mentions it.
    ImplicitDeny,
}

/// A policy document that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    allow: bool,
    actions: Vec<String>,
    resources: Vec<String>,
}

impl Policy {
    /// Understands a document; none when it is malformed, or uses what the stack does not evaluate (conditions,
    /// `NotAction`, `NotResource`).
    pub(crate) fn parse(document: &Value) -> Option<Self> {
        let statements = match &document["Statement"] {
            Value::Array(statements) => statements.iter().map(Statement::parse).collect::<Option<_>>()?,
            statement => vec![Statement::parse(statement)?],
        };
        Some(Self { statements })
    }

    /// Decides on `execute-api:Invoke` of a method ARN.
    pub(crate) fn decide(&self, method_arn: &str) -> Decision {
        let mut decision = Decision::ImplicitDeny;
        for statement in self.statements.iter().filter(|statement| statement.covers(method_arn)) {
            if !statement.allow {
                return Decision::ExplicitDeny;
            }
            decision = Decision::Allow;
        }
        decision
    }
}

impl Statement {
    fn parse(statement: &Value) -> Option<Self> {
        const KNOWN: [&str; 4] = ["Sid", "Effect", "Action", "Resource"];
        if !statement.as_object()?.keys().all(|key| KNOWN.contains(&key.as_str())) {
            return None;
        }
        let allow = match statement["Effect"].as_str()? {
            "Allow" => true,
            "Deny" => false,
            _ => return None,
        };
        Some(Self { allow, actions: texts(&statement["Action"])?, resources: texts(&statement["Resource"])? })
    }

    fn covers(&self, method_arn: &str) -> bool {
        let action = "execute-api:invoke";
        self.actions.iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), action))
            && self.resources.iter().any(|pattern| matches(pattern, method_arn))
    }
}

/// A text or a list of texts.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Whether `text` matches a pattern of `*` (any characters) and `?` (one), as IAM has them.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on after the last star when what follows it does not match.
    let mut retry = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((star, from)) = retry else { return false };
                retry = Some((star, from + 1));
                (p, t) = (star + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    const ARN: &str = "arn:aws:execute-api:eu-central-1:123456789012:strata/v1/GET/cache/entries/a%2Fb";

    fn statement(effect: &str, resource: &str) -> Value {
        json!({ "Effect": effect, "Action": "execute-api:Invoke", "Resource": resource })
    }

    #[track_caller]
    fn decide(statements: Value) -> Decision {
        Policy::parse(&json!({ "Version": "2012-10-17", "Statement": statements })).unwrap().decide(ARN)
    }

    #[test]
    fn the_whole_stage_may_be_allowed() {
        assert_eq!(decide(json!([statement("Allow", "arn:aws:execute-api:*:*:strata/v1/*")])), Decision::Allow);
        assert_eq!(decide(statement("Allow", "*")), Decision::Allow);
    }

    #[test]
    fn another_method_or_stage_is_not_allowed() {
        for resource in [
            "arn:aws:execute-api:*:*:strata/v1/PUT/*",
            "arn:aws:execute-api:*:*:strata/v2/*",
            ARN.trim_end_matches('b'),
        ] {
            assert_eq!(decide(statement("Allow", resource)), Decision::ImplicitDeny, "{resource}");
        }
        let other_action = json!({ "Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"] });
        assert_eq!(decide(other_action), Decision::ImplicitDeny);
    }

    #[test]
    fn a_denial_wins() {
        assert_eq!(decide(json!([statement("Deny", ARN), statement("Allow", "*")])), Decision::ExplicitDeny);
        assert_eq!(decide(json!([statement("Allow", "*"), statement("Deny", "*GET*")])), Decision::ExplicitDeny);
    }

    #[test]
    fn what_cannot_be_evaluated_is_no_policy() {
        let mut conditional = statement("Allow", "*");
        conditional["Condition"] = json!({});
        for statement in [conditional, json!({ "Effect": "allow" }), json!(null), json!("Allow")] {
            assert_eq!(Policy::parse(&json!({ "Statement": statement })), None);
        }
    }

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXc", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("abc", "ab", false),
            ("ab", "abc", false),
            ("*ab", "aab", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
