#!/usr/bin/env bash
# cargo 1.95.0: two checkouts of one workspace that share a target folder run each other's program.
#
# Expected: what is built of one checkout is never taken for the other's.
# Guess before the run: the second checkout is built anew, for its packages lie elsewhere, and a program that uses
# `env!("CARGO_MANIFEST_DIR")` is bound to where they lie.
# Seen: a member of a workspace is known by its path inside the workspace. If the sources of the second checkout are older
# than what was built of the first, as after a copy or in a worktree that was made before, `cargo run` in the second says
# nothing and runs the first's program: other code, and the first's folder in `CARGO_MANIFEST_DIR`, which is no reason to
# build again either. One touched source turns it round: then both run the second's.
#
# So tests that find their files by that variable read another checkout's, and pass or fail by what stands there.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cargo --version | grep --quiet '^cargo 1\.95\.0' || { echo "another version: $(cargo --version)"; exit 1; }
for checkout in first second; do
  mkdir -p "$folder/$checkout/member/src"
  printf '[workspace]\nmembers = ["member"]\nresolver = "3"\n' >"$folder/$checkout/Cargo.toml"
  printf '[package]\nname = "member"\nversion = "0.0.0"\nedition = "2024"\n' >"$folder/$checkout/member/Cargo.toml"
  printf 'fn main() {\n    println!("code of the %s, folder {}", env!("CARGO_MANIFEST_DIR"));\n}\n' "$checkout" \
    >"$folder/$checkout/member/src/main.rs"
done
touch -d '1 hour ago' "$folder"/*/member/src/main.rs
export CARGO_TARGET_DIR="$folder/target"
run() { (cd "$folder/$1" && cargo run --quiet --offline) | sed "s|$folder|.|"; }

seen=$(
  run first
  run second
  touch "$folder/second/member/src/main.rs"
  run second
  run first
)
echo "$seen"
[ "$seen" = "code of the first, folder ./first/member
code of the first, folder ./first/member
code of the second, folder ./second/member
code of the second, folder ./second/member" ]
