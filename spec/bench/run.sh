#!/usr/bin/env bash
# Measures our jobs against their yardsticks and prints a table. It never
# fails a build: figures are printed, not judged. `make bench` calls it.
#
#   spec/bench/run.sh [BUILD_DIR]          (build)
#   BENCH_ROUNDS=5 BENCH_ACCOUNTS=20000 BENCH_LISTED=100000 BENCH_MIXED=50000
#   BENCH_START_ROUNDS=41 BENCH_CONCURRENCY=64 BENCH_JOBS="j1 j2 j3 j5"
#
# How: rounds are interleaved, ours, the yardstick, ours, the yardstick, so
# that a machine that slows down slows both. CPU is user + system of the whole
# process from exec to exit (bench-time, wait4); nothing is subtracted: our J1
# holds the listing, the plan, the ledger's fsyncs and the summary, its
# yardstick only the requests; that of J5 lists, too. Medians; the table says
# of how many rounds.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" 2>/dev/null && pwd) || {
  echo "bench: no build directory ${1:-build}" >&2
  exit 0
}
rounds=${BENCH_ROUNDS:-5}
start_rounds=${BENCH_START_ROUNDS:-41}
accounts=${BENCH_ACCOUNTS:-20000}
listed=${BENCH_LISTED:-100000}
mixed=${BENCH_MIXED:-50000} # of which every tenth is expired
concurrency=${BENCH_CONCURRENCY:-64}
jobs=${BENCH_JOBS:-j1 j2 j3 j5}
ours=$build/composio-lua

for program in bench-stub bench-limit bench-listing bench-time; do
  if [ ! -x "$build/$program" ]; then
    echo "bench: $build/$program is not built" >&2
    exit 0
  fi
done
[ -x "$ours" ] || echo "bench: $ours is not built; yardsticks only" >&2

work=$(mktemp -d "${TMPDIR:-/tmp}/composio-bench.XXXXXX") || exit 0
stub=
finish() {
  [ -n "$stub" ] && kill "$stub" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" "$2"; }

start_stub() { # accounts
  rm -f "$work/ready" # of the stub before
  "$build/bench-stub" --accounts "$1" --ids "$work/ids" >"$work/ready" &
  stub=$!
  for _ in $(seq 200); do
    [ -s "$work/ready" ] && break
    sleep 0.05
  done
  url=$(field url "$work/ready")
  COMPOSIO_API_KEY=$(field api_key "$work/ready")
  export COMPOSIO_API_KEY
}

stop_stub() {
  kill "$stub" 2>/dev/null
  wait "$stub" 2>/dev/null
  stub=
}

# One timed run; its output is kept of the last round only.
timed() { # side program arguments...
  local side=$1
  shift
  "$build/bench-time" "$work/$side" "$@" >"$work/$side.out" 2>"$work/$side.err" \
    </dev/null
}

ours_once() { # script options...
  local script=$1
  shift
  [ -x "$ours" ] || return
  rm -rf "$work/state"
  timed ours "$ours" run "$here/$script" --base-url "$url" \
    --state-dir "$work/state" --concurrency "$concurrency" \
    --progress never -q --max-changes 1000000 --max-percent 100 "$@"
}

once() { # job side
  case $1.$2 in
  j1.ours)
    ours_once j1_disable.lua --apply
    ;;
  j1.limit)
    timed limit "$build/bench-limit" --base-url "$url" --job j1 \
      --ids "$work/ids" --concurrency "$concurrency"
    ;;
  j2.ours) ours_once j2_count.lua ;;
  j2.limit) timed limit "$build/bench-listing" --base-url "$url" --page 100 ;;
  j3.ours) ours_once j3_get.lua ;;
  j3.limit)
    timed limit "$build/bench-limit" --base-url "$url" --job j3 \
      --id ca_000000007xYz
    ;;
  j5.ours) ours_once j5_refresh.lua --apply ;;
  j5.limit)
    timed limit "$build/bench-limit" --base-url "$url" --job j5 \
      --concurrency "$concurrency"
    ;;
  esac
}

# CPU microseconds per op and peak RSS in MB; a "-" where there is nothing.
median() { # file ops
  [ -s "$1" ] || { echo "- -"; return; }
  sed 's/[{}"]//g; s/[a-z_]*://g' "$1" | awk -F, -v ops="$2" '
    { cpu[NR] = ($1 + $2) * 1e6 / ops; if($4 > rss) rss = $4 }
    END {
      for(i = 2; i <= NR; i++) {
        x = cpu[i]
        for(j = i - 1; j > 0 && cpu[j] > x; j--) cpu[j + 1] = cpu[j]
        cpu[j + 1] = x
      }
      m = NR % 2 ? cpu[(NR + 1) / 2] : (cpu[NR / 2] + cpu[NR / 2 + 1]) / 2
      printf "%.2f %.1f\n", m, rss / 1024
    }'
}

failures() { # file: runs that did not exit with 0
  if [ -s "$1" ]; then grep -cv '"exit":0}' "$1"; else echo 0; fi
}

row() { # name job target ops rounds
  local a b bad
  a=$(median "$work/ours" "$4")
  b=$(median "$work/limit" "$4")
  # A run that failed did not do the work: it gets no ratio.
  bad=$(($(failures "$work/ours") + $(failures "$work/limit")))
  echo "$a $b" | awk -v name="$1" -v target="$3" -v n="$5" -v bad="$bad" '{
    ratio = $1 == "-" || $3 == "-" || bad ? "-" : sprintf("%.2fx", $1 / $3)
    printf "%-34s %11s %11s %7s %8s %8s %8s %4d\n", name, $1, $3, ratio,
      target, $2, $4, n
  }'
  bad=$(failures "$work/ours")
  if [ "$bad" != 0 ]; then
    echo "  $bad of $5 of our runs did not exit with 0; the last one said:"
    tail -n 3 "$work/ours.err" | sed 's/^/    /'
  fi
  bad=$(failures "$work/limit")
  [ "$bad" != 0 ] && echo "  $bad of $5 yardstick runs failed"
}

measure() { # name job target ops rounds
  rm -f "$work/ours" "$work/limit"
  for _ in $(seq "$5"); do
    once "$2" ours
    once "$2" limit
  done
  row "$@"
}

printf '%-34s %11s %11s %7s %8s %8s %8s %4s\n' "job (CPU in us per op)" \
  "ours" "yardstick" "ratio" "target" "ours MB" "yard MB" "n"
for job in $jobs; do
  case $job in
  j1)
    start_stub "$accounts"
    measure "J1 disable $accounts, ledger" j1 "<=1.60x" "$accounts" "$rounds"
    echo "  target for our peak RSS in J1: <= 24 MB"
    ;;
  j2)
    start_stub "$listed"
    measure "J2 list $listed, per account" j2 "<=1.30x" "$listed" "$rounds"
    ;;
  j3)
    start_stub 1000
    measure "J3 start, one GET, exit" j3 "<=1.50x" 1 "$start_rounds"
    ;;
  j5)
    start_stub "$mixed"
    measure "J5 refresh $((mixed / 10)) of $mixed, ledger" j5 "<=2.50x" \
      "$((mixed / 10))" "$rounds"
    ;;
  *)
    echo "bench: no job $job" >&2
    continue
    ;;
  esac
  stop_stub
done
exit 0
