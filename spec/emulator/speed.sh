#!/usr/bin/env bash
# How fast the emulator is: status changes a second on one core, a page's time
# at 10,000 and 1,000,000 accounts, seeding time and memory. Prints figures
# beside their goals and judges nothing. `make bench` calls it.
#   spec/emulator/speed.sh [BUILD_DIR]     (build)
#   SPEED_CHANGES=40000 SPEED_MANY=1000000
# How: the emulator is bound to one core and the client to another, where there
# are two. Changes are sent by bench-limit on 64 connections, each a real one
# (an ACTIVE account is disabled) and counted in the emulator's own log. Pages
# are timed by one curl on one connection. "CPU" is the emulator's own: on a
# machine that has other things to do it is the figure to trust.
set -u
build=$(cd "${1:-build}" 2>/dev/null && pwd) || {
  echo "speed: no build directory ${1:-build}" >&2
  exit 0
}
changes=${SPEED_CHANGES:-40000}
many=${SPEED_MANY:-1000000}
for program in composio-emulator bench-limit; do
  [ -x "$build/$program" ] || { echo "speed: $build/$program is not built" >&2; exit 0; }
done
command -v curl >/dev/null 2>&1 || { echo "speed: curl is not installed" >&2; exit 0; }

first=() second=()
if command -v taskset >/dev/null 2>&1 && [ "$(nproc)" -gt 1 ]; then
  first=(taskset -c 0)
  second=(taskset -c 1)
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/composio-speed.XXXXXX") || exit 0
emulator=
finish() {
  [ -n "$emulator" ] && kill "$emulator" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

now() { date +%s.%N; }
ticks() { awk '{ print $14 + $15 }' "/proc/$emulator/stat"; }
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }

start() { # accounts; sets url, seconds
  local began
  began=$(now)
  : >"$work/ready"
  "${first[@]}" "$build/composio-emulator" --accounts "$1" --rate-limit 0 >"$work/ready" &
  emulator=$!
  until [ -s "$work/ready" ]; do sleep 0.01; done
  seconds=$(awk -v a="$began" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }')
  url=$(field url <"$work/ready")
  COMPOSIO_API_KEY=$(field api_key <"$work/ready")
  export COMPOSIO_API_KEY
}

stop() {
  kill "$emulator" && wait "$emulator" 2>/dev/null
  emulator=
}

ask() { curl -sS -H "x-api-key: $COMPOSIO_API_KEY" "$@"; }

pages() { # name, goal in ms, query, pages as curl's range
  local before after
  before=$(ticks)
  "${second[@]}" curl -sS -o /dev/null -w '%{time_total}\n' -H "x-api-key: $COMPOSIO_API_KEY" \
    "$url/api/v3.1/connected_accounts?account_type=ALL&limit=100$3&cursor=[$4]" | sort -n >"$work/times"
  after=$(ticks)
  awk -v name="$1" -v goal="$2" -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" '
    { t[NR] = $1 * 1000 }
    END {
      printf "%-44s median %6.2f ms, slowest %6.2f ms, CPU %5.2f ms (%d pages; goal %s ms)\n",
        name, t[int((NR + 1) / 2)], t[NR], ticks * 1000 / hz / NR, NR, goal
    }' "$work/times"
}

measure_changes() {
  start "$((changes * 2))"
  local last=$(((changes + 99) / 100))
  ask "$url/api/v3.1/connected_accounts?account_type=ALL&statuses=ACTIVE&limit=100&cursor=[1-$last]" |
    grep -o '"id":"ca_[^"]*"' | sed 's/.*"\(ca_[^"]*\)"/\1/' | head -n "$changes" >"$work/ids"
  local before after cpu made
  cpu=$(ticks)
  before=$(now)
  "${second[@]}" "$build/bench-limit" --base-url "$url" --job j1 --ids "$work/ids" --concurrency 64 >/dev/null
  after=$(now)
  cpu=$(($(ticks) - cpu))
  made=$(ask "$url/_emulator/stats" | field changes)
  awk -v a="$before" -v b="$after" -v n="$made" -v cpu="$cpu" -v hz="$(getconf CLK_TCK)" 'BEGIN {
    printf "%-44s %.0f a second, %.0f in a second of CPU (%d made; goal 20000)\n",
      "status changes, 64 connections, one core", n / (b - a), n * hz / cpu, n }'
  stop
}

echo "emulator on $(nproc) cores, $(uname -m)"
measure_changes
start 10000
pages "page of 100 at 10,000" 1 "" 1-100
stop
start "$many"
printf '%-44s %s s (goal 30), %s MB (goal 1500)\n' "start with $many accounts" "$seconds" \
  "$(awk '/^VmRSS/ { printf "%d", $2 / 1024 }' "/proc/$emulator/status")"
step=$((many / 100 / 100))
[ "$step" -gt 0 ] || step=1
pages "page of 100 at $many, all depths" 40 "" "1-$((many / 100)):$step"
pages "  by updated_at" 40 "&order_by=updated_at" "1-$((many / 100)):$step"
pages "  of one toolkit" 40 "&toolkit_slugs=github" "1-$((many / 1000)):$((step / 10 > 0 ? step / 10 : 1))"
pages "  of one toolkit and status, by updated_at" 40 "&toolkit_slugs=github&statuses=EXPIRED&order_by=updated_at" "1-$((many / 10000 > 0 ? many / 10000 : 1))"
printf '%-44s %s MB\n' "memory after that" "$(awk '/^VmHWM/ { printf "%d", $2 / 1024 }' "/proc/$emulator/status")"
stop
