#!/bin/sh
# Checks a template for SAM: lint-template.sh TOOLS TEMPLATE, TOOLS being the folder with the programs. Asks no AWS account.
# Each finds what the others pass over: cfn-lint what is written, sam what cannot be translated (an authorizer that is not
# there), the translation a method of a path that is there twice, and cfn-lint again what is made of it (a reference to a
# stage that is not there). The policies for whoever deploys it (docs/policies) must allow what it needs and no more.
set -eu

translated=$(mktemp --suffix .json)
policies=$(mktemp --suffix .json)
trap 'rm -f "$translated" "$policies"' EXIT
"$1/cfn-lint" "$2"
AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 "$1/sam" validate --template "$2" >"$translated" || {
    cat "$translated" >&2
    exit 1
}
"$1/python" tests/stack/translate-template.py "$2" >"$translated"
# SAM puts the values of parameters in their place, which are then used no more, and a condition twice around what calls a
# function that has one.
"$1/cfn-lint" --ignore-checks W2001 W1028 -- "$translated"
# Traces bring rights with them.
"$1/python" tests/stack/translate-template.py "$2" Tracing=Active >"$translated"
"$1/python" tests/stack/deployer-rights.py "$translated" >"$policies"
"$1/cfn-lint" -- "$policies"
