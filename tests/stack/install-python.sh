#!/bin/sh
# Makes sure that there is a Python that can make virtual environments, for the tools that come from PyPI: does nothing
# when there is, else installs the distribution's package.
set -eu
. "$(dirname "$0")/packages.sh"

found() {
    have python3 && python3 -c 'import ensurepip, venv' 2>/dev/null
}

found && exit
echo "no python3 with venv on PATH: installing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if { from_debian python3-venv || from_homebrew python; } >"$log" 2>&1 && found; then
    exit
fi
cat "$log" >&2
echo "no python3 with venv: install it and put it on PATH" >&2
exit 1
