#!/usr/bin/env bash
# `make interop`: the official SDK against the emulator, and against our module.
# Installs the SDK that package-lock.json pins, once. Without node or without a
# registry to install from it says SKIPPED, which is neither passed nor failed.
# Usage: spec/interop/run.sh [test files]     COMPOSIO_BUILD: where the build is
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
COMPOSIO_BUILD=$(cd "$root" && realpath -m "${COMPOSIO_BUILD:-build}")
export COMPOSIO_BUILD
cd "$root/spec/interop"

skip() {
  echo "SKIPPED interop: $1"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
}

command -v node >/dev/null 2>&1 || skip "node is not installed (20 or newer is needed)"
command -v npm >/dev/null 2>&1 || skip "npm is not installed"
version=$(node -p 'process.versions.node')
[ "${version%%.*}" -ge 20 ] || skip "node $version is older than 20"

for built in composio-emulator composio.so; do
  [ -e "$COMPOSIO_BUILD/$built" ] || {
    echo "interop: $COMPOSIO_BUILD/$built is missing; build first (make)" >&2
    exit 1
  }
done

# What a registry out of reach looks like; any other failure is one of ours.
unreachable='^npm (error|ERR!) code (E(NOTFOUND|CONNREFUSED|CONNRESET|TIMEDOUT|AI_AGAIN|NETUNREACH|HOSTUNREACH|401|403|404|5[0-9][0-9])|EAI_AGAIN|ERR_SOCKET_TIMEOUT|.*CERT.*)$'

install() {
  local log
  log=$(mktemp)
  if npm ci --loglevel=error --fetch-retries=1 --fetch-timeout=60000 >"$log" 2>&1; then
    cp package-lock.json node_modules/.installed
  elif code=$(grep -Em1 "$unreachable" "$log"); then
    rm -f "$log"
    skip "the npm registry cannot be reached (${code##* })"
  else
    cat "$log" >&2
    rm -f "$log"
    exit 1
  fi
  rm -f "$log"
}
cmp -s package-lock.json node_modules/.installed || install

[ $# -gt 0 ] || set -- ./*.test.mjs
exec node --test --test-reporter=./reporter.mjs "$@"
