#!/usr/bin/env bash
# Fuzzes what reads the service's words: builds the targets with clang in
# build/fuzz, runs each over its kept corpus and then for SECONDS (60) more.
# Usage: spec/fuzz/run.sh [SECONDS [TARGET…]]
# What a target finds stays in build/fuzz/found-TARGET: shrink it with
# -minimize_crash=1, put it into corpus/TARGET, then mend the code.
# Exits 1 on any crash; where clang or its libFuzzer is missing, says SKIPPED.
set -u
cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(reply headers json page plan)
out=${COMPOSIO_FUZZ:-build/fuzz}
here=$PWD/spec/fuzz

skip() {
  echo "SKIPPED fuzz: $1"
  echo "0 passed, 0 failed, ${#targets[@]} skipped"
  exit 0
}
command -v clang >/dev/null 2>&1 || skip "clang is missing (Debian: clang)"
probe='int LLVMFuzzerTestOneInput(const char *d, long n);
int LLVMFuzzerTestOneInput(const char *d, long n) { (void)d; return n < 0; }'
mkdir -p "$out"
clang -x c - -fsanitize=fuzzer,address -o "$out/probe" <<<"$probe" 2>/dev/null ||
  skip "clang has no libFuzzer (Debian 12: libclang-rt-14-dev)"

cmake -S spec/fuzz -B "$out" -G Ninja -DCMAKE_C_COMPILER=clang >/dev/null || exit 1
cmake --build "$out" >"$out/build.log" 2>&1 || { cat "$out/build.log"; exit 1; }

passed=0
failed=0
for target in "${targets[@]}"; do
  dict=$here/$target.dict
  [ -f "$dict" ] || dict=$here/json.dict
  grown=$out/corpus-$target
  found=$out/found-$target
  log=$out/$target.log
  mkdir -p "$grown" "$found"
  # Lua frees when it likes, which looks like a leak after each input and
  # makes libFuzzer look for one: 200 executions a second instead of 20,000
  leaks=1
  case $target in json | page) leaks=0 ;; esac
  before=$(ls "$found" | wc -l)
  # new inputs go into the first directory; the kept ones are only read
  "$out/fuzz_$target" "$grown" "$here/corpus/$target" -dict="$dict" \
    -max_total_time="$seconds" -max_len=4096 -detect_leaks=$leaks -timeout=10 -rss_limit_mb=1024 \
    -print_final_stats=1 -artifact_prefix="$found/" >"$log" 2>&1
  code=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  crashes=$(($(ls "$found" | wc -l) - before))
  echo "fuzz $target: ${runs:-?} executions in ${seconds} s, $crashes crashes," \
    "$(ls "$here/corpus/$target" | wc -l) kept inputs"
  if [ $code -eq 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    grep -E 'not so|ERROR|runtime error|Test unit written' "$log" | sed 's/^/  /'
  fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
