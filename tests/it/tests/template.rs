//! template.yaml says what is meant. The SAM CLI's own check passes over misspelt keys, which would deploy an API without
//! an authorizer, and it knows nothing of the workspace.

mod environments;
mod hardening;
mod permissions;
mod triggers;

pub use permissions::access_string;
pub use triggers::{callers, routes};

use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;

use saphyr::{LoadableYamlNode, Yaml};
use serde_json::{Map, Value, json};
use strata_it::stack::repository;

pub static TEMPLATE: LazyLock<Value> =
    LazyLock::new(|| yaml(&fs::read_to_string(repository().join("template.yaml")).unwrap()));

/// The first document of a YAML text.
pub fn yaml(text: &str) -> Value {
    value(&Yaml::load_from_str(text).unwrap()[0])
}

/// A node as JSON; `!Ref X` becomes `{"Ref": "X"}`.
fn value(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Mapping(entries) => {
            let member = |(name, item): (&Yaml<'_>, &Yaml<'_>)| (name.as_str().unwrap().to_owned(), value(item));
            entries.iter().map(member).collect::<Map<_, _>>().into()
        }
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Tagged(tag, node) => json!({ tag.suffix.as_str(): value(node) }),
        scalar => {
            let number = scalar.as_integer().map(Value::from).or(scalar.as_floating_point().map(Value::from));
            let flag = scalar.as_bool().map(Value::from);
            number.or(flag).unwrap_or_else(|| json!(scalar.as_str()))
        }
    }
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

pub fn resources(kind: &str) -> impl Iterator<Item = (&str, &Value)> {
    let all = TEMPLATE["Resources"].as_object().unwrap().iter();
    all.filter(move |(_, resource)| resource["Type"] == kind).map(|(name, resource)| (name.as_str(), resource))
}

/// Binary and properties of every function, those of the Globals included.
static FUNCTIONS: LazyLock<Vec<(&str, Value)>> = LazyLock::new(|| {
    let all = resources("AWS::Serverless::Function").map(|(_, function)| {
        let mut properties = TEMPLATE["Globals"]["Function"].clone();
        merge(&mut properties, &function["Properties"]);
        (function["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap(), properties)
    });
    all.collect()
});

/// As SAM merges: member by member, but what CloudFormation has to resolve is one value.
fn merge(global: &mut Value, own: &Value) {
    match (global, own) {
        (Value::Object(global), Value::Object(own)) if !is_intrinsic(own) && !is_intrinsic(global) => {
            for (name, value) in own {
                merge(global.entry(name).or_insert(Value::Null), value);
            }
        }
        (global, own) => *global = own.clone(),
    }
}

fn is_intrinsic(object: &Map<String, Value>) -> bool {
    object.len() == 1 && object.keys().all(|name| ["Ref", "If", "Sub", "GetAtt"].contains(&name.as_str()))
}

pub fn functions() -> impl Iterator<Item = (&'static str, &'static Value)> {
    FUNCTIONS.iter().map(|(binary, properties)| (*binary, properties))
}

fn function(binary: &str) -> &'static Value {
    functions().find(|(name, _)| *name == binary).unwrap().1
}

/// The functions that open the cache.
fn cache_functions() -> impl Iterator<Item = (&'static str, &'static Value)> {
    functions().filter(|(binary, _)| !["authorizer", "console"].contains(binary))
}

fn api() -> &'static Value {
    &TEMPLATE["Resources"]["Api"]["Properties"]
}

#[test]
fn functions_are_the_binaries_of_the_workspace() {
    let in_template: BTreeSet<String> = functions().map(|(binary, _)| binary.to_owned()).collect();
    let folders = fs::read_dir(repository().join("functions")).unwrap().map(Result::unwrap);
    let in_workspace = folders.map(|folder| folder.file_name().into_string().unwrap()).collect();
    assert_eq!(in_template, in_workspace);
    for binary in in_template {
        let manifest = fs::read_to_string(repository().join(format!("functions/{binary}/Cargo.toml"))).unwrap();
        assert!(manifest.contains(&format!("\nname = \"{binary}\"\n")), "{binary}: the package has another name");
        let main = repository().join(format!("functions/{binary}/src/main.rs"));
        assert!(main.is_file(), "{binary} is no binary");
    }
}

#[test]
fn functions_are_built_and_started_alike() {
    assert_eq!(TEMPLATE["Globals"]["Function"]["Runtime"], "provided.al2023");
    assert_eq!(TEMPLATE["Globals"]["Function"]["Handler"], "bootstrap");
    for (name, function) in resources("AWS::Serverless::Function") {
        assert_eq!(function["Metadata"]["BuildMethod"], "rust-cargolambda", "{name}");
        let group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"].as_str().unwrap();
        assert_eq!(TEMPLATE["Resources"][group]["Type"], "AWS::Logs::LogGroup", "{name}");
        assert!(!TEMPLATE["Resources"][group]["Properties"]["RetentionInDays"].is_null(), "{name}");
    }
}

