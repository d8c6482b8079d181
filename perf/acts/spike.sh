# Spike: ten times the load for some seconds; what reads cost before and meanwhile, and that no
# event went missing.

spike_rate=20000

# spike_drive RATE
spike_drive()
{
    local line="$build/freshet-load --config $config --rate $1 --readers 2 --read-rate 1000"
    line="$line --seconds $seconds --json"
    printf '$ %s\n' "$line"
    $line >"$load_out" || failures=$((failures + 1))
    printf '  sent %s events, applied %s, lost on the way %s\n' "$(result sent)" \
        "$(result applied)" "$(result lost)"
}

act_spike()
{
    local calm
    say "$spike_rate events a second for $seconds s:"
    spike_drive "$spike_rate"
    calm=$(result read p99_us)
    must_be_zero "received - applied - drops" "$(result balance)"
    say "Ten times as many for $seconds s:"
    spike_drive "$((10 * spike_rate))"
    echo "  read p99 ${calm%.*} -> $(result read p99_us | cut -d. -f1) us"
    must_be_zero "received - applied - drops" "$(result balance)"
}
