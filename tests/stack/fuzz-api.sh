#!/bin/sh
# Runs schemathesis against a local stack of its own: fuzz-api.sh STRATA_LOCAL SCHEMATHESIS EXAMPLES [SEED]
set -eu

schemathesis=$2
examples=$3
seed=${4-}
log=$(mktemp)
report=$(mktemp)
PORT=0 CONTAINERS=1 FUNCTION_ENV_RATE_LIMITS=off "$1" >"$log" &
stack=$!
trap 'kill $stack; rm -f "$log" "$report"' EXIT
until grep -q '^TOKEN=' "$log"; do
    kill -0 $stack
    sleep 0.2
done

api=$(sed -n 's/^ready //p' "$log")

# Fails as well when no answer led to another request, with which schemathesis itself is content.
judge() {
    failed=0
    "$schemathesis" --config-file tests/stack/schemathesis.toml run openapi.yaml \
        --url "$api" --header "Authorization: Bearer $(sed -n 's/^TOKEN=//p' "$log")" \
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
