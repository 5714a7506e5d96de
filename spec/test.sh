#!/usr/bin/env bash
# `make test`: runs what is built in build and build/asan; `make test-release`:
# the same specs on build alone, without sanitizers; `make portable`: units and
# specs on build/portable, where every call that only Linux has is replaced by
# what other systems do. Stops at nothing, so that one look shows every failure;
# exits 1 when there was one.
# Usage: spec/test.sh [release|portable]
set -u
cd "$(dirname "$0")/.."
failed=0
stock=build # the module that users load
case ${1:-asan} in
  asan) tested=build/asan what="AddressSanitizer and UBSan" ;;
  release) tested=build what="without sanitizers" ;;
  portable) tested=build/portable what="portable" stock=build/portable ;;
  *) echo "usage: spec/test.sh [release|portable]" >&2 && exit 2 ;;
esac
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=print_stacktrace=1

echo "== C units and checks"
ctest --test-dir "$tested" --output-on-failure -j "$(nproc)" || failed=1

echo "== specs, $what"
COMPOSIO_BUILD=$PWD/$tested spec/specs.sh || failed=1

echo "== the module in stock Lua"
COMPOSIO_BUILD=$PWD/$stock LUA_CPATH="$stock/?.so;;" spec/lua spec/run.lua spec/stock || failed=1

echo "== the sample spec that users copy, in plain busted"
COMPOSIO_BUILD=$PWD/$stock spec/sample/run.sh || failed=1

[ $failed -eq 0 ] || echo "make test: FAILED" >&2
exit $failed
