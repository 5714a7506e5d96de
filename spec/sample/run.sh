#!/usr/bin/env bash
# The sample spec as its user runs it: by busted alone. Installs nothing.
# Usage: spec/sample/run.sh     COMPOSIO_BUILD: where the build is
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
COMPOSIO_BUILD=$(cd "$root" && realpath -m "${COMPOSIO_BUILD:-build}")
export COMPOSIO_BUILD
for program in busted curl; do
  command -v $program >/dev/null 2>&1 || {
    echo "SKIPPED sample: $program is not installed (Debian: lua-busted, curl)"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
  }
done
cd "$root/spec/sample"
code=0
out=$(busted --output=TAP my_script_spec.lua 2>&1) || code=$?
passed=$(grep -c '^ok ' <<<"$out" || true)
failed=$(grep -c '^not ok ' <<<"$out" || true)
if [ $code -ne 0 ] || [ "$passed" -eq 0 ]; then
  printf '%s\n' "$out"
  [ "$failed" -gt 0 ] || failed=1
  echo "$passed passed, $failed failed"
  exit 1
fi
echo "$passed passed, $failed failed"
