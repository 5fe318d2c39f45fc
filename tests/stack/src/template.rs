//! What template.yaml says about functions, routes and tables.
//!
//! The stack reads the same file that is deployed, so that a route or a variable missing there is missing here as well.
//! Intrinsic functions are resolved only where the stack depends on them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use crate::filter::Filter;
use crate::gateway_response::GatewayResponses;
use crate::intrinsic;
use crate::mapping::Source;
use crate::mock::Mocks;
use crate::schedule::{Schedule, Timing};
use crate::yaml;

/// A parsed template.
pub(crate) struct Template {
    document: Value,
}

/// A Lambda function.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Function {
    /// The name of its binary, and of its containers.
    pub(crate) name: String,
    pub(crate) timeout: Duration,
    pub(crate) memory_mb: u64,
    /// Values as the template has them; what cannot be resolved is null.
    pub(crate) environment: BTreeMap<String, Option<String>>,
    pub(crate) routes: Vec<Route>,
    /// The streams that invoke it.
    pub(crate) sources: Vec<Source>,
    /// Those of its own events, then those of rules.
    pub(crate) schedules: Vec<Schedule>,
}

/// A method of a resource of the REST API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) method: String,
    /// For example `/cache/entries/{key+}`.
    pub(crate) resource: String,
    pub(crate) authorized: bool,
}

/// The REST API.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) stage: String,
    pub(crate) authorizer: Option<TokenAuthorizer>,
    pub(crate) responses: GatewayResponses,
    /// What it answers by itself where no function serves a method.
    pub(crate) mocks: Mocks,
    /// From how many bytes on answers are packed; bodies of requests are unpacked where it is there.
    pub(crate) compression: Option<usize>,
}

/// The API's default authorizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenAuthorizer {
    /// The name of its function's binary.
    pub(crate) function: String,
    /// The header that carries the token.
    pub(crate) header: String,
    /// How long a verdict is reused for the same token.
    pub(crate) ttl: Duration,
    /// What the whole header must look like before the function is asked.
    pub(crate) validation: Option<String>,
}

