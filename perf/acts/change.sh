# Change: one aggregate more in the definitions; its history comes from the mirror while the
# appliance runs, and is what the definitions make of the recorded events without a server.

act_change()
{
    local folder card served made line
    if [ -z "$data" ]; then
        say "Skipped: it needs data.directory."
        return
    fi
    folder=$(mktemp -d)
    sed -e '/^  activity:/,/^  shop:/ {
        s/^    version: .*/    version: 1001/
        s/^      txn_count:     count()/&\n      amount_spread: stddev_pop(amount)/
    }' "$config" >"$folder/changed.yaml"
    say "One line more in the view activity, and a new version of it:"
    show "diff $config $folder/changed.yaml" || true
    show "$build/freshet backfill activity $folder/changed.yaml --server $socket" ||
        failures=$((failures + 1))
    card=card:1 # The load has it.
    show "$build/freshet get --server $socket $card activity.amount_spread_30d"
    served=$(redis-cli -s "$socket" HMGET "$card" activity.amount_spread_30d)
    say "The same without a server, of the events in the mirror:"
    line="$build/freshet eval $folder/changed.yaml --mirror $data --key $card"
    printf '$ %s --at now\n' "$line"
    made=$($line --at "$(date -u +%Y-%m-%dT%H:%M:%SZ)" |
        sed -n 's/^activity.amount_spread_30d //p')
    printf '  served %s, made of the mirror %s\n' "$served" "$made"
    [ -n "$served" ] && [ "$served" = "$made" ] || failures=$((failures + 1))
    rm -rf "$folder"
}
