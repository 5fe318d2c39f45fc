"""Holds docs/policies against what is deployed: deployer-rights.py TRANSLATED, a template as SAM translates it, with traces.

No engine that runs here checks rights, so that one too few would be found at the first deployment, and one too many by
nobody. But each resource type's schema, which cfn-lint brings, says what CloudFormation asks of AWS to make, read, change
and delete one. Prints a template that has the policies in it, for cfn-lint, which knows whether there are such actions.
"""

import json
import sys
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path

SCHEMAS = files("cfnlint.data.schemas")
POLICIES = Path(__file__).parents[2] / "docs" / "policies"
# Of a managed policy, in characters that are no space (AWS, "IAM and AWS STS quotas").
LONGEST = 6144

# What a schema asks for and this template does not use.
LEFT_OUT = {
    "made from files": ["dynamodb:*Import*", "s3:GetObjectMetadata", "s3:ListBucket"],
    "replicas, Kinesis and Contributor Insights of tables": [
        "dynamodb:*Replica", "dynamodb:Scan", "dynamodb:Query", "dynamodb:*Item", "dynamodb:BatchWriteItem", "kinesis:*",
        "dynamodb:EnableKinesis*", "dynamodb:DisableKinesis*", "dynamodb:UpdateKinesis*",
        "dynamodb:UpdateContributorInsights"],
    "policies of tables": ["dynamodb:PutResourcePolicy", "dynamodb:DeleteResourcePolicy"],
    "replication groups": ["elasticache:ModifyReplicationGroup"],
    "layers, versions, signed code, file systems, capacity and other settings of functions": [
        "lambda:GetLayerVersion", "lambda:GetCodeSigningConfig", "lambda:DeleteFunctionCodeSigningConfig",
        "lambda:Put*Config", "lambda:PublishVersion", "lambda:PassCapacityProvider", "lambda:AssociateRuntimeAlias",
        "elasticfilesystem:*", "s3files:*"],
    "groups and users": ["iam:*GroupPolicy", "iam:*UserPolicy"],
    "roles without a boundary": ["iam:DeleteRolePermissionsBoundary"],
    "deliveries, policies, indexes and protection of logs": [
        "logs:*LogDelivery", "logs:*LogStream*", "logs:PutLogEvents", "logs:PutDataProtectionPolicy",
        "logs:DeleteDataProtectionPolicy", "logs:PutLogGroupDeletionProtection", "logs:PutIndexPolicy", "logs:DeleteIndexPolicy",
        "logs:PutResourcePolicy", "logs:DeleteResourcePolicy", "logs:PutBearerTokenAuthentication", "s3:REST.*",
        "firehose:*"],
    "VPC Lattice, other regions, and blocks, tenancy and encryption of a VPC": [
        "vpc-lattice:*", "vpce:*", "ec2:*SubnetCidrBlock", "ec2:ModifyVpcTenancy", "ec2:*EncryptionControl*"],
    "instances": ["ec2:DescribeInstances"],
    "web ACLs of other accounts, and before other things than a REST API": [
        "wafv2:*PermissionPolicy", "elasticloadbalancing:*", "appsync:*", "cognito-idp:*", "apprunner:*", "amplify:*",
        "ec2:*VerifiedAccess*", "bedrock-agentcore:*"],
    "keys, seen by name": ["kms:ListAliases"],
}
LEFT_OUT = [pattern for patterns in LEFT_OUT.values() for pattern in patterns]

# What no schema asks for, and AWS's documentation of the service does.
BESIDES = {
    "iam:CreateServiceLinkedRole": "the first cache of an account",
}

# What AWS's own policies allow that SAM gives to functions.
OF_AWS = {
    "AWSLambdaBasicExecutionRole": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
    "AWSLambdaVPCAccessExecutionRole": [
        "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"],
    "AWSLambdaDynamoDBExecutionRole": [
        "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"],
    "AWSXrayWriteOnlyAccess": [
        "xray:GetSamplingRules", "xray:GetSamplingStatisticSummaries", "xray:GetSamplingTargets",
        "xray:PutTelemetryRecords", "xray:PutTraceSegments"],
}


def is_left_out(action):
    return any(fnmatchcase(action, pattern) for pattern in LEFT_OUT)


def asked(kind):
    """The actions that CloudFormation asks of AWS for a resource of this type; lists are for other tools."""
    names = json.loads((SCHEMAS / "providers" / "us-east-1.json").read_text(encoding="utf-8"))
    schema = json.loads((SCHEMAS / "resources" / f"{names[kind]}.json").read_text(encoding="utf-8"))
    actions = {action for name, handler in schema["handlers"].items() if name != "list"
               for action in handler.get("permissions", [])}
    return actions | set(schema.get("tagging", {}).get("permissions", []))


def statements(value):
    """All statements of the policies anywhere in a value, whatever conditions they are under."""
    if isinstance(value, dict):
        if "Action" in value and "Principal" not in value:
            yield value
        for part in value.values():
            yield from statements(part)
    elif isinstance(value, list):
        for part in value:
            yield from statements(part)


def listed(value):
    return value if isinstance(value, list) else [value]


def actions_of(value):
    return {action for statement in statements(value) for action in listed(statement["Action"])}


def complaints(resources, policies):
    own = {name: actions_of(policy) for name, policy in policies.items()}
    for name, policy in policies.items():
        size = len("".join(json.dumps(policy).split()))
        if size > LONGEST:
            yield f"{name}: {size} characters, more than AWS takes"

    by_type = {kind: asked(kind) for kind in sorted({resource["Type"] for resource in resources.values()})}
    granted = own["stack"] | own["network"]
    for kind, actions in by_type.items():
        for action in sorted(actions - granted):
            if not is_left_out(action):
                yield f"{kind} needs {action}, which neither stack.json nor network.json allows"
    everything = set().union(*by_type.values())
    for action in sorted(granted):
        if action not in BESIDES and (action not in everything or is_left_out(action)):
            yield f"{action} is allowed, and nothing that is deployed needs it"
    for pattern in LEFT_OUT:
        if not any(fnmatchcase(action, pattern) for action in everything):
            yield f"{pattern} is left out, and nothing asks for it"
    for statement in policies["stack"]["Statement"]:
        looks = all(action.split(":")[1].startswith("Describe") for action in statement["Action"])
        if statement["Resource"] == "*" and "Condition" not in statement and not looks:
            yield f"stack.json: {statement['Sid']} reaches what is not Strata's"

    roles = {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == "AWS::IAM::Role"}
    used = actions_of([resource for resource in resources.values() if resource["Type"] == "AWS::IAM::ManagedPolicy"])
    for name, role in roles.items():
        if "PermissionsBoundary" not in role:
            yield f"{name} has no boundary"
        used |= actions_of(role["Policies"]) if "Policies" in role else set()
        for policy in role["ManagedPolicyArns"]:
            if isinstance(policy, str):
                used |= set(OF_AWS[policy.split("/")[-1]])
    for action in sorted(used - own["boundary"]):
        yield f"a function may {action}, which boundary.json forbids"
    for action in sorted(own["boundary"] - used):
        yield f"boundary.json: no function may {action}"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        resources = json.load(file)["Resources"]
    policies = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(POLICIES.glob("*.json"))}
    wrong = list(complaints(resources, policies))
    if wrong:
        sys.exit("\n".join(wrong))
    managed = {name.title(): {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": policy}}
               for name, policy in policies.items()}
    json.dump({"AWSTemplateFormatVersion": "2010-09-09", "Resources": managed}, sys.stdout, indent=1)


main()