impl Template {
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))?;
        Self::parse(&text)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let document = yaml::parse(text)?;
        if !document["Resources"].is_object() {
            return Err("it has no Resources".to_owned());
        }
        Ok(Self { document })
    }

    /// Gives a parameter this value.
    pub(crate) fn set(&mut self, parameter: &str, value: &str) -> Result<(), String> {
        match self.document["Parameters"].get_mut(parameter) {
            Some(declared) => declared["Default"] = Value::from(value),
            None => return Err(format!("it has no parameter {parameter}")),
        }
        Ok(())
    }

    /// The functions that there are with these parameters, in the order of their logical ids.
    pub(crate) fn functions(&self) -> Result<Vec<Function>, String> {
        let all = self.resources("AWS::Serverless::Function");
        let there = all.filter(|(_, function)| intrinsic::is_there(&self.document, function));
        let mut ids: Vec<&String> = there.map(|(id, _)| id).collect();
        ids.sort();
        ids.into_iter().map(|id| self.function(id)).collect()
    }

    fn function(&self, id: &str) -> Result<Function, String> {
        let properties = &self.document["Resources"][id]["Properties"];
        let number = |field: &str, default: u64| {
            let globals = &self.document["Globals"]["Function"][field];
            properties[field].as_u64().or_else(|| globals.as_u64()).unwrap_or(default)
        };
        Ok(Function {
            name: self.binary(id)?,
            // Lambda's defaults.
            timeout: Duration::from_secs(number("Timeout", 3)),
            memory_mb: number("MemorySize", 128),
            environment: self.environment(properties),
            routes: self.routes(id, properties)?,
            sources: events(properties, "DynamoDB")
                .map(|(name, event)| source(id, name, event))
                .collect::<Result<_, _>>()?,
            schedules: self.schedules(id, properties)?,
        })
    }

    fn schedules(&self, id: &str, properties: &Value) -> Result<Vec<Schedule>, String> {
        let own = events(properties, "Schedule").map(|(name, event)| {
            let properties = &event["Properties"];
            (name, &properties["Schedule"], &properties["Input"])
        });
        let arn = format!("{id}.Arn");
        let rules = self.resources("AWS::Events::Rule").flat_map(|(name, rule)| {
            let properties = &rule["Properties"];
            let targets = properties["Targets"].as_array().into_iter().flatten();
            targets.map(move |target| (name, &properties["ScheduleExpression"], target))
        });
        let rules = rules.filter(|(.., target)| target["Arn"]["Fn::GetAtt"] == arn.as_str());
        let all = own.chain(rules.map(|(name, expression, target)| (name, expression, &target["Input"])));
        all.filter_map(|(name, expression, input)| self.schedule(name, expression, input).transpose()).collect()
    }

    /// A schedule; none where a parameter leaves its expression empty, which is when the template leaves out the rule.
    fn schedule(&self, name: &str, expression: &Value, input: &Value) -> Result<Option<Schedule>, String> {
        let expression = self.resolve(expression).unwrap_or_default();
        if expression.is_empty() {
            return Ok(None);
        }
        let timing = Timing::parse(&expression);
        let timing =
            timing.ok_or_else(|| format!("{name} has no expression of the form rate(5 minutes) or cron(…)"))?;
        Ok(Some(Schedule { timing, input: self.resolve(input) }))
    }

    fn binary(&self, id: &str) -> Result<String, String> {
        let binary = self.document.pointer(&format!("/Resources/{id}/Metadata/BuildProperties/Binary"));
        let binary = binary.and_then(Value::as_str).map(str::to_owned);
        binary.ok_or_else(|| format!("{id} has no Metadata.BuildProperties.Binary"))
    }

    fn environment(&self, properties: &Value) -> BTreeMap<String, Option<String>> {
        let globals = &self.document["Globals"]["Function"];
        let variables = [globals, properties].map(|of| of.pointer("/Environment/Variables").and_then(Value::as_object));
        let variables = variables.into_iter().flatten().flatten();
        variables.map(|(name, value)| (name.clone(), self.resolve(value))).collect()
    }

    /// A literal, or the value of the parameter referred to, which is its default where none was set.
    fn resolve(&self, value: &Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            Value::Object(_) => {
                let parameter = value["Ref"].as_str()?;
                self.resolve(self.document["Parameters"][parameter].get("Default")?)
            }
            Value::Null | Value::Array(_) => None,
        }
    }

    fn routes(&self, id: &str, properties: &Value) -> Result<Vec<Route>, String> {
        events(properties, "Api")
            .map(|(name, event)| route(event).ok_or_else(|| format!("{id}: event {name} lacks Path or Method")))
            .collect()
    }

    /// The REST API.
    pub(crate) fn api(&self) -> Result<Api, String> {
        let (_, api) = self.resources("AWS::Serverless::Api").next().ok_or("it has no AWS::Serverless::Api")?;
        let properties = &api["Properties"];
        let stage = properties["StageName"].as_str().ok_or("the API has no literal StageName")?;
        Ok(Api {
            stage: stage.to_owned(),
            authorizer: self.authorizer(&properties["Auth"])?,
            responses: GatewayResponses::parse(&self.resolved(&properties["GatewayResponses"]))?,
            mocks: Mocks::parse(&self.resolved(&properties["DefinitionBody"]))?,
            compression: properties["MinimumCompressionSize"].as_u64().and_then(|bytes| bytes.try_into().ok()),
        })
    }

    fn resolved(&self, value: &Value) -> Value {
        intrinsic::resolve(&self.document, value).unwrap_or_default()
    }

    fn authorizer(&self, auth: &Value) -> Result<Option<TokenAuthorizer>, String> {
        let Some(name) = auth["DefaultAuthorizer"].as_str() else { return Ok(None) };
        let authorizer = &auth["Authorizers"][name];
        let arn = authorizer["FunctionArn"]["Fn::GetAtt"].as_str().ok_or("the authorizer has no FunctionArn")?;
        let identity = &authorizer["Identity"];
        let validation = identity["ValidationExpression"].as_str();
        validation.map(Regex::new).transpose().map_err(|error| format!("the authorizer's expression: {error}"))?;
        Ok(Some(TokenAuthorizer {
            function: self.binary(arn.trim_end_matches(".Arn"))?,
            header: identity["Header"].as_str().unwrap_or("Authorization").to_owned(),
            // SAM's name for AuthorizerResultTtlInSeconds, and API Gateway's default.
            ttl: Duration::from_secs(identity["ReauthorizeEvery"].as_u64().unwrap_or(300)),
            validation: validation.map(str::to_owned),
        }))
    }

    /// The properties of the table that all functions are given in this environment variable.
    pub(crate) fn table(&self, variable: &str) -> Option<&Value> {
        self.document["Resources"][self.table_id(variable)?].get("Properties")
    }

    /// The logical id of that table.
    pub(crate) fn table_id(&self, variable: &str) -> Option<&str> {
        self.document["Globals"]["Function"]["Environment"]["Variables"][variable]["Ref"].as_str()
    }

    fn resources<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
        let all = self.document["Resources"].as_object().into_iter().flatten();
        all.filter(move |(_, resource)| resource["Type"] == kind)
    }
}

/// A function's events of one type.
fn events<'a>(properties: &'a Value, kind: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let all = properties["Events"].as_object().into_iter().flatten();
    all.filter(move |(_, event)| event["Type"] == kind)
}

