#!/usr/bin/env bash
# `make prove`: the long sweeps. Each hurts runs at every point there is and
# compares what the ledger says with what the service did. One line a sweep with
# its figure, a closing line "N passed, N failed" over all points; exits 1 when
# there was a contradiction, or a sweep that did not get to its figure.
# Usage: spec/prove.sh [short]   (short: few points of each, under a minute)
# COMPOSIO_BUILD and COMPOSIO_ASAN_BUILD: where the programs are.
set -u
cd "$(dirname "$0")/.."
how=${1:-full}
export COMPOSIO_BUILD=${COMPOSIO_BUILD:-build}
export COMPOSIO_ASAN_BUILD=${COMPOSIO_ASAN_BUILD:-build/asan}
export UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=${LSAN_OPTIONS:-print_suppressions=0}
# the sweeps' own, and none that the caller happens to have
unset COMPOSIO_BASE_URL CREDENTIALS_DIRECTORY http_proxy all_proxy ALL_PROXY

for tool in strace sqlite3 spec/lua; do
  command -v "$tool" >/dev/null || {
    echo "prove: $tool is not installed" >&2
    exit 1
  }
done
if ! strace -o /dev/null true 2>/dev/null; then
  echo "prove: strace may not watch a program here" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One after the other would leave a core idle, and some wait more than they work.
sweeps=(
  "forge.lua"
  "preview.lua"
  "kill.lua refresh" "kill.lua disable" "kill.lua link"
  "kill.lua initiate" "kill.lua update" "kill.lua delete"
  "late.lua" "arrivals.lua" "fallbacks.lua"
  "property.lua" "guards.lua" "protect.lua" "undo.lua" "csv.lua" "lock.lua"
  "disk.lua" "reports.lua"
  "bytes.lua"
  "drops.lua" "drops.lua pauses"
  "replies.lua"
  "plan_edits.lua"
  "masking.lua"
  "alloc.lua"
  "lua_fuzz.lua"
)
# What calls by itself does so under the sanitizers.
one() {
  local lua=spec/lua
  case $1 in
    bytes.lua) lua=$COMPOSIO_ASAN_BUILD/composio-spec ;;
    "drops.lua pauses")
      LD_PRELOAD=$COMPOSIO_BUILD/composio-shim.so COMPOSIO_SHIM=pause:5:0 \
        "$COMPOSIO_BUILD/composio-spec" spec/prove/drops.lua pauses "$2" ||
        echo "$*: exit $?, FAILED"
      return ;;
    drops.lua | replies.lua) lua=$COMPOSIO_BUILD/composio-spec ;;
    alloc.lua) lua=$COMPOSIO_ASAN_BUILD/composio-alloc ;;
  esac
  # shellcheck disable=SC2086
  set -- $1 "$2"
  "$lua" spec/prove/"$@" || echo "$*: exit $?, FAILED"
}
export -f one
printf '%s\n' "${sweeps[@]}" |
  xargs -d '\n' -P 3 -I '{}' bash -c 'one "$@"' - '{}' "$how" | tee "$work/figures"

awk -v expected="${#sweeps[@]}" '
  match($0, /: [0-9]+ [a-z]+, [0-9]+ contradictions$/) {
    split(substr($0, RSTART + 2), word, " ")
    points += word[1]
    failed += word[3]
    figures++
  }
  /, FAILED$/ { broken++ }
  END {
    if (figures < expected) {
      printf "%d of %d sweeps gave no figure\n", expected - figures, expected
      failed += expected - figures
    }
    if (!failed)
      failed = broken
    printf "%d passed, %d failed\n", points < failed ? 0 : points - failed, failed
    exit failed > 0
  }' "$work/figures"