/// Two functions with different settings would disagree about the same cache.
#[test]
fn functions_share_one_cache_and_one_network() {
    let (mut variables, mut networks) = (BTreeSet::new(), BTreeSet::new());
    for (_, properties) in cache_functions() {
        let mut of_function = properties["Environment"]["Variables"].as_object().unwrap().clone();
        of_function.remove("FUNCTION_TIMEOUT_SECONDS");
        variables.insert(Value::from(of_function).to_string());
        networks.insert(properties["VpcConfig"].to_string());
    }
    assert_eq!(variables.len(), 1, "{variables:#?}");
    let subnets = json!({"If": ["HasSubnets", {"Split": [",", {"Ref": "PrivateSubnetIds"}]},
        [{"Ref": "PrivateSubnetA"}, {"Ref": "PrivateSubnetB"}]]});
    let network = json!({"SubnetIds": subnets, "SecurityGroupIds": [{"Ref": "FunctionSecurityGroup"}]});
    assert_eq!(networks, BTreeSet::from([network.to_string()]));
    assert_eq!(TEMPLATE["Resources"]["Cache"]["Properties"]["SubnetIds"], subnets);
    assert!(function("authorizer")["VpcConfig"].is_null(), "it needs the internet");
}

/// Every parameter does something, has its place in the form that asks for it, and what is optional is off.
#[test]
fn parameters_are_used_and_grouped_and_options_are_off() {
    let parameters = keys(&TEMPLATE["Parameters"]);
    let groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"].as_array().unwrap();
    let grouped = groups.iter().flat_map(|group| group["Parameters"].as_array().unwrap());
    let mut grouped: Vec<&str> = grouped.map(|name| name.as_str().unwrap()).collect();
    grouped.sort_unstable();
    assert_eq!(grouped, parameters.iter().copied().collect::<Vec<_>>());
    let text = fs::read_to_string(repository().join("template.yaml")).unwrap();
    for name in parameters {
        let used = [format!("!Ref {name}"), format!("${{{name}}}")].iter().any(|use_of_it| text.contains(use_of_it));
        assert!(used, "{name} does nothing");
    }
    for (name, off) in [
        ("KmsKeyArn", json!("")),
        ("PermissionsBoundaryArn", json!("")),
        ("Tracing", json!("Disabled")),
        ("DomainName", json!("")),
        ("VpcId", json!("")),
        ("EntriesConcurrency", json!(0)),
        ("OtherConcurrency", json!(0)),
        ("AccessLog", json!("off")),
        ("AllowedCidrs", json!("0.0.0.0/0,::/0")),
        ("WebAclArn", json!("")),
        ("DynamoDbPrefixListId", json!("")),
        ("JwksDiscovery", json!("off")),
        ("CorsAllowOrigins", json!("")),
    ] {
        assert_eq!(TEMPLATE["Parameters"][name]["Default"], off, "{name}");
    }
}

