#!/bin/sh
# Runs a command beside a local stack of its own, with API and TOKEN in its environment: with-stack.sh STRATA_LOCAL COMMAND...
# Nobody is limited there, unless RATE_LIMITS says on.
set -eu

log=$(mktemp)
PORT=0 CONTAINERS=1 FUNCTION_ENV_RATE_LIMITS=${RATE_LIMITS:-off} "$1" >"$log" &
stack=$!
trap 'kill $stack; rm -f "$log"' EXIT
until grep -q '^TOKEN=' "$log"; do
    kill -0 $stack
    sleep 0.2
done

shift
API=$(sed -n 's/^ready //p' "$log") TOKEN=$(sed -n 's/^TOKEN=//p' "$log") "$@"