/// Reads a subscription to a table's stream.
fn source(id: &str, name: &str, event: &Value) -> Result<Source, String> {
    let properties = &event["Properties"];
    let number = |field: &str, default: u64| properties[field].as_u64().unwrap_or(default);
    let stream = properties["Stream"]["Fn::GetAtt"].as_str().and_then(|stream| stream.strip_suffix(".StreamArn"));
    let patterns = properties["FilterCriteria"]["Filters"].as_array();
    let patterns = patterns.into_iter().flatten().map(|filter| filter["Pattern"].as_str().unwrap_or_default());
    let destination = properties.pointer("/DestinationConfig/OnFailure/Destination/Fn::GetAtt");
    let responses = properties["FunctionResponseTypes"].as_array();
    Ok(Source {
        table: stream.ok_or_else(|| format!("{id}: event {name} has no Stream of a table"))?.to_owned(),
        // Lambda's defaults; it would try for ever.
        batch_size: usize::try_from(number("BatchSize", 100)).unwrap_or(usize::MAX),
        lanes: usize::try_from(number("ParallelizationFactor", 1)).unwrap_or(1),
        filters: patterns.map(Filter::parse).collect::<Result<_, _>>()?,
        retries: u32::try_from(number("MaximumRetryAttempts", u64::from(u32::MAX))).unwrap_or(u32::MAX),
        bisect: properties["BisectBatchOnFunctionError"] == true,
        partial: responses.is_some_and(|types| types.iter().any(|kind| kind == "ReportBatchItemFailures")),
        failures: destination.and_then(Value::as_str).map(|arn| arn.trim_end_matches(".Arn").to_owned()),
    })
}

fn route(event: &Value) -> Option<Route> {
    let properties = &event["Properties"];
    Some(Route {
        method: properties["Method"].as_str()?.to_ascii_uppercase(),
        resource: properties["Path"].as_str()?.to_owned(),
        authorized: properties.pointer("/Auth/Authorizer").and_then(Value::as_str) != Some("NONE"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn real() -> Template {
        Template::load(&crate::options::repository().join("template.yaml")).unwrap()
    }

    #[test]
    fn reads_the_functions_of_the_real_template() {
        let functions = real().functions().unwrap();
        let entries = functions.iter().find(|function| function.name == "entries").unwrap();
        assert!(entries.routes.contains(&Route {
            method: "PUT".to_owned(),
            resource: "/cache/entries/{key+}".to_owned(),
            authorized: true
        }));
        assert!(entries.environment.contains_key("REDIS_URL"));
        assert_eq!(entries.environment["COHERENCE_WINDOW_MS"].as_deref(), Some("1000"));
        assert!(functions.iter().any(|function| function.name == "authorizer" && function.routes.is_empty()));
    }

    #[test]
    fn a_parameter_leaves_a_function_out() {
        let mut template = real();
        let has_console =
            |template: &Template| template.functions().unwrap().iter().any(|function| function.name == "console");
        assert!(has_console(&template));
        template.set("Console", "off").unwrap();
        assert!(!has_console(&template));
    }

    #[test]
    fn reads_what_calls_the_warmer_of_the_real_template() {
        let functions = real().functions().unwrap();
        let warmer = functions.iter().find(|function| function.name == "warmer").unwrap();
        let maintenance = Schedule { timing: Timing::Every(Duration::from_secs(60)), input: None };
        assert_eq!(warmer.schedules, [maintenance], "the rule is left out unless a parameter says when it fires");
        let [source] = warmer.sources.as_slice() else { panic!("{:?}", warmer.sources) };
        assert_eq!((source.table.as_str(), source.failures.as_deref()), ("ControlTable", Some("JobFailures")));
        assert_eq!((source.batch_size, source.lanes, source.retries), (1, 10, 3));
        assert!(source.bisect && source.partial);
        let record = |event: &str, pk: &str, state: &str| {
            serde_json::json!({"eventName": event, "dynamodb": {
                "Keys": {"pk": {"S": pk}, "sk": {"S": "-"}}, "NewImage": {"state": {"S": state}},
            }})
        };
        let admits = |record: &Value| source.filters.iter().any(|filter| filter.admits(record));
        assert!(admits(&record("INSERT", "job#1", "ready")) && admits(&record("MODIFY", "job#1", "ready")));
        assert!(!admits(&record("MODIFY", "job#1", "running")), "a checkpoint is not work");
        assert!(!admits(&record("REMOVE", "job#1", "ready")) && !admits(&record("INSERT", "note", "ready")));
    }

    #[test]
    fn reads_the_api_of_the_real_template() {
        let api = real().api().unwrap();
        assert_eq!(api.stage, "v1");
        let authorizer = api.authorizer.unwrap();
        assert_eq!((authorizer.function.as_str(), authorizer.header.as_str()), ("authorizer", "Authorization"));
    }

    #[test]
    fn finds_the_tables_by_the_variable_that_names_them() {
        let template = real();
        for variable in ["TABLE_NAME", "CONTROL_TABLE_NAME"] {
            assert!(template.table(variable).unwrap()["KeySchema"].is_array());
        }
        assert!(template.table("KEY_PREFIX").is_none());
    }

    #[test]
    fn the_function_overrides_the_globals() {
        let template = Template::parse(
            "Globals: {Function: {Timeout: 29, MemorySize: 512, Environment: {Variables: {A: g, B: g}}}}\n\
             Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Metadata: {BuildProperties: {Binary: f}}\n    \
             Properties: {Timeout: 10, Environment: {Variables: {B: 1, C: !Sub x}}}\n",
        );
        let function = template.unwrap().functions().unwrap().remove(0);
        assert_eq!((function.timeout.as_secs(), function.memory_mb), (10, 512));
        let value = |name: &str| function.environment[name].as_deref();
        assert_eq!([value("A"), value("B"), value("C")], [Some("g"), Some("1"), None]);
    }
}