/// What a key of the customer's own must reach, or some of the data is under another one.
#[test]
fn a_key_of_ones_own_is_for_all_that_is_stored() {
    let given = |field: &Value| *field == json!({"If": ["HasKmsKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]});
    for (kind, field) in [
        ("AWS::DynamoDB::Table", "/SSESpecification/KMSMasterKeyId"),
        ("AWS::ElastiCache::ServerlessCache", "/KmsKeyId"),
        ("AWS::Logs::LogGroup", "/KmsKeyId"),
        ("AWS::SQS::Queue", "/KmsMasterKeyId"),
    ] {
        assert!(resources(kind).count() > 0, "{kind}");
        for (name, resource) in resources(kind) {
            assert!(resource["Properties"].pointer(field).is_some_and(given), "{name}");
        }
    }
}

/// A thawed container tells the time by its deadline less this timeout.
#[test]
fn functions_know_their_timeout() {
    for (name, properties) in cache_functions() {
        let timeout = properties["Timeout"].as_u64().unwrap();
        let told = properties["Environment"]["Variables"]["FUNCTION_TIMEOUT_SECONDS"].as_str();
        assert_eq!(told, Some(timeout.to_string().as_str()), "{name}");
        // A slice of a job is many operations, each with an as-of position of its own.
        assert!(timeout <= 30 || name == "warmer", "{name}: no operation may outlive the protocol's bound");
    }
}

/// What the settings read, with the contract's numbers, for every function alike.
#[test]
fn limits_are_the_contracts() {
    let variables = &TEMPLATE["Globals"]["Function"]["Environment"]["Variables"];
    for (variable, parameter, default) in [
        ("RATE_LIMITS", "RateLimits", json!("on")),
        ("RATE_LIMIT_READ", "RateLimitRead", json!(5000)),
        ("RATE_LIMIT_WRITE", "RateLimitWrite", json!(1000)),
        ("RATE_LIMIT_CONFIG", "RateLimitConfig", json!(10)),
        ("RATE_LIMIT_BULK", "RateLimitBulk", json!(100)),
        ("QUOTA_ENTRIES", "QuotaEntries", json!(1_000_000)),
        ("QUOTA_MB", "QuotaMegabytes", json!(1024)),
        ("QUOTA_INDEX_MB", "QuotaIndexMegabytes", json!(256)),
        ("JOBS_PER_API_KEY", "JobsPerApiKey", json!(100)),
    ] {
        assert_eq!(variables[variable], json!({"Ref": parameter}));
        assert_eq!(TEMPLATE["Parameters"][parameter]["Default"], default, "{parameter}");
    }
}

#[test]
fn tables_have_the_shape_the_code_expects() {
    let tables: Vec<_> = resources("AWS::DynamoDB::Table").collect();
    assert_eq!(
        tables.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(),
        BTreeSet::from(["ControlTable", "EntriesTable"])
    );
    let attribute = |name| json!({"AttributeName": name, "AttributeType": "S"});
    let key = |name, kind| json!({"AttributeName": name, "KeyType": kind});
    for (name, table) in tables {
        let properties = &table["Properties"];
        assert_eq!(properties["AttributeDefinitions"], json!([attribute("pk"), attribute("sk")]), "{name}");
        assert_eq!(properties["KeySchema"], json!([key("pk", "HASH"), key("sk", "RANGE")]), "{name}");
        assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST", "{name}");
        assert_eq!(properties["TimeToLiveSpecification"], json!({"AttributeName": "ttl", "Enabled": true}), "{name}");
        assert_eq!(properties["SSESpecification"]["SSEEnabled"], true, "{name}");
        let recovery = &properties["PointInTimeRecoverySpecification"];
        assert_eq!(recovery["PointInTimeRecoveryEnabled"], true, "{name}");
        assert_eq!(table["DeletionPolicy"], "Retain", "{name}");
        assert_eq!(properties["DeletionProtectionEnabled"], true, "{name}");
    }
    let stream = &TEMPLATE["Resources"]["ControlTable"]["Properties"]["StreamSpecification"];
    assert_eq!(stream["StreamViewType"], "NEW_AND_OLD_IMAGES");
}

/// Response type, status (none: the gateway's own) and code of what the gateway answers itself.
const GATEWAY_RESPONSES: [(&str, Option<u64>, &str); 13] = [
    ("ACCESS_DENIED", Some(403), "FORBIDDEN"),
    ("BAD_REQUEST_BODY", Some(400), "INVALID_REQUEST"),
    ("DEFAULT_4XX", None, "INVALID_REQUEST"),
    ("DEFAULT_5XX", None, "INTERNAL_ERROR"),
    ("EXPIRED_TOKEN", Some(404), "ROUTE_NOT_FOUND"),
    ("INTEGRATION_TIMEOUT", Some(504), "INTERNAL_ERROR"),
    ("INVALID_SIGNATURE", Some(404), "ROUTE_NOT_FOUND"),
    ("MISSING_AUTHENTICATION_TOKEN", Some(404), "ROUTE_NOT_FOUND"),
    ("REQUEST_TOO_LARGE", Some(413), "ENTRY_TOO_LARGE"),
    ("RESOURCE_NOT_FOUND", Some(404), "ROUTE_NOT_FOUND"),
    ("THROTTLED", Some(429), "RATE_LIMITED"),
    ("UNAUTHORIZED", Some(401), "UNAUTHORIZED"),
    ("UNSUPPORTED_MEDIA_TYPE", Some(415), "UNSUPPORTED_MEDIA_TYPE"),
];

#[test]
fn the_gateways_own_errors_have_the_contracts_shape() {
    let responses = &api()["GatewayResponses"];
    assert_eq!(keys(responses), GATEWAY_RESPONSES.iter().map(|(name, ..)| *name).collect());
    for (name, status, code) in GATEWAY_RESPONSES {
        let response = &responses[name];
        assert_eq!(response["StatusCode"].as_u64(), status, "{name}");
        assert_eq!(response["ResponseParameters"]["Headers"]["Cache-Control"], "'no-store'", "{name}");
        let template = response["ResponseTemplates"]["application/json"].as_str().unwrap();
        let body: Value = serde_json::from_str(template).unwrap_or_else(|error| panic!("{name}: {error}: {template}"));
        assert_eq!(keys(&body), BTreeSet::from(["error"]), "{name}");
        let error = &body["error"];
        assert_eq!(keys(error), BTreeSet::from(["code", "details", "message", "request_id", "timestamp"]), "{name}");
        assert_eq!(error["code"], code, "{name}");
        assert_eq!(error["request_id"], "$context.requestId", "{name}");
        assert_eq!(error["timestamp"], "$context.requestTime", "{name}");
        assert!(error["details"].is_object(), "{name}");
        let message = error["message"].as_str().unwrap();
        assert!(!message.contains('$'), "{name}: the gateway's own text can quote the Authorization header");
    }
    assert_eq!(responses["UNAUTHORIZED"]["ResponseParameters"]["Headers"]["WWW-Authenticate"], "'Bearer'");
}
