//! template.yaml says what is meant. The SAM CLI's own check passes over misspelt keys, which would deploy an API without
//! an authorizer, and it knows nothing of the workspace.

use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;

use saphyr::{LoadableYamlNode, Yaml};
use serde_json::{Map, Value, json};
use strata_it::stack::repository;

pub static TEMPLATE: LazyLock<Value> = LazyLock::new(|| {
    let text = fs::read_to_string(repository().join("template.yaml")).unwrap();
    value(&Yaml::load_from_str(&text).unwrap()[0])
});

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
            let number = scalar.as_integer().map(Value::from);
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

/// Binary and properties of every function.
pub fn functions() -> Vec<(&'static str, &'static Value)> {
    let binary = |function: &'static Value| function["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap();
    resources("AWS::Serverless::Function").map(|(_, function)| (binary(function), &function["Properties"])).collect()
}

/// The functions that open the cache.
fn cache_functions() -> impl Iterator<Item = (&'static str, &'static Value)> {
    functions().into_iter().filter(|(_, properties)| !properties["Environment"]["Variables"]["REDIS_URL"].is_null())
}

fn api() -> &'static Value {
    &TEMPLATE["Resources"]["Api"]["Properties"]
}

#[test]
fn every_route_has_the_authorizer() {
    let auth = &api()["Auth"];
    assert_eq!(keys(auth), BTreeSet::from(["AddDefaultAuthorizerToCorsPreflight", "Authorizers", "DefaultAuthorizer"]));
    let name = auth["DefaultAuthorizer"].as_str().unwrap();
    assert_eq!(keys(&auth["Authorizers"]), BTreeSet::from([name]));
    let expected = json!({
        "FunctionArn": {"GetAtt": "AuthorizerFunction.Arn"},
        "FunctionPayloadType": "TOKEN",
        "Identity": {"Header": "Authorization", "ReauthorizeEvery": 300}
    });
    assert_eq!(auth["Authorizers"][name], expected);
    for (name, event) in events() {
        assert_eq!(keys(&event["Properties"]), BTreeSet::from(["Method", "Path", "RestApiId"]), "{name}");
        assert_eq!(event["Properties"]["RestApiId"], json!({"Ref": "Api"}), "{name}");
    }
}

fn events() -> impl Iterator<Item = (&'static str, &'static Value)> {
    let all =
        functions().into_iter().flat_map(|(_, properties)| properties["Events"].as_object().into_iter().flatten());
    all.filter(|(_, event)| event["Type"] == "Api").map(|(name, event)| (name.as_str(), event))
}

#[test]
fn an_entry_has_the_same_methods_by_either_address() {
    let methods = |path: &str| -> BTreeSet<&str> {
        let of_path = events().filter(|(_, event)| event["Properties"]["Path"] == path);
        of_path.map(|(_, event)| event["Properties"]["Method"].as_str().unwrap()).collect()
    };
    assert_eq!(methods("/cache/entries"), BTreeSet::from(["DELETE", "GET", "PUT"]));
    assert_eq!(methods("/cache/entries/{key+}"), BTreeSet::from(["DELETE", "GET", "PUT"]));
    assert_eq!(api()["StageName"], "v1");
}

