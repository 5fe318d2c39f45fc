#!/bin/sh
# Runs schemathesis against the API at $API with $TOKEN: fuzz-api.sh SCHEMATHESIS EXAMPLES [SEED]
set -eu

schemathesis=$1
examples=$2
seed=${3-}
report=$(mktemp)
trap 'rm -f "$report"' EXIT

# Some answers may be waited for, for 20 s. Fails as well when no answer led to another request, with which schemathesis itself is content.
judge() {
    failed=0
    "$schemathesis" --config-file tests/stack/schemathesis.toml run openapi.yaml \
        --request-timeout 30 --url "$API" --header "Authorization: Bearer $TOKEN" \
        --max-examples "$examples" ${seed:+--seed "$seed"} --no-color "$@" >"$report" || failed=$?
    cat "$report"
    if ! grep -Eq 'API Links: +[1-9][0-9]* covered' "$report"; then
        echo "no link of openapi.yaml was followed" >&2
        failed=1
    fi
    return $failed
}

judge
# Where there is a POST, its chains of requests begin with one. Entries are made by PUT, and so have a run of their own.
judge --phases stateful --include-path-regex '^/entries'
