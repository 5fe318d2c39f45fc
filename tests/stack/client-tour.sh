#!/bin/sh
# Makes a client of openapi.yaml, and has it take every operation of the API at $API with $TOKEN: client-tour.sh TOOLS FOLDER
# TOOLS is the folder with the programs; the client goes into FOLDER. A warning is a failure: what the generator leaves out
# of a client it only warns of.
set -eu

# The generator runs programs of the same folder from within the one it writes to.
tools=$(cd "$1" && pwd)
rm -rf "$2/strata_client"
mkdir -p "$2"
PATH="$tools:$PATH" "$tools/openapi-python-client" generate --path openapi.yaml --meta none --fail-on-warning \
    --output-path "$2/strata_client"
for script in tests/stack/client-example.py tests/stack/client-tour.py; do
    PYTHONPATH="$2" PYTHONDONTWRITEBYTECODE=1 "$tools/python" "$script"
done
