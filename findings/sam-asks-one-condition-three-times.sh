#!/usr/bin/env bash
# aws-sam-translator 1.115.0 and cfn-lint 1.58.0 (PyPI): a function with a `Condition` and one event of an API, translated
# by the one and checked by the other.
#
# Expected: one `Fn::If` around what calls the function, and nothing to say about it.
# Guess before the run: one, around the path's method; cfn-lint is silent.
# Seen: three, one in the other, all asking the same condition: around the path, the method, and the URI. cfn-lint says
# twice that a branch cannot be reached (W1028). Whoever checks what SAM makes of a template must leave that check out.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aws-sam-translator==1.115.0 cfn-lint==1.58.0
cat >"$folder/translate.py" <<'PYTHON'
import json
import sys

from samtranslator.translator.transform import transform


class NoPolicies:
    def load(self):
        return {}


event = {"Path": "/things", "Method": "get", "RestApiId": {"Ref": "Api"}}
function = {
    "Runtime": "provided.al2023",
    "Handler": "bootstrap",
    "CodeUri": "s3://bucket/key",
    "Events": {"Get": {"Type": "Api", "Properties": event}},
}
template = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Transform": "AWS::Serverless-2016-10-31",
    "Parameters": {"Things": {"Type": "String", "AllowedValues": ["on", "off"], "Default": "on"}},
    "Conditions": {"Wanted": {"Fn::Equals": [{"Ref": "Things"}, "on"]}},
    "Resources": {
        "Api": {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "v1"}},
        "Function": {"Type": "AWS::Serverless::Function", "Condition": "Wanted", "Properties": function},
    },
}
translated = transform(template, {"Things": "on"}, NoPolicies())
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(translated, file)


def asked(node, path=""):
    """Where conditions are asked, and which."""
    for name, inner in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if name == "Fn::If":
            print(f"{inner[0]} is asked around {path}")
        yield from asked(inner, path if name == "Fn::If" or isinstance(name, int) else f"{path}/{name}".lstrip("/"))


list(asked(translated["Resources"]["Api"]["Properties"]["Body"]["paths"]))
PYTHON

seen=$(
    AWS_DEFAULT_REGION=us-east-1 "$folder/venv/bin/python" "$folder/translate.py" "$folder/out.json" 2>/dev/null
    { "$folder/venv/bin/cfn-lint" "$folder/out.json" || true; } | grep '^[WE]'
)
echo "$seen"
diff <(echo "$seen") - <<'SEEN'
Wanted is asked around things
Wanted is asked around things/get
Wanted is asked around things/get/x-amazon-apigateway-integration/uri
W1028 ['Fn::If', 2] is not reachable. When setting condition 'Wanted' to False from current status True
W1028 ['Fn::If', 2] is not reachable. When setting condition 'Wanted' to False from current status True
SEEN
