# Spend: one card spends while everybody does; the feature moves, and it is said how soon. A line
# that is wrong is not lost in silence.

spend_card=471100000 # the load's cards end at 100000
spend_feature=activity.txn_count_10m

# spend_read CARD: its feature now, by the protocol that any Redis client speaks, over a connection
# that stays open.
spend_read()
{
    local line
    printf 'HMGET card:%s %s\r\n' "$1" "$spend_feature" >&3
    read -r -u 3 line # *1
    read -r -u 3 line # $<length> or $-1
    spend_count=0
    case $line in
    '$-1'*) ;;
    '$'*)
        read -r -u 3 spend_count
        spend_count=${spend_count%$'\r'}
        ;;
    *) stage_fail "HMGET answered $line" ;;
    esac
}

# Waits until the feature is $1, at most two seconds; spend_us: how long since $2 (microseconds).
spend_await()
{
    local now
    while :; do
        spend_read "$spend_card"
        now=${EPOCHREALTIME/./}
        spend_us=$((now - $2))
        [ "$spend_count" = "$1" ] && return 0
        [ "$spend_us" -lt 2000000 ] || return 1
    done
}

act_spend()
{
    local host=${listen%:*} port=${listen##*:} event start i before drops
    say "100,000 cards spend, 50,000 times a second; card $spend_card is not among them."
    printf '$ %s &\n' "$build/freshet-load --config $config --rate 50000 --keys 100000 --hot 0.05"
    "$build/freshet-load" --config "$config" --rate 50000 --keys 100000 --hot 0.05 --probe-rate 0 \
        --seconds "$((seconds + 10))" --json >"$load_out" &
    load_pid=$!
    exec 3<>"/dev/tcp/${tcp%:*}/${tcp##*:}"
    event="transaction,card=$spend_card amount=9.50,status=\"ok\""
    for i in $(seq 100); do # until the load arrives
        spend_read 1
        [ "$spend_count" = 0 ] || break
        sleep 0.05
    done
    sleep 0.5
    spend_read "$spend_card"
    before=$spend_count
    for i in 1 2 3; do
        show "echo '$event' > /dev/udp/$host/$port"
        start=${EPOCHREALTIME/./}
        spend_await $((before + i)) "$start" || stage_fail "event $i was not readable within 2 s"
    done
    before=$spend_count
    say "Once more, and HMGET card:$spend_card $spend_feature is asked until it moves:"
    printf '$ %s\n' "echo '$event' > /dev/udp/$host/$port"
    start=${EPOCHREALTIME/./}
    echo "$event" >"/dev/udp/$host/$port"
    if spend_await $((before + 1)) "$start"; then
        echo "  txn_count_10m $before -> $spend_count, readable after $spend_us us"
    else
        echo "  txn_count_10m stays $spend_count"
        failures=$((failures + 1))
    fi
    exec 3>&-
    show "redis-cli -s $socket HMGET card:$spend_card $spend_feature activity.amount_sum_1h"
    say "A line that is wrong:"
    show "echo 'transaction,card=$spend_card amount=lots,status=\"ok\"' > /dev/udp/$host/$port"
    sleep 0.3
    printf '$ %s\n' "$build/freshet drops --server $socket"
    drops=$("$build/freshet" drops --server "$socket")
    printf '%s\n' "$drops" | tail -n 4
    case $drops in
    *text_wrong_type*amount*) ;;
    *)
        echo "  the drop does not name its field"
        failures=$((failures + 1))
        ;;
    esac
    kill -TERM "$load_pid"
    wait "$load_pid" || failures=$((failures + 1))
    load_pid=
    must_be_zero "received - applied - drops" "$(result balance)"
    # The five lines of this act were received, and are not the load's.
    must_be_zero "lost on the way" $(($(result lost) + 5))
}
