# Crash: kill -9 in the middle of acknowledged events, and a restart; every acknowledged event is
# there, once.

act_crash()
{
    local ledger start acked found lost twice
    if [ -z "$data" ] || ! command -v python3 >/dev/null; then
        say "Skipped: it needs data.directory and python3."
        return
    fi
    if [[ " $acts " = *" truth "* ]]; then
        say "Vectors are recorded as they are served, for the act after this one:"
        truth_record
    fi
    ledger=$(mktemp)
    say "A producer with acknowledgements sends one event for each of many new cards."
    python3 perf/acts/crash.py "$listen" "$((seconds + 3))" "$ledger" &
    load_pid=$!
    sleep "$seconds"
    printf '  acknowledged so far: %s\n' "$(wc -l <"$ledger")"
    show "kill -9 $appliance"
    wait "$appliance" 2>/dev/null || true
    appliance=
    start=${EPOCHREALTIME/./}
    stage_start >/dev/null
    start=$((${EPOCHREALTIME/./} - start))
    grep -o 'event=recovered.*' "$log" | sed 's/^/  /'
    wait "$load_pid" || failures=$((failures + 1))
    load_pid=
    read -r acked found lost twice \
        <<<"$(python3 perf/acts/crash.py --check "$socket" "$ledger")"
    rm -f "$ledger"
    printf '  acked %s, found %s, lost %s, twice %s, back in %d.%03d s\n' \
        "$acked" "$found" "$lost" "$twice" $((start / 1000000)) $((start / 1000 % 1000))
    [ "${acked:-0}" -gt 0 ] || failures=$((failures + 1))
    must_be_zero "acknowledged events that are lost" "$lost"
    must_be_zero "acknowledged events that count twice" "$twice"
}
