#include "tests/support/workbench.h"

#include <stdio.h>

#include "dataplane/feature/key.h"
#include "dataplane/replay.h"
#include "dataplane/worker_state.h"
#include "drivers/net_simulated.h"
#include "tests/support/unit.h"

/* Opens a shard's log on the disk: segments are its keeper's, or the test's. */
static void log_open(struct workbench *bench, const struct workbench_options *options,
                     uint32_t shard)
{
    struct disk_queue_options queue = {.helper_core = -1};
    worker_mirror_buffers(bench->worker[shard], queue.buffer, &queue.buffer_bytes);
    assert_int_equal(disk_queue_open(options->logs, &queue, &bench->queue[shard]), RESULT_OK);
    struct mirror_options mirror = {
        .epoch = options->epoch > 0 ? options->epoch : 1,
        .segment_bytes =
            options->segment_bytes > 0 ? options->segment_bytes : MIRROR_SEGMENT_BYTES_MIN,
        .before_lsn = options->before_lsn != NULL ? options->before_lsn[shard] : 0,
        .queue = bench->queue[shard]};
    if (options->store_id != NULL) {
        memcpy(mirror.store_id, options->store_id, sizeof(mirror.store_id));
    }
    worker_mirror_open(bench->worker[shard], &mirror);
}

void workbench_open(struct workbench *bench, const struct workbench_options *options)
{
    memset(bench, 0, sizeof(*bench));
    bench->shard_count = options->shard_count > 0 ? options->shard_count : 1;
    bench->config = calloc(1, sizeof(*bench->config));
    assert_non_null(bench->config);
    enum result result = config_load_text("test.yaml", options->definitions,
                                          strlen(options->definitions), bench->config);
    for (uint32_t i = 0; i < bench->config->error_count && i < CONFIG_ERRORS_MAX; i++) {
        const struct config_error *error = &bench->config->error[i];
        print_error("%s:%u:%u: %s\n", error->file, error->line, error->column, error->text);
    }
    assert_int_equal(result, RESULT_OK);
    bench->plan = &bench->config->plan;
    clock_open_virtual(&bench->clock, options->start_us);
    struct net_options net = {.driver = NET_DRIVER_SIMULATED, .queue_count = bench->shard_count};
    char error[NET_ERROR_SIZE_MAX];
    result = net_port_open(options->net != NULL ? options->net : &net, &bench->port, error);
    if (result != RESULT_OK) {
        fail_msg("%s", error);
    }
    for (uint32_t i = 0; i < bench->shard_count; i++) {
        struct worker_options worker = {
            .plan = bench->plan,
            .clock = &bench->clock,
            .shard = i,
            .shard_count = bench->shard_count,
            .port_count = 1,
            .port = {{.queue = net_port_queue(bench->port, i),
                      .default_stream = -1,
                      .text_allowed = true}},
            .state_bytes = options->state_bytes > 0 ? options->state_bytes : 64 * MIB,
            .lanes_max = options->lanes_max > 0 ? options->lanes_max : 1024,
            .readers_max = options->readers_max > 0 ? options->readers_max : 1,
            .table_secret = 0x5eed,
            .epoch = options->epoch > 0 ? options->epoch : 1,
            .logs = options->logs != NULL,
            .acks = options->acks};
        assert_int_equal(memory_map(worker_footprint(&worker), 0, &bench->region[i]), RESULT_OK);
        assert_int_equal(worker_init(&worker, bench->region[i].base, &bench->worker[i]), RESULT_OK);
    }
    worker_connect(bench->worker, bench->shard_count);
    for (uint32_t i = 0; options->logs != NULL && i < bench->shard_count; i++) {
        log_open(bench, options, i);
    }
    assert_int_equal(reader_open(bench->worker, bench->shard_count, 0, &bench->reader), RESULT_OK);
}

void workbench_close(struct workbench *bench)
{
    reader_close(bench->reader);
    net_port_close(bench->port);
    for (uint32_t i = 0; i < bench->shard_count; i++) {
        disk_queue_close(bench->queue[i]);
        memory_unmap(&bench->region[i]);
    }
    free(bench->config);
}

void workbench_send(struct workbench *bench, uint32_t shard, const void *data, uint32_t size)
{
    assert_true(net_simulated_push(net_port_queue(bench->port, shard), data, size, NULL));
}

void workbench_send_text(struct workbench *bench, uint32_t shard, const char *text)
{
    workbench_send(bench, shard, text, (uint32_t)strlen(text));
}

