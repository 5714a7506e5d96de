#!/usr/bin/env bash
# `make demo`: the main job on emulated accounts. One emulator serves all three
# runs, so that the second preview sees what the apply did.
# Usage: spec/demo.sh [ACCOUNTS]   (2000)
set -eu
cd "$(dirname "$0")/.."
build=$PWD/build
accounts=${1:-2000}
work=$(mktemp -d)
emulator=
finish() {
  [ -z "$emulator" ] || kill "$emulator" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

mkfifo "$work/ready"
"$build/composio-emulator" --accounts "$accounts" --seed 1 >"$work/ready" &
emulator=$!
read -r ready <"$work/ready"
COMPOSIO_BASE_URL=$(sed -n 's/.*"url":"\([^"]*\)".*/\1/p' <<<"$ready")
COMPOSIO_API_KEY=$(sed -n 's/.*"api_key":"\([^"]*\)".*/\1/p' <<<"$ready")
export COMPOSIO_BASE_URL COMPOSIO_API_KEY
export XDG_STATE_HOME=$work/state
cd "$work"

show() {
  printf '\n$ composio-lua %s\n' "$*"
  "$build/composio-lua" "$@" 2>&1
}

printf 'An emulated Composio project with %s connected accounts.\n' "$accounts"
show run refresh_expired
show run refresh_expired --apply
show run refresh_expired

cat <<EOF

Nothing is left that a machine can heal. What a person does next:
  - waiting.csv (readable by you alone) lists who has to log in again, why, and
    since when:
$(sed 's/,[^,]*,[^,]*$//; s/^/      /' waiting.csv | head -n 4)
    A link lives ten minutes. When people are about to click, mint links into
    the last column: --people refresh
  - Accounts that need new credentials: ask their owners for a new key.
  - Put the project's API key into ~/.config/composio-lua/api-key (mode 0600), and let
    cron do it from tomorrow on:
      0 6 * * *  $build/composio-lua run refresh_expired --apply --cron --api-key-file $HOME/.config/composio-lua/api-key --report $HOME/waiting.csv
EOF
