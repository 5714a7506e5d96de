#!/usr/bin/env bash
# Formatting, static analysis, Lua checks, house rules. Names every breach;
# exits 1 when there is one.
set -u
cd "$(dirname "$0")/../.."
failed=0
say() { printf '%-14s %s\n' "$1" "$2"; }

mapfile -t c_files < <(git ls-files '*.c' '*.h')
if clang-format --dry-run -Werror "${c_files[@]}"; then
  say clang-format "${#c_files[@]} files"
else
  say clang-format FAILED
  failed=1
fi

if spec/lua spec/lint/levels.lua; then say levels ok; else failed=1; fi

if luacheck -q bindings scripts spec docs; then say luacheck ok; else failed=1; fi

# Tests are plain code that sanitizers run; analysing them as well would double
# the time.
mapfile -t units < <(git ls-files 'core/*.c' 'bindings/*.c' 'spec/emulator/*.c' 'spec/faultproxy/*.c')
cmake --build --preset release >/dev/null || failed=1 # generated sources
if spec/lua spec/lint/circles.lua build; then say circles ok; else failed=1; fi
if spec/lua spec/lint/names.lua . build; then say names ok; else failed=1; fi
printf '%s\n' "${units[@]}" |
  xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build >build/clang-tidy.out 2>build/clang-tidy.log
if grep -q 'error:' build/clang-tidy.out build/clang-tidy.log; then
  grep -h 'error:' build/clang-tidy.out build/clang-tidy.log | sort -u
  say clang-tidy FAILED
  failed=1
else
  say clang-tidy "${#units[@]} files"
fi

if spec/lua docs/make_api.lua --check; then say docs ok; else failed=1; fi
exit $failed
