#!/bin/sh
# Shows that lint-template.sh refuses what must not be deployed: template-mutants.sh TOOLS TEMPLATE
set -eu

mutant=$(mktemp --suffix .yaml)
trap 'rm -f "$mutant"' EXIT

# Says what is wrong, how to make it so (a script of sed), and a word of the complaint that it must lead to.
refused() {
    sed "$2" "$template" >"$mutant"
    ! cmp -s "$template" "$mutant" || { echo "the template has no place for: $1" >&2; exit 1; }
    if complaint=$(tests/stack/lint-template.sh "$tools" "$mutant" 2>&1); then
        echo "not refused: $1" >&2
        exit 1
    fi
    case $complaint in
    *"$3"*) echo "refused: $1" ;;
    *) echo "refused for something else: $1: $complaint" >&2; exit 1 ;;
    esac
}

tools=$1
template=$2
tests/stack/lint-template.sh "$tools" "$template"
refused "an authorizer that is not there" 's/DefaultAuthorizer: JwtAuthorizer/DefaultAuthorizer: JwtAuthoriser/' JwtAuthoriser
refused "a misspelt DefaultAuthorizer" 's/DefaultAuthorizer:/DefaultAuthoriser:/' DefaultAuthoriser
refused "a method of a path twice" '/Path: \/cache\/entries\/{key+}/{n;s/Method: PUT/Method: GET/}' /cache/entries/
refused "a stage that is not there" 's/!Ref Api\.Stage/!Ref Api.Stag/' Stag
refused "a resource that whoever deploys may not make" 's/^Resources:/&\n  Topic: {Type: AWS::SNS::Topic, Properties: {}}/' sns:CreateTopic
refused "a right beyond the boundary" 's/- dynamodb:DescribeTable/- dynamodb:DeleteTable/' dynamodb:DeleteTable
