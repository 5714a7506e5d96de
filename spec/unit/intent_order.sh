#!/usr/bin/env bash
# No request may leave before its intent is on disk: watches the system calls
# of intent_order and looks at each SEND. Before it, something must have been
# written to the ledger's log, and after the last such write a sync of that
# file must have come back well. So it must when a plan stands; what is only
# drafted is written without a sync.
# Usage: intent_order.sh PROGRAM; exits 77 where nothing can be watched.
set -u
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! command -v strace >/dev/null; then
  echo "SKIPPED: strace is not installed"
  exit 77
fi
if ! strace -o /dev/null true 2>/dev/null; then
  echo "SKIPPED: strace may not watch a program here"
  exit 77
fi

# a leak check of its own would not work while being watched
if ! ASAN_OPTIONS=detect_leaks=0 TMPDIR="$work" \
  strace -f -y -s 64 -e trace=write,pwrite64,fsync,fdatasync \
  -o "$work/calls" "$program" "$work/line"; then
  echo "FAILED: $program"
  exit 1
fi

awk '
  /pwrite64\([0-9]+<[^>]*ledger\.db-wal/ { dirty = 1; writes++ }
  /f(data)?sync\([0-9]+<[^>]*ledger\.db-wal>\) += 0$/ {
    if (writes) { dirty = 0; synced = 1; syncs++ }
    drafted += drafting
  }
  /"DRAFT\\n"/ { drafting = 1; before = writes }
  /"DRAFTED\\n"/ { drafting = 0; draft_writes = writes - before }
  /"STOOD\\n"/ { stood = !dirty }
  /write\([0-9]+<[^>]*>, "SEND / {
    sends++
    if (dirty || !synced) { early++; print "early: " $0 }
  }
  END {
    printf "%d sends, %d syncs, %d writes, %d early; the plan %s, %d " \
      "writes and %d syncs before\n", sends, syncs, writes, early,
      stood ? "stood on disk" : "did not stand", draft_writes, drafted
    exit !(sends == 200 && syncs > 1 && writes > syncs && !early && stood &&
      draft_writes > 100 && !drafted)
  }' "$work/calls" || { echo "FAILED: a send without a durable intent"; exit 1; }