void workbench_send_message(struct workbench *bench, uint32_t shard, struct wire_message message,
                            const void *events)
{
    uint8_t data[MESSAGE_SIZE_MAX];
    message.flags |= WIRE_FLAG_UNACKED;
    message.incarnation = 1;
    uint32_t at = wire_encode(&message, data);
    uint32_t size = (uint32_t)message.event_stride * message.event_count;
    assert_true(at + size <= sizeof(data));
    if (size > 0) {
        memcpy(data + at, events, size);
    }
    workbench_send(bench, shard, data, at + size);
}

void workbench_run(struct workbench *bench)
{
    uint32_t taken;
    do {
        taken = 0;
        for (uint32_t i = 0; i < bench->shard_count; i++) {
            taken += worker_turn(bench->worker[i]);
        }
    } while (taken > 0);
}

void workbench_advance(struct workbench *bench, int64_t us)
{
    clock_set_virtual(&bench->clock, clock_now_us(&bench->clock) + us);
}

const char *workbench_get(struct workbench *bench, const char *key, const char *feature,
                          int64_t at_us, struct answer *out_answer)
{
    static char text[ANSWER_LIST_SIZE_MAX + 1];
    int index = plan_feature_find(bench->plan, feature, (uint32_t)strlen(feature));
    assert_true(index >= 0);
    const struct plan_view *view = &bench->plan->view[bench->plan->feature[index].view];
    const char *id = strchr(key, ':') + 1;
    uint8_t bytes[KEY_SIZE_MAX];
    uint16_t wanted = (uint16_t)index;
    struct answer answer;
    struct reader_query query = {
        .view = bench->plan->feature[index].view,
        .key_size = (uint16_t)key_parse(bench->plan, view, id, (uint32_t)strlen(id), bytes),
        .key = bytes,
        .time = at_us == INT64_MIN   ? READ_NOW
                : at_us == INT64_MAX ? READ_LATEST
                                     : READ_AT,
        .at_us = at_us,
        .feature_count = 1,
        .feature = &wanted,
        .answer = &answer};
    reader_read(bench->reader, &query, 1);
    uint32_t text_size;
    const char *value = answer_text(&answer, text, &text_size);
    memmove(text, value, text_size);
    text[text_size] = '\0';
    if (out_answer != NULL) {
        *out_answer = answer;
    }
    return text;
}

static const struct counters *counters_of(const struct workbench *bench, uint32_t shard)
{
    return worker_counters(bench->worker[shard]);
}

uint64_t workbench_received(const struct workbench *bench, uint32_t stream)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < bench->shard_count; i++) {
        sum += counter_read(&counters_of(bench, i)->stream[stream].shared_received);
    }
    return sum;
}

uint64_t workbench_applied(const struct workbench *bench, uint32_t stream)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < bench->shard_count; i++) {
        sum += counter_read(&counters_of(bench, i)->stream[stream].shared_applied);
    }
    return sum;
}

uint64_t workbench_dropped(const struct workbench *bench, uint32_t stream, enum drop drop)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < bench->shard_count; i++) {
        sum += counter_read(&counters_of(bench, i)->stream[stream].shared_drop[drop]);
    }
    return sum;
}

uint64_t workbench_view_dropped(const struct workbench *bench, uint32_t view, enum drop drop)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < bench->shard_count; i++) {
        sum += counter_read(&counters_of(bench, i)->view[view].shared_drop[drop]);
    }
    return sum;
}

uint64_t workbench_counter(const struct workbench *bench, enum counter counter)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < bench->shard_count; i++) {
        sum += counter_read(&counters_of(bench, i)->shared[counter]);
    }
    return sum;
}

int64_t workbench_balance(const struct workbench *bench)
{
    int64_t balance = 0;
    for (uint32_t stream = 0; stream <= STREAMS_MAX; stream++) {
        balance += (int64_t)workbench_received(bench, stream);
        balance -= (int64_t)workbench_applied(bench, stream);
        for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
            balance -= (int64_t)workbench_dropped(bench, stream, (enum drop)drop);
        }
    }
    return balance;
}

uint64_t workbench_state_hash(struct workbench *bench)
{
    uint64_t *vshard = calloc(VSHARD_COUNT, sizeof(*vshard));
    uint64_t *scratch = aligned_alloc(CACHE_LINE_BYTES, 2 * ROW_SIZE_MAX);
    assert_non_null(vshard);
    assert_non_null(scratch);
    uint64_t hash = replay_state_hash(bench->worker, bench->shard_count, vshard, scratch);
    free(scratch);
    free(vshard);
    return hash;
}
