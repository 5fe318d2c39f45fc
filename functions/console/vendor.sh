#!/bin/sh
# Brings the libraries of the page from the npm registry: functions/console/vendor.sh
#
# Run by hand, to take another version; its output is committed, and a test compares it with `sums`. Whoever builds,
# deploys or runs the console needs neither this script nor node. `npm pack` checks what it fetches against the
# registry's own sum.
set -eu

cd "$(dirname "$0")/vendor"
fetched=$(mktemp -d)
trap 'rm -rf "$fetched"' EXIT

# Unpacks PACKAGE@VERSION, and keeps its licence as NAME.LICENSE.
fetch() {
    archive=$(npm pack --silent --pack-destination "$fetched" "$1@$2")
    mkdir "$fetched/$1"
    tar -xzf "$fetched/$archive" -C "$fetched/$1" --strip-components 1
    cp "$fetched/$1/LICENSE" "$1.LICENSE"
}

# A file of a package under a line that says what it is, and less the reference to its source map, which is not served.
file() {
    package=$(sed -n 's/^  "version": "\(.*\)",/\1/p' "$fetched/$1/package.json")
    licence=$(sed -n 's/^  "license": "\(.*\)",/\1/p' "$fetched/$1/package.json")
    printf '/*! %s %s, %s */\n' "$1" "$package" "$licence"
    sed '/^\/\/# sourceMappingURL=/d' "$fetched/$1/$2"
}

fetch preact 11.2.0
file preact dist/preact.mjs >preact.js
# A browser knows files, and no names of packages.
file preact hooks/dist/hooks.mjs | sed 's/from"preact"/from".\/preact.js"/' >hooks.js

fetch htm 3.1.1
file htm dist/htm.module.js >htm.js

fetch uplot 1.6.32
# The minified form is made for a <script>; one line makes a module of it.
{ file uplot dist/uPlot.iife.min.js; printf '\nexport default uPlot;\n'; } >uplot.js
cp "$fetched/uplot/dist/uPlot.min.css" uplot.css

sha256sum -- *.js *.css *.LICENSE >sums
