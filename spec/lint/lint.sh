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

if lua5.4 spec/lint/levels.lua; then say levels ok; else failed=1; fi

if luacheck -q bindings scripts spec; then say luacheck ok; else failed=1; fi

mapfile -t units < <(git ls-files '*.c')
cmake --build --preset release >/dev/null || failed=1 # generated sources
if printf '%s\n' "${units[@]}" |
  xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build 2>build/clang-tidy.log |
  tee build/clang-tidy.out | grep -q 'error:'; then
  grep -E 'error:' build/clang-tidy.out | sort -u
  say clang-tidy FAILED
  failed=1
elif [ ! -s build/clang-tidy.out ] && grep -q 'Error' build/clang-tidy.log; then
  tail -n 5 build/clang-tidy.log
  say clang-tidy "FAILED to run"
  failed=1
else
  say clang-tidy "${#units[@]} files"
fi
exit $failed
