#!/bin/sh
# install-browser.sh FOLDER AXE
#
# Makes sure that there is a Chromium and an npm on PATH, which testing the page takes and nothing else: does nothing where
# they are, else installs the distribution's. Puts axe-core of that version into the folder, from the npm registry.
set -eu
. "$(dirname "$0")/../stack/packages.sh"

# Installs what brings the program, by one of the ways, unless it is there.
need() {
    program=$1
    shift
    have "$program" && return
    echo "no $program on PATH: installing" >&2
    log=$(mktemp)
    for way; do
        $way >>"$log" 2>&1 && have "$program" && { rm -f "$log"; return; }
    done
    cat "$log" >&2
    rm -f "$log"
    echo "no $program: install it and put it on PATH" >&2
    exit 1
}

need chromium "from_debian chromium" "from_homebrew chromium"
need npm "from_debian npm" "from_homebrew node"
mkdir -p "$1"
cd "$1"
archive=$(npm pack --silent "axe-core@$2")
tar -xzf "$archive" --strip-components 1 package/axe.min.js
rm "$archive"
