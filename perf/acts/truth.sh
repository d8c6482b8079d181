# Truth: what was served is recorded, also before the crash; training at the same moments gives the
# same bytes.

truth_vectors=10000

# Half of the vectors, while events come in: before the crash, and after it.
truth_record()
{
    local half=$((truth_vectors / 2)) pid
    "$build/freshet-load" --config "$config" --rate 20000 --keys 1000 --probe-rate 0 \
        --seconds 60 --json >"$load_out" &
    pid=$!
    sleep 0.5
    python3 perf/acts/truth.py record "$socket" 1000 "$half" "$truth_file" ||
        failures=$((failures + 1))
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" || failures=$((failures + 1))
    printf '  recorded as served: %s vectors\n' "$(wc -l <"$truth_file")"
}

act_truth()
{
    local vectors features differ folder line
    if [ -z "$data" ] || ! command -v python3 >/dev/null; then
        say "Skipped: it needs data.directory and python3."
        return
    fi
    folder=$(mktemp -d)
    say "The other vectors, while 20,000 events come in each second:"
    while [ "$(wc -l <"$truth_file")" -lt "$truth_vectors" ]; do
        truth_record
        [ -s "$truth_file" ] || stage_fail "no vector was recorded"
    done
    python3 perf/acts/truth.py labels "$truth_file" "$folder/labels.csv"
    line="$build/freshet train $config --service score --labels $folder/labels.csv"
    show "$line --out $folder/set.csv"
    read -r vectors features differ \
        <<<"$(python3 perf/acts/truth.py compare "$truth_file" "$folder/set.csv")"
    printf '  %s vectors x %s features: %s bytes differ\n' \
        "$(sed ':a;s/\B[0-9]\{3\}\>/,&/;ta' <<<"$vectors")" "$features" "$differ"
    [ "${vectors:-0}" -ge "$truth_vectors" ] || failures=$((failures + 1))
    must_be_zero "bytes that differ between serving and training" "$differ"
    rm -rf "$folder"
}
