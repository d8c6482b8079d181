/* Any datagrams at two shards: no crash, every datagram counted, and at the end every event
 * received is applied or dropped by name.
 *
 * Input: records of
 *   byte 0     bit 0: shard | bits 1, 2: shards that take a turn afterwards | bits 3..7: the clock
 *              moves on by 2^n - 1 us
 *   byte 1..2  size, little-endian; the last datagram ends with the input */
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "config/config.h"
#include "dataplane/base/assert.h"
#include "dataplane/worker_state.h"
#include "drivers/memory.h"
#include "drivers/net_simulated.h"

#define SHARDS       2u
#define START_US     INT64_C(1700000010000000)
#define HEADER_BYTES 3u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The golden messages' stream, in its second version, and one whose every key may be null. */
static const char definitions[] =
    "streams:\n"
    "  transaction:\n"
    "    id: 1\n"
    "    version: 2\n"
    "    time: ts\n"
    "    fields:\n"
    "      ts: {type: timestamp}\n"
    "      card: {type: u64}\n"
    "      merchant: {type: string, size: 16, optional: true}\n"
    "      amount: {type: decimal, scale: 2, min: 0, max: 1000000}\n"
    "      status: {type: string, size: 8, enum: [ok, declined]}\n"
    "      tip: {type: decimal, scale: 2, optional: true, since: 2}\n"
    "  other:\n"
    "    id: 2\n"
    "    version: 1\n"
    "    time: ts\n"
    "    late: apply\n"
    "    on_violation: {required: count, max_size: null_field}\n"
    "    quality: {null_rate: {k: 0.1, s: 0.5}, shift: {k: 0.25}}\n"
    "    fields:\n"
    "      ts: {type: timestamp}\n"
    "      k: {type: u8, optional: true, required: true, max: 9, on_violation: {max: null_field}}\n"
    "      s: {type: string, size: 200, optional: true, min_size: 2, max_size: 9}\n"
    "views:\n"
    "  card:\n"
    "    version: 1\n"
    "    entity: card\n"
    "    source: transaction\n"
    "    windows: [10m, 1h]\n"
    "    exact: 10m\n"
    "    aggregates: {n: count(), sum: sum(amount), tip: avg(tip), last: last(status)}\n"
    "  shop:\n"
    "    version: 1\n"
    "    entity: merchant\n"
    "    source: transaction\n"
    "    windows: [1h]\n"
    "    aggregates: {n: count(), max: max(amount)}\n"
    "  k:\n"
    "    version: 1\n"
    "    entity: k\n"
    "    source: other\n"
    "    windows: [1h]\n"
    "    aggregates: {n: count()}\n"
    "  s:\n"
    "    version: 1\n"
    "    entity: s\n"
    "    source: other\n"
    "    windows: [1h]\n"
    "    aggregates: {n: count()}\n";

struct bench {
    struct config config;
    struct clock clock;
    struct net_port *port;
    struct memory_region region[SHARDS];
    struct worker *worker[SHARDS];
    uint64_t pushed;
};

static struct bench bench;

static void bench_open(void)
{
    if (bench.config.plan.stream_count == 0) {
        /* Each input gets new memory: zeros for the few pages that it touches, no huge ones. */
        ASSERT(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
        enum result result =
            config_load_text("fuzz.yaml", definitions, strlen(definitions), &bench.config);
        ASSERT(result == RESULT_OK);
    }
    bench.pushed = 0;
    clock_open_virtual(&bench.clock, START_US);
    struct net_options net = {
        .driver = NET_DRIVER_SIMULATED, .queue_count = SHARDS, .receive_buffer_bytes = 256 * KIB};
    char error[NET_ERROR_SIZE_MAX];
    enum result result = net_port_open(&net, &bench.port, error);
    ASSERT(result == RESULT_OK);
    for (uint32_t i = 0; i < SHARDS; i++) {
        struct worker_options options = {.plan = &bench.config.plan,
                                         .clock = &bench.clock,
                                         .shard = i,
                                         .shard_count = SHARDS,
                                         .port_count = 1,
                                         .port = {{.queue = net_port_queue(bench.port, i),
                                                   .default_stream = 1,
                                                   .text_allowed = true}},
                                         .state_bytes = 4 * MIB,
                                         .lanes_max = 8,
                                         .readers_max = 1,
                                         .table_secret = 1,
                                         .epoch = 1};
        if (bench.region[i].base == NULL) {
            result = memory_map(worker_footprint(&options), 0, &bench.region[i]);
            ASSERT(result == RESULT_OK);
        }
        result = worker_init(&options, bench.region[i].base, &bench.worker[i]);
        ASSERT(result == RESULT_OK);
    }
    worker_connect(bench.worker, SHARDS);
}

/* The regions stay, as zeros. */
static void bench_close(void)
{
    net_port_close(bench.port);
    for (uint32_t i = 0; i < SHARDS; i++) {
        ASSERT(madvise(bench.region[i].base, bench.region[i].size_bytes, MADV_DONTNEED) == 0);
    }
}

/* A turn that took nothing means that nothing waits. */
static void bench_run(void)
{
    uint32_t taken;
    do {
        taken = 0;
        for (uint32_t i = 0; i < SHARDS; i++) {
            taken += worker_turn(bench.worker[i]);
        }
    } while (taken > 0);
}

static void bench_check(void)
{
    static uint64_t vshard[VSHARD_COUNT];
    static uint64_t scratch[2 * ROW_SIZE_MAX / sizeof(uint64_t)];
    int64_t balance = 0;
    uint64_t messages = 0;
    for (uint32_t i = 0; i < SHARDS; i++) {
        const struct counters *counters = worker_counters(bench.worker[i]);
        messages += counter_read(&counters->shared[COUNTER_messages]);
        for (uint32_t stream = 0; stream <= STREAMS_MAX; stream++) {
            const struct counters_stream *counted = &counters->stream[stream];
            balance += (int64_t)counter_read(&counted->shared_received);
            balance -= (int64_t)counter_read(&counted->shared_applied);
            for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
                balance -= (int64_t)counter_read(&counted->shared_drop[drop]);
            }
        }
        /* Walks every row. */
        shard_state_hash(&bench.worker[i]->shard, bench.worker[i]->shard.fold_us, vshard, scratch);
    }
    ASSERT(messages == bench.pushed);
    ASSERT(balance == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bench_open();
    while (size >= HEADER_BYTES) {
        uint8_t what = data[0];
        size_t datagram = data[1] | (size_t)data[2] << 8;
        data += HEADER_BYTES;
        size -= HEADER_BYTES;
        datagram = datagram < size ? datagram : size;
        bench.pushed +=
            net_simulated_push(net_port_queue(bench.port, what & 1), data, (uint32_t)datagram, NULL)
                ? 1
                : 0;
        data += datagram;
        size -= datagram;
        for (uint32_t i = 0; i < SHARDS; i++) {
            if ((what >> (1 + i) & 1) != 0) {
                (void)worker_turn(bench.worker[i]);
            }
        }
        clock_set_virtual(&bench.clock,
                          clock_now_us(&bench.clock) + (INT64_C(1) << (what >> 3)) - 1);
    }
    bench_run();
    bench_check();
    bench_close();
    return 0;
}
