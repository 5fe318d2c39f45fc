#!/usr/bin/env bash
# aws-sam-translator 1.115.0 (PyPI, what aws-sam-cli 1.170.0 comes with): an API with `MergeDefinitions: true`, which
# merges its `DefinitionBody` with the events of the functions, is not told that two functions want the same method of
# the same path.
#
# Expected: two events for one method are refused, as they are without it.
# Guess before the run: refused as well, or the event that comes last is taken.
# Seen: translated without a word. The first function gets every request; the second is never called, and has its
# permission to be called all the same.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aws-sam-translator==1.115.0
cat >"$folder/translate.py" <<'PYTHON'
import re

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform


class NoPolicies:
    def load(self):
        return {}


def function():
    event = {"Path": "/things", "Method": "get", "RestApiId": {"Ref": "Api"}}
    properties = {
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "CodeUri": "s3://bucket/key",
        "Events": {"Get": {"Type": "Api", "Properties": event}},
    }
    return {"Type": "AWS::Serverless::Function", "Properties": properties}


def template(api):
    api = {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "v1", **api}}
    resources = {"Api": api, "First": function(), "Second": function()}
    return {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}


body = {
    "openapi": "3.0.1",
    "info": {"title": "things", "version": "1"},
    "paths": {"/things": {"options": {"responses": {}}}},
}
for name, api in [("events alone", {}), ("merged", {"MergeDefinitions": True, "DefinitionBody": body})]:
    try:
        resources = transform(template(api), {}, NoPolicies())["Resources"]
    except InvalidDocumentException as error:
        print(f"{name}: refused, {error.causes[0].message}")
        continue
    get = resources["Api"]["Properties"]["Body"]["paths"]["/things"]["get"]
    called = re.search(r"\$\{(\w+)\.Arn\}", get["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]).group(1)
    allowed = [name for name in resources if "Permission" in name]
    print(f"{name}: GET /things calls {called}; allowed to be called: {', '.join(allowed)}")
PYTHON

seen=$(AWS_DEFAULT_REGION=us-east-1 "$folder/venv/bin/python" "$folder/translate.py" 2>/dev/null)
echo "$seen"
diff <(echo "$seen") - <<'SEEN'
events alone: refused, Resource with id [First] is invalid. Event with id [Get] is invalid. API method "get" defined multiple times for path "/things".
merged: GET /things calls First; allowed to be called: FirstGetPermissionv1, SecondGetPermissionv1
SEEN
