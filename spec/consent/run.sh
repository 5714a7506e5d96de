#!/usr/bin/env bash
# The consent page in headless Chromium. Installs nothing: without Chromium,
# its driver or node it says SKIPPED, which is neither passed nor failed.
# Usage: spec/consent/run.sh     COMPOSIO_BUILD: where the build is
# CONSENT_PICTURE=FILE.png keeps a picture of the page.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
COMPOSIO_BUILD=$(cd "$root" && realpath -m "${COMPOSIO_BUILD:-build}")
export COMPOSIO_BUILD

skip() {
  echo "SKIPPED consent: $1"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
}
command -v node >/dev/null 2>&1 || skip "node is not installed (20 or newer is needed)"
version=$(node -p 'process.versions.node')
[ "${version%%.*}" -ge 20 ] || skip "node $version is older than 20"
for program in chromium chromedriver; do
  command -v $program >/dev/null 2>&1 ||
    skip "$program is not installed (Debian: chromium, chromium-driver)"
done
"$root/spec/lua" -v >/dev/null 2>&1 || skip "Lua 5.4 is not installed (Debian: lua5.4)"

for built in composio-emulator composio.so; do
  [ -e "$COMPOSIO_BUILD/$built" ] || {
    echo "consent: $COMPOSIO_BUILD/$built is missing; build first (make)" >&2
    exit 1
  }
done

cd "$root/spec/consent"
exec node --test --test-reporter=../interop/reporter.mjs ./consent.test.mjs
