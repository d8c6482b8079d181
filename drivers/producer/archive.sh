#!/bin/sh
# Makes the static library: one object with everything that it needs, in which only
# freshet_producer_* is visible, so that it clashes with nobody's symbols.
# archive.sh OUTPUT ARCHIVE...
set -e
output=$1
shift
object=$output.o
ld -r -o "$object" -u freshet_producer_open --start-group "$@" --end-group
objcopy --wildcard --keep-global-symbol='freshet_producer_*' "$object"
rm -f "$output"
ar rcsD "$output" "$object"
rm -f "$object"
