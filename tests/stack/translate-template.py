"""Prints what SAM makes of a template, as JSON: translate-template.py TEMPLATE [PARAMETER=VALUE…]

`sam validate` translates and keeps the result to itself, and cfn-lint checks what it is given: a reference to a resource
that only SAM makes, such as the API's stage, is checked by nobody unless the translation is. Asks no AWS account.
"""

import json
import logging
import os
import sys

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """The template names none, so that IAM need not be asked for theirs."""

    def load(self):
        return {}


def main():
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    logging.disable(logging.WARNING)
    with open(sys.argv[1], encoding="utf-8") as file:
        template = yaml_parse(file.read())
    for resource in template["Resources"].values():
        # Where `sam package` would have put the code.
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/code"
    template["Globals"]["Function"].pop("CodeUri", None)
    # Merging the events into the definition, SAM takes the last one of two for the same method without a word.
    events = [event for resource in template["Resources"].values()
              for event in resource["Properties"].get("Events", {}).values() if event["Type"] == "Api"]
    routes = [(event["Properties"]["Path"], event["Properties"]["Method"]) for event in events]
    twice = sorted({route for route in routes if routes.count(route) > 1})
    if twice:
        sys.exit(f"methods that are there twice: {twice}")
    try:
        given = dict(argument.split("=", 1) for argument in sys.argv[2:])
        json.dump(transform(template, given, NoManagedPolicies()), sys.stdout, indent=1)
    except InvalidDocumentException as error:
        sys.exit("\n".join([error.message, *(cause.message for cause in error.causes)]))


main()
