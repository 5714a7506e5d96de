#!/usr/bin/env bash
# `make demo`: the main job on 2,000 emulated accounts. One emulator serves all
# three runs, so that the second preview sees what the apply did.
set -eu
cd "$(dirname "$0")/.."
accounts=${1:-2000}
work=$(mktemp -d)
emulator=
finish() {
  [ -z "$emulator" ] || kill "$emulator" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

mkfifo "$work/ready"
build/composio-emulator --accounts "$accounts" --seed 1 >"$work/ready" &
emulator=$!
read -r ready <"$work/ready"
COMPOSIO_BASE_URL=$(sed -n 's/.*"url":"\([^"]*\)".*/\1/p' <<<"$ready")
COMPOSIO_API_KEY=$(sed -n 's/.*"api_key":"\([^"]*\)".*/\1/p' <<<"$ready")
export COMPOSIO_BASE_URL COMPOSIO_API_KEY
export XDG_STATE_HOME=$work/state

show() {
  printf '\n$ composio-lua %s\n' "$*"
  build/composio-lua "$@" || return $?
}

printf 'An emulated Composio project with %s connected accounts.\n' "$accounts"
show run refresh_expired --report "$work/waiting.csv"
show run refresh_expired --report "$work/waiting.csv" --apply
show run refresh_expired --report "$work/second.csv"

cat <<EOF

Nothing is left that a machine can heal. What a person does next:
  1. The accounts waiting for a person are in waiting.csv (mode 0600, gone with
     this demo); its first rows, without the links, which are as good as keys:
$(cut -d, -f1-4 "$work/waiting.csv" 2>/dev/null | head -n 4 | sed 's/^/       /')
     Send each user their link within ten minutes, or make new ones when they
     are about to click: --reconnect link
  2. Accounts whose scheme cannot refresh need new credentials from their owner.
  3. Put it into cron:
       0 6 * * *  composio-lua run refresh_expired --apply -q
EOF
