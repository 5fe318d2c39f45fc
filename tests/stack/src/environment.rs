//! The environment variables of a container: exactly what template.yaml declares for its function, and what Lambda sets
//! for every function.

use std::collections::BTreeMap;

use crate::dynamo::REGION;
use crate::template::Function;

/// The values that CloudFormation would fill in.
pub(crate) struct Deployment<'a> {
    /// By variable; used where template.yaml declares the variable.
    pub(crate) values: BTreeMap<&'a str, String>,
    /// What the options add or override, declared or not.
    pub(crate) extra: &'a BTreeMap<String, String>,
    pub(crate) dynamodb_endpoint: String,
    /// Stands in for the secret that the template has kept elsewhere.
    pub(crate) jwt_secret: String,
}

impl Deployment<'_> {
    /// The whole environment of a container. One that is given no Redis has no REDIS_URL.
    pub(crate) fn environment(&self, function: &Function, container: &str, redis_url: &str) -> Vec<(String, String)> {
        let mut variables = lambda(function, container);
        variables.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), self.dynamodb_endpoint.clone());
        for (name, in_template) in &function.environment {
            let own =
                if name == "REDIS_URL" { Some(redis_url) } else { self.values.get(name.as_str()).map(String::as_str) };
            if let Some(value) = own.or(in_template.as_deref()) {
                variables.insert(name.clone(), value.to_owned());
            }
        }
        if function.environment.contains_key("JWT_SECRET_ARN") {
            variables.insert("JWT_SECRET".to_owned(), self.jwt_secret.clone());
        }
        variables.extend(self.extra.clone());
        variables.into_iter().collect()
    }
}

/// What Lambda sets, <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>.
fn lambda(function: &Function, container: &str) -> BTreeMap<String, String> {
    let name = &function.name;
    let memory = function.memory_mb.to_string();
    let (group, stream) = (format!("/aws/lambda/{name}"), format!("2026/01/01/[$LATEST]{container}"));
    let variables = [
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_SESSION_TOKEN", "local"),
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", &stream),
        ("_HANDLER", "bootstrap"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
        ("TZ", ":UTC"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    #[test]
    fn options_win_over_the_stack_and_that_over_the_template() {
        let text = |value: &str| Some(value.to_owned());
        let declared = [("REDIS_URL", text("x")), ("A", text("template")), ("B", text("template")), ("C", None)];
        let function = Function {
            name: "f".to_owned(),
            timeout: Duration::from_secs(1),
            memory_mb: 128,
            environment: declared.map(|(name, value)| (name.to_owned(), value)).into(),
            routes: Vec::new(),
            sources: Vec::new(),
            schedules: Vec::new(),
        };
        let extra = [("B".to_owned(), "option".to_owned()), ("D".to_owned(), "option".to_owned())].into();
        let values = [("A", "stack".to_owned()), ("B", "stack".to_owned()), ("UNDECLARED", "stack".to_owned())].into();
        let [dynamodb_endpoint, jwt_secret] = ["http://d", "secret"].map(str::to_owned);
        let deployment = Deployment { values, extra: &extra, dynamodb_endpoint, jwt_secret };
        let environment: BTreeMap<_, _> = deployment.environment(&function, "f-1", "redis://r").into_iter().collect();
        let value = |name: &str| environment.get(name).map(String::as_str);
        assert_eq!(value("REDIS_URL"), Some("redis://r"));
        assert_eq!([value("A"), value("B"), value("D")], [Some("stack"), Some("option"), Some("option")]);
        assert_eq!([value("C"), value("UNDECLARED"), value("JWT_SECRET")], [None, None, None]);
        assert_eq!(value("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), Some("128"));
    }
}
