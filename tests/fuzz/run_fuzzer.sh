#!/bin/sh
# Usage: run_fuzzer.sh PROGRAM CORPUS. Fuzzes for FUZZ_SECONDS (default 5), starting from the corpus
# and leaving it as it is. A crash leaves its input beside the program and prints it.
set -eu
program=$1
corpus=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$program" -max_total_time="${FUZZ_SECONDS:-5}" -timeout=5 -rss_limit_mb=2048 -max_len=16384 \
    -print_final_stats=1 -artifact_prefix="$program-" "$work" "$corpus"
