#!/bin/sh
# Makes clients of openapi.yaml, and has each take every operation of the API at $API with $TOKEN: client-tour.sh TOOLS FOLDER
# TOOLS is the folder with the programs; the clients go into FOLDER. A warning is a failure: what the generator leaves out
# of a client it only warns of.
set -eu

# The generators run programs of the same folder from within the one they write to.
tools=$(cd "$1" && pwd)
rm -rf "$2/strata_client" "$2/typescript"
mkdir -p "$2/typescript"
PATH="$tools/bin:$PATH" "$tools/bin/openapi-python-client" generate --path openapi.yaml --meta none --fail-on-warning \
    --output-path "$2/strata_client"
for script in tests/stack/client-example.py tests/stack/client-tour.py; do
    PYTHONPATH="$2" PYTHONDONTWRITEBYTECODE=1 "$tools/bin/python" "$script"
done

if ! [ -d "$tools/typescript/node_modules" ]; then
    echo "skipped: the TypeScript client needs node and npm"
    exit
fi
export OPERATIONS
OPERATIONS=$("$tools/bin/python" tests/stack/list-operations.py openapi.yaml)
cd "$2/typescript"
# Node looks for packages beside the program.
ln -s "$tools/typescript/node_modules" node_modules
echo '{"type": "module"}' >package.json
node_modules/.bin/openapi-typescript "$OLDPWD/openapi.yaml" --output api.ts
cp "$OLDPWD/tests/stack/client-tour.ts" .
node_modules/.bin/tsc --strict --noUncheckedIndexedAccess --target es2022 --module nodenext --skipLibCheck client-tour.ts
node client-tour.js
