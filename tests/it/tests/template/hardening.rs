//! What keeps strangers, and mistakes, away from a deployment.

use super::{TEMPLATE, api, permissions::access_string, resources};
use serde_json::{Value, json};

fn no_value() -> Value {
    json!({"Ref": "AWS::NoValue"})
}

#[test]
fn with_a_domain_there_is_no_other_way_in() {
    assert_eq!(api()["DisableExecuteApiEndpoint"], json!({"If": ["HasDomain", true, false]}));
}

#[test]
fn only_networks_that_are_allowed_may_call() {
    let statements = api()["Auth"]["ResourcePolicy"]["CustomStatements"].as_array().unwrap();
    let effects: Vec<&Value> = statements.iter().map(|statement| &statement["Effect"]).collect();
    assert_eq!(effects, ["Allow", "Deny"]);
    let networks = json!({"NotIpAddress": {"aws:SourceIp": {"Split": [",", {"Ref": "AllowedCidrs"}]}}});
    assert_eq!(statements[1]["Condition"], networks);
    for statement in statements {
        assert_eq!(statement["Resource"], "execute-api:/*");
    }
    let (_, association) = resources("AWS::WAFv2::WebACLAssociation").next().unwrap();
    assert_eq!(association["Condition"], "HasWebAcl");
    assert_eq!(association["Properties"]["WebACLArn"], json!({"Ref": "WebAclArn"}));
}

/// A path has the key, and a token is nobody's business.
#[test]
fn the_access_log_has_no_key_and_no_token() {
    let setting = api()["AccessLogSetting"]["If"].as_array().unwrap();
    assert_eq!((&setting[0], &setting[2]), (&json!("LogsAccess"), &no_value()));
    let line: Value = serde_json::from_str(setting[1]["Format"].as_str().unwrap()).unwrap();
    let allowed = [
        "$context.requestId",
        "$context.requestTime",
        "$context.identity.sourceIp",
        "$context.httpMethod",
        "$context.resourcePath",
        "$context.status",
        "$context.error.responseType",
        "$context.authorizer.status",
        "$context.responseLatency",
        "$context.integrationLatency",
        "$context.responseLength",
    ];
    for (name, value) in line.as_object().unwrap() {
        assert!(allowed.contains(&value.as_str().unwrap()), "{name}: {value}");
    }
}

#[test]
fn functions_reach_dynamodb_alone_where_its_prefix_list_is_given() {
    let egress = &TEMPLATE["Resources"]["FunctionSecurityGroup"]["Properties"]["SecurityGroupEgress"];
    assert_eq!(egress.as_array().unwrap().len(), 1);
    assert_eq!(egress[0]["CidrIp"], json!({"If": ["HasPrefixList", no_value(), "0.0.0.0/0"]}));
    let list = json!({"If": ["HasPrefixList", {"Ref": "DynamoDbPrefixListId"}, no_value()]});
    assert_eq!(egress[0]["DestinationPrefixListId"], list);
}

/// Which of these the server refuses is tried in `engines`, with the same rights.
#[test]
fn the_user_of_redis_may_not_look_at_what_others_have_there() {
    let rights = access_string();
    for refused in ["-scan", "-randomkey", "-script|flush", "-script|kill", "-function", "-fcall", "-fcall_ro"] {
        assert!(rights.split(' ').any(|right| right == refused), "{refused} in {rights}");
    }
    let last_grant = rights.rfind(" +").unwrap();
    assert!(rights.find(" -scan").unwrap() > last_grant, "what comes later counts: {rights}");
}
