#!/usr/bin/env bash
# Runs every spec file but those of spec/stock, each in a process of its own, two side by
# side for each core: most specs wait for a time limit or for another process, and a file
# that leaves something behind disturbs no other. Prints a file's output when the file has
# failed, and then the sum. COMPOSIO_BUILD names the directory with the programs.
# The last line is "N passed, N failed". Exits 1 when a spec failed, or when a process
# ended without its count.
# Must not know: what the specs are about.
# Usage: spec/specs.sh [DIRECTORY]   (spec)
set -u
place=$(cd "${1:-$(dirname "$0")}" && pwd)
cd "$(dirname "$0")/.."
place=${place#"$PWD"/}
build=${COMPOSIO_BUILD:?names the directory with the programs}
outputs=$(mktemp -d)
trap 'rm -rf "$outputs"' EXIT
trap 'exit 130' INT TERM

# The largest files first: a long one that begins last would run alone.
find "$place" -name '*_spec.lua' -not -path 'spec/stock/*' -printf '%s %p\n' | sort -rn | cut -d' ' -f2- |
  OUTPUTS=$outputs BUILD=$build xargs -P $((2 * $(nproc))) -I FILE bash -c '
    output=$OUTPUTS/${1//\//_}
    "$BUILD/composio-spec" spec/run.lua "$1" >"$output" 2>&1
    code=$?
    if [ $code -ne 0 ] || ! grep -q "^[0-9]* passed, 0 failed$" "$output"; then
      echo "$1: exit code $code"
      cat "$output"
      # a crash, or a leak that is found at the end
      grep -q "^[0-9]* passed, [1-9][0-9]* failed$" "$output" || echo "0 passed, 1 failed" >>"$output"
    fi' one FILE |
  grep --line-buffered -v '^[0-9]* passed, [0-9]* failed$'

cat "$outputs"/* 2>/dev/null | awk '
  /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }
  END {
    if (passed + failed == 0) { print "no spec ran"; failed = 1 }
    printf "%d passed, %d failed\n", passed, failed
    exit failed > 0
  }'
