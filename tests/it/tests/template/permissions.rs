//! Each function may do what it must, and nothing else. No local engine checks rights, so that one too few would be found
//! in production; one too many never.

use super::{TEMPLATE, cache_functions, function, functions, keys, resources};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use strata_it::stack::repository;

#[test]
fn functions_may_do_no_more_than_they_must() {
    for (name, properties) in functions() {
        let policies = properties["Policies"].as_array().into_iter().flatten();
        for statement in policies.flat_map(|policy| policy["Statement"].as_array().into_iter().flatten()) {
            // A condition only takes away.
            for granted in ["Action", "Resource"] {
                assert!(!statement[granted].to_string().contains('*'), "{name}: {statement}");
            }
        }
    }
    let secret = json!({
        "Sid": "VerifyTokens", "Effect": "Allow", "Action": "secretsmanager:GetSecretValue",
        "Resource": {"Ref": "JwtSecretArn"}
    });
    let policy = json!({"Version": "2012-10-17", "Statement": [secret]});
    let authorizer = function("authorizer");
    assert_eq!(authorizer["Policies"], json!([{"If": ["HasJwtSecret", policy, {"Ref": "AWS::NoValue"}]}]));
    let variables = keys(&authorizer["Environment"]["Variables"]);
    assert!(!variables.contains("JWT_SECRET"), "a variable shows the secret to whoever sees the function");
    assert!(variables.contains("JWT_SECRET_ARN"));
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

/// What each function asks of a table, by the function's binary: of the entries, and of the control table. What a sync
/// may have to take up is the configuration, and notes, which become records of the journal and are deleted then.
const NEEDS: [(&str, &str, &[&str]); 12] = [
    // One entry with its chunks; a new value's chunks and index rows, and the removal of the old one's.
    ("entries", "EntriesTable", &["BatchGetItem", "BatchWriteItem", "GetItem", "PutItem", "UpdateItem"]),
    // Notes of its own as well, of mutations that Redis was not told of; and DELETEs that can be undone.
    ("entries", "ControlTable", &["BatchWriteItem", "GetItem", "PutItem", "Query", "UpdateItem"]),
    // Matches by prefix or by tag, which become tombstones, with their chunks and index rows; and values again.
    ("invalidate", "EntriesTable", &["BatchGetItem", "BatchWriteItem", "GetItem", "PutItem", "Query", "UpdateItem"]),
    // Notes, the job that goes on when the request is over, who waits for the next mutation, and what can be undone.
    ("invalidate", "ControlTable", &["BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]),
    // Counts, lists, and a probe; it changes nothing but what a sync takes up.
    ("status", "EntriesTable", &["BatchGetItem", "DescribeTable", "GetItem", "Query"]),
    ("status", "ControlTable", &["BatchWriteItem", "GetItem", "PutItem", "Query"]),
    // Whose table it is; entries are none of its business.
    ("config", "EntriesTable", &["GetItem"]),
    // The document.
    ("config", "ControlTable", &["BatchWriteItem", "GetItem", "PutItem", "Query"]),
    // Whose table it is, and an estimate of what a pattern matches.
    ("warm", "EntriesTable", &["GetItem", "Query"]),
    // Jobs: made, reported and cancelled, which takes them off the list of those that are undone.
    ("warm", "ControlTable", &["BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]),
    // As an invalidation; and values to load, with their chunks.
    ("warmer", "EntriesTable", &["BatchGetItem", "BatchWriteItem", "GetItem", "PutItem", "Query", "UpdateItem"]),
    // Jobs: taken, saved, ended and taken off the list of those that are undone.
    ("warmer", "ControlTable", &["BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]),
];

/// Together they hide what one function lacks and another has too much of.
#[test]
fn each_function_may_do_what_it_needs_to_each_table() {
    let mut allowed: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for (binary, properties) in cache_functions() {
        for statement in properties["Policies"][0]["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow", "{binary}");
            let table = statement["Resource"]["GetAtt"].as_str().unwrap().trim_end_matches(".Arn");
            let actions = statement["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap());
            let actions = actions.map(|action| action.trim_start_matches("dynamodb:"));
            allowed.entry((binary, table)).or_default().extend(actions);
        }
        assert_eq!(properties["Policies"][1], json!({"Ref": "SignInToCache"}), "{binary}");
        assert_eq!(properties["Policies"].as_array().unwrap().len(), 2, "{binary}");
    }
    let needed = NEEDS.iter().map(|(binary, table, actions)| ((*binary, *table), actions.iter().copied().collect()));
    assert_eq!(allowed, needed.collect());
}

/// The function that serves everybody's keys reads the configuration, and can change neither that nor a job.
#[test]
fn entries_may_write_notes_and_what_can_be_undone_alone_into_the_control_table() {
    let statements = function("entries")["Policies"][0]["Statement"].as_array().unwrap();
    let about_control = statements.iter().filter(|statement| statement["Resource"]["GetAtt"] == "ControlTable.Arn");
    for statement in about_control {
        let partitions = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
        let writes =
            statement["Action"].to_string().contains("Write") || statement["Action"].to_string().contains("Put");
        let expected = match statement["Action"].to_string().contains("Update") {
            true => json!(["undos", "undo#*", "undos#due"]),
            false if writes => json!(["note#*", "notes", "notes#ended"]),
            false => json!(["note", "note#*", "notes"]),
        };
        assert_eq!(*partitions, expected);
    }
}

/// Where no entry is read, the right to one row alone says whose table it is.
#[test]
fn who_reads_no_entries_may_look_whose_table_it_is() {
    for binary in ["config", "warm"] {
        let statements = function(binary)["Policies"][0]["Statement"].as_array().unwrap();
        let owner = statements.iter().find(|statement| statement["Sid"] == "TableOwner").unwrap();
        assert_eq!(owner["Action"], json!(["dynamodb:GetItem"]));
        assert_eq!(owner["Condition"], json!({"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["deployment"]}}));
    }
}

/// DynamoDB uses the key in the name of whoever reads or writes the table, and SQS in that of whoever fills the queue.
#[test]
fn who_uses_the_tables_may_use_their_key_and_only_for_them() {
    let policy = &TEMPLATE["Resources"]["UseKmsKey"];
    assert_eq!(policy["Condition"], "HasKmsKey");
    let roles = policy["Properties"]["Roles"].as_array().unwrap().iter();
    let roles: BTreeSet<&str> = roles.map(|role| role["Ref"].as_str().unwrap()).collect();
    let functions = resources("AWS::Serverless::Function").map(|(name, _)| format!("{name}Role"));
    let use_none = ["AuthorizerFunctionRole", "ConsoleFunctionRole"];
    let functions: BTreeSet<String> = functions.filter(|role| !use_none.contains(&role.as_str())).collect();
    assert_eq!(roles, functions.iter().map(String::as_str).collect());
    let services =
        ["dynamodb", "sqs"].map(|service| json!({"Sub": format!("{service}.${{AWS::Region}}.amazonaws.com")}));
    let statement = json!({
        "Sid": "UseKmsKey", "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": {"Ref": "KmsKeyArn"}, "Condition": {"StringEquals": {"kms:ViaService": services}}
    });
    assert_eq!(policy["Properties"]["PolicyDocument"]["Statement"], json!([statement]));
}

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