#[test]
fn functions_are_the_binaries_of_the_workspace() {
    let in_template: BTreeSet<String> = functions().into_iter().map(|(binary, _)| binary.to_owned()).collect();
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

/// A thawed container tells the time by its deadline less this timeout.
#[test]
fn functions_know_their_timeout() {
    let default = &TEMPLATE["Globals"]["Function"]["Timeout"];
    for (name, properties) in cache_functions() {
        let timeout = properties.get("Timeout").unwrap_or(default).as_u64().unwrap();
        let told = properties["Environment"]["Variables"]["FUNCTION_TIMEOUT_SECONDS"].as_str();
        assert_eq!(told, Some(timeout.to_string().as_str()), "{name}");
        // A slice of a job is many operations, each with a stamp of its own.
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
    ] {
        assert_eq!(variables[variable], json!({"Ref": parameter}));
        assert_eq!(TEMPLATE["Parameters"][parameter]["Default"], default, "{parameter}");
    }
}

#[test]
fn functions_may_do_no_more_than_they_must() {
    for (name, properties) in functions() {
        for statement in properties["Policies"].as_array().into_iter().flatten().flat_map(|p| p["Statement"].as_array())
        {
            let text = Value::from(statement.clone()).to_string();
            assert!(!text.contains('*'), "{name}: {text}");
        }
    }
    let authorizer = functions().into_iter().find(|(binary, _)| *binary == "authorizer").unwrap().1;
    let secret = json!({
        "Sid": "VerifyTokens", "Effect": "Allow", "Action": "secretsmanager:GetSecretValue",
        "Resource": {"Ref": "JwtSecretArn"}
    });
    let policy = json!({"Version": "2012-10-17", "Statement": [secret]});
    assert_eq!(authorizer["Policies"], json!([{"If": ["HasJwtSecret", policy, {"Ref": "AWS::NoValue"}]}]));
    let variables = keys(&authorizer["Environment"]["Variables"]);
    assert!(!variables.contains("JWT_SECRET"), "a variable shows the secret to whoever sees the function");
    assert!(variables.contains("JWT_SECRET_ARN"));
    assert!(authorizer["VpcConfig"].is_null(), "it needs the internet");
    for (name, properties) in cache_functions() {
        assert!(properties["VpcConfig"]["SubnetIds"].is_array(), "{name} must be where Redis is");
    }
}

/// DynamoDB operations as the SDK's methods, and the permission that each needs.
const OPERATIONS: [(&str, &str); 13] = [
    (".batch_get_item()", "dynamodb:BatchGetItem"),
    (".batch_write_item()", "dynamodb:BatchWriteItem"),
    (".describe_table()", "dynamodb:DescribeTable"),
    (".delete_item()", "dynamodb:DeleteItem"),
    (".get_item()", "dynamodb:GetItem"),
    (".put_item()", "dynamodb:PutItem"),
    (".query()", "dynamodb:Query"),
    (".scan()", "dynamodb:Scan"),
    (".update_item()", "dynamodb:UpdateItem"),
    // Parts of a transaction.
    ("ConditionCheck::builder()", "dynamodb:ConditionCheckItem"),
    (" Delete::builder()", "dynamodb:DeleteItem"),
    (" Put::builder()", "dynamodb:PutItem"),
    (" Update::builder()", "dynamodb:UpdateItem"),
];

/// A permission too few shows up in production only, because no local engine checks them; one too many never does.
#[test]
fn functions_may_do_what_the_third_level_does() {
    let folder = fs::read_dir(repository().join("shared/cache/src/dynamo")).unwrap();
    let code: String = folder.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let used: BTreeSet<_> =
        OPERATIONS.iter().filter(|(method, _)| code.contains(method)).map(|(_, action)| *action).collect();
    let statements =
        cache_functions().flat_map(|(_, properties)| properties["Policies"][0]["Statement"].as_array().unwrap());
    let actions = statements.flat_map(|statement| statement["Action"].as_array().unwrap());
    let allowed: BTreeSet<_> = actions.map(|action| action.as_str().unwrap()).collect();
    assert_eq!(used, allowed);
}

/// What the functions' user of Redis may do, with the key prefix that the local stack gives the functions.
pub fn access_string() -> String {
    let user = &TEMPLATE["Resources"]["CacheUser"]["Properties"];
    let prefix = TEMPLATE["Parameters"]["KeyPrefix"]["Default"].as_str().unwrap();
    user["AccessString"]["Sub"].as_str().unwrap().replace("${KeyPrefix}", prefix)
}

#[test]
fn functions_sign_in_to_redis_by_iam() {
    for (name, properties) in cache_functions() {
        let variables = &properties["Environment"]["Variables"];
        assert_eq!(variables["REDIS_AUTH"], "iam-serverless", "{name}");
        assert_eq!(variables["REDIS_USER"], json!({"Ref": "CacheUser"}), "{name}");
        assert_eq!(variables["REDIS_CACHE_NAME"], json!({"Ref": "Cache"}), "{name}");
        let policies = properties["Policies"].as_array().unwrap();
        assert!(policies.contains(&json!({"Ref": "SignInToCache"})), "{name}");
    }
    let resources = &TEMPLATE["Resources"];
    let user = &resources["CacheUser"]["Properties"];
    assert_eq!(user["AuthenticationMode"], json!({"Type": "iam"}));
    assert_eq!(user["UserId"], user["UserName"], "IAM wants them to be the same");
    assert_eq!(resources["CacheUsers"]["Properties"]["UserIds"], json!([{"Ref": "CacheUser"}]));
    assert_eq!(resources["Cache"]["Properties"]["UserGroupId"], json!({"Ref": "CacheUsers"}));
    let statement = &resources["SignInToCache"]["Properties"]["PolicyDocument"]["Statement"][0];
    assert_eq!(statement["Action"], "elasticache:Connect");
    assert_eq!(statement["Resource"], json!([{"GetAtt": "Cache.ARN"}, {"GetAtt": "CacheUser.Arn"}]));
}

#[test]
fn jobs_are_called_for_and_what_fails_is_bounded_and_kept() {
    let warmer = functions().into_iter().find(|(binary, _)| *binary == "warmer").unwrap().1;
    let events = warmer["Events"].as_object().unwrap();
    let of_type = |kind: &str| events.values().find(|event| event["Type"] == kind).unwrap()["Properties"].clone();
    let stream = of_type("DynamoDB");
    assert_eq!(stream["Stream"], json!({"GetAtt": "ControlTable.StreamArn"}));
    let pattern = stream["FilterCriteria"]["Filters"][0]["Pattern"].as_str().unwrap();
    let pattern: Value = serde_json::from_str(pattern).unwrap();
    let waiting = json!({
        "eventName": ["INSERT", "MODIFY"],
        "dynamodb": {"Keys": {"pk": {"S": [{"prefix": "job#"}]}}, "NewImage": {"state": {"S": ["ready"]}}},
    });
    assert_eq!(pattern, waiting);
    assert_eq!(stream["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert_eq!(stream["BisectBatchOnFunctionError"], true);
    assert!(stream["MaximumRetryAttempts"].as_u64().is_some_and(|tries| tries < 10), "Lambda would try for ever");
    let destination = stream["DestinationConfig"]["OnFailure"]["Destination"]["GetAtt"].as_str().unwrap();
    let queue = &TEMPLATE["Resources"][destination.trim_end_matches(".Arn")];
    assert_eq!(queue["Type"], "AWS::SQS::Queue");
    assert_eq!(of_type("Schedule")["Schedule"], "rate(5 minutes)");
}

#[test]
fn a_schedule_warms_only_where_a_parameter_says_when() {
    let condition = json!({"Not": [{"Equals": [{"Ref": "WarmScheduleExpression"}, ""]}]});
    assert_eq!(TEMPLATE["Conditions"]["WarmsBySchedule"], condition);
    assert_eq!(TEMPLATE["Rules"]["ScheduleSaysWhat"]["RuleCondition"], condition);
    for parameter in ["WarmScheduleExpression", "WarmScheduleInput"] {
        assert_eq!(TEMPLATE["Parameters"][parameter]["Default"], "", "{parameter}");
    }
    let [(name, rule)] = resources("AWS::Events::Rule").collect::<Vec<_>>()[..] else { panic!("one rule") };
    let [(_, permission)] = resources("AWS::Lambda::Permission").collect::<Vec<_>>()[..] else { panic!("one right") };
    assert_eq!((&rule["Condition"], &permission["Condition"]), (&json!("WarmsBySchedule"), &json!("WarmsBySchedule")));
    let properties = &rule["Properties"];
    assert_eq!(properties["ScheduleExpression"], json!({"Ref": "WarmScheduleExpression"}));
    let target = json!({
        "Id": "Warmer", "Arn": {"GetAtt": "WarmerFunction.Arn"}, "Input": {"Ref": "WarmScheduleInput"},
    });
    assert_eq!(properties["Targets"], json!([target]));
    let expected = json!({
        "Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "WarmerFunction"},
        "Principal": "events.amazonaws.com", "SourceArn": {"GetAtt": format!("{name}.Arn")},
    });
    assert_eq!(permission["Properties"], expected);
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
    }
    let stream = &TEMPLATE["Resources"]["ControlTable"]["Properties"]["StreamSpecification"];
    assert_eq!(stream["StreamViewType"], "NEW_AND_OLD_IMAGES");
}

/// Response type, status (none: the gateway's own) and code of what the gateway answers itself.
const GATEWAY_RESPONSES: [(&str, Option<u64>, &str); 11] = [
    ("ACCESS_DENIED", Some(403), "FORBIDDEN"),
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
