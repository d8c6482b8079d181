# What perf/run and perf/demo share: one appliance, started and ended by its process id. Sourced by
# bash from the root of the repository.
#
# CONFIG          definitions to run (config/examples/cards.yaml)
# FRESHET_BUILD   build tree (build)
# STAGE_LOG       the appliance's log (run/freshet.log)

build=${FRESHET_BUILD:-build}
config=${CONFIG:-config/examples/cards.yaml}
appliance=
log=${STAGE_LOG:-run/freshet.log}

# Values of the definitions, as the shipped files write them.
listen=$(sed -n 's/.*listen: *"\([^"]*\)".*/\1/p' "$config" | head -n 1)
unix=$(sed -n 's/.*unix: *\([^,} ]*\).*/\1/p' "$config" | head -n 1)
tcp=$(sed -n 's/.*tcp: *"\([^"]*\)".*/\1/p' "$config" | head -n 1)
data=$(sed -n 's/.*directory: *\([^,} ]*\).*/\1/p' "$config" | head -n 1)
http=$(sed -n 's/.*http: *"\([^"]*\)".*/\1/p' "$config" | head -n 1)

stage_fail()
{
    echo "${0##*/}: $*" >&2
    exit 1
}

# port_taken udp|tcp PORT: somebody of this network namespace is bound to it (tcp: listens).
port_taken()
{
    local hex file
    hex=$(printf ':%04X' "$2")
    for file in "/proc/net/$1" "/proc/net/${1}6"; do
        [ -r "$file" ] || continue
        if awk -v port="$hex" -v protocol="$1" \
            'substr($2, length($2) - 4) == port && (protocol == "udp" || $4 == "0A") { found = 1 }
             END { exit !found }' "$file"; then
            return 0
        fi
    done
    return 1
}

port_want()
{
    if port_taken "$1" "$2"; then
        echo "${0##*/}: $1 port $2, which $config wants, is taken." >&2
        echo "  See by whom:   ss -lp${1:0:1} 'sport = :$2'" >&2
        echo "  End it, or take other ports: copy $config, change them, and" >&2
        echo "  CONFIG=mine.yaml make ${0##*/}" >&2
        exit 1
    fi
}

stage_ports_check()
{
    local port=${listen##*:} shard
    for shard in $(seq 0 "$(nproc)"); do # everyone's, then one per shard
        port_want udp $((port + shard))
    done
    port_want tcp "${tcp##*:}"
    port_want tcp "${http##*:}"
}

# Starts the appliance in a session of its own, so that Ctrl-C reaches the load first.
stage_open()
{
    stage_ports_check
    mkdir -p run
    stage_start
}

# The same again after a crash: its ports are its own.
stage_start()
{
    local tries
    : >"$log"
    setsid "$build/freshet" run "$config" >"$log" 2>&1 &
    appliance=$!
    trap stage_close EXIT
    for tries in $(seq 200); do
        grep -q 'event=ready' "$log" && break
        kill -0 "$appliance" 2>/dev/null || break
        sleep 0.05
    done
    if ! grep -q 'event=ready' "$log"; then
        cat "$log" >&2
        stage_fail "the appliance did not start"
    fi
    grep -v '^time=' "$log"
    socket=$(realpath "$unix")
}

# Ends what was started here; its exit code is kept in appliance_code.
stage_close()
{
    appliance_code=0
    if [ -n "$appliance" ]; then
        kill -TERM "$appliance" 2>/dev/null || true
        wait "$appliance" || appliance_code=$?
        appliance=
    fi
}
