#include "controlplane/evaluation.h"

#include <hiredis/hiredis.h>
#include <string.h>

#include "controlplane/appliance.h"
#include "controlplane/command.h"
#include "controlplane/pattern_sets.h"
#include "dataplane/base/units.h"
#include "dataplane/counters.h"
#include "dataplane/feature/key.h"
#include "dataplane/reader.h"
#include "dataplane/worker.h"
#include "drivers/clock.h"
#include "drivers/memory.h"
#include "drivers/net_simulated.h"

#define EVALUATION_STATE_BYTES (64 * MIB)
#define EVALUATION_LANES       16u

struct evaluation {
    const struct config *config;
    struct clock clock;
    struct net_port *port;
    struct memory_region region;
    struct pattern_sets patterns;
    struct worker *worker;
    struct reader *reader;
    struct appliance *appliance; /* Of the host; NULL: none is needed yet. */
    struct command_host host;
    struct session session;
};

static enum result parts_open(struct evaluation *evaluation, int stream)
{
    const struct net_options net = {.driver = NET_DRIVER_SIMULATED, .queue_count = 1};
    char error[NET_ERROR_SIZE_MAX];
    enum result result = net_port_open(&net, &evaluation->port, error);
    char why[PATTERN_ERROR_SIZE_MAX];
    result = result == RESULT_OK
                 ? pattern_sets_open(&evaluation->config->plan, 1, &evaluation->patterns, why)
                 : result;
    if (result != RESULT_OK) {
        return result;
    }
    const struct worker_options options = {
        .plan = &evaluation->config->plan,
        .clock = &evaluation->clock,
        .shard_count = 1,
        .port_count = 1,
        .port = {{.queue = net_port_queue(evaluation->port, 0),
                  .default_stream = stream,
                  .text_allowed = true}},
        .state_bytes = EVALUATION_STATE_BYTES,
        .lanes_max = EVALUATION_LANES,
        .readers_max = 1,
        .epoch = 1,
        .patterns = evaluation->patterns.set,
        .pattern_scratch = evaluation->patterns.scratch[0],
    };
    result = memory_map(worker_footprint(&options), 0, &evaluation->region);
    result = result == RESULT_OK
                 ? worker_init(&options, evaluation->region.base, &evaluation->worker)
                 : result;
    if (result == RESULT_OK) {
        worker_connect(&evaluation->worker, 1);
        result = reader_open(&evaluation->worker, 1, 0, &evaluation->reader);
    }
    return result;
}

enum result evaluation_open(const struct config *config, int stream,
                            struct evaluation **out_evaluation)
{
    struct clock now;
    struct evaluation *evaluation = heap_alloc(sizeof(*evaluation));
    if (evaluation == NULL) {
        return RESULT_NO_MEMORY;
    }
    *evaluation = (struct evaluation){.config = config};
    /* History goes back to 1970; applied now, so no event is in the future unless it is. */
    clock_open_virtual(&evaluation->clock, 0);
    enum result result = parts_open(evaluation, stream);
    if (result != RESULT_OK) {
        evaluation_close(evaluation);
        return result;
    }
    clock_open(&now);
    clock_set_virtual(&evaluation->clock, clock_now_us(&now));
    *out_evaluation = evaluation;
    return RESULT_OK;
}

void evaluation_close(struct evaluation *evaluation)
{
    if (evaluation == NULL) {
        return;
    }
    if (evaluation->appliance != NULL) {
        command_host_deinit(&evaluation->host);
        heap_free(evaluation->appliance);
    }
    reader_close(evaluation->reader);
    net_port_close(evaluation->port);
    if (evaluation->region.base != NULL) {
        memory_unmap(&evaluation->region);
    }
    pattern_sets_close(&evaluation->patterns);
    heap_free(evaluation);
}

bool evaluation_send(struct evaluation *evaluation, const char *line, uint32_t size)
{
    if (size > MESSAGE_SIZE_MAX ||
        !net_simulated_push(net_port_queue(evaluation->port, 0), line, size, NULL)) {
        return false;
    }
    while (worker_turn(evaluation->worker) > 0) {
    }
    return true;
}

uint64_t evaluation_dropped(const struct evaluation *evaluation, uint32_t drop)
{
    const struct counters *counters = worker_counters(evaluation->worker);
    uint64_t count = 0;
    for (uint32_t s = 0; s <= STREAMS_MAX; s++) {
        count += counter_read(&counters->stream[s].shared_drop[drop]);
    }
    return count;
}

uint64_t evaluation_refused(const struct evaluation *evaluation, uint32_t view, uint32_t drop)
{
    return counter_read(&worker_counters(evaluation->worker)->view[view].shared_drop[drop]);
}

void evaluation_read(struct evaluation *evaluation, const char *id, uint32_t id_size,
                     const uint16_t *feature, uint16_t count, enum read_time time, int64_t at_us,
                     struct answer *answer)
{
    const struct plan *plan = &evaluation->config->plan;
    uint16_t view = plan->feature[feature[0]].view;
    uint8_t key[KEY_SIZE_MAX];
    struct reader_query query = {.view = view,
                                 .key_size =
                                     (uint16_t)key_parse(plan, &plan->view[view], id, id_size, key),
                                 .key = key,
                                 .time = time,
                                 .at_us = at_us,
                                 .feature_count = count,
                                 .feature = feature,
                                 .answer = answer};
    reader_read(evaluation->reader, &query, 1);
}

/* A host of commands that needs no more of an appliance than definitions and a clock. */
static bool host_open(struct evaluation *evaluation)
{
    if (evaluation->appliance != NULL) {
        return true;
    }
    struct appliance *appliance = heap_alloc(sizeof(*appliance));
    if (appliance == NULL) {
        return false;
    }
    memset(appliance, 0, sizeof(*appliance));
    appliance->config = evaluation->config;
    appliance->plan = &evaluation->config->plan;
    appliance->clock = evaluation->clock;
    if (command_host_init(&evaluation->host, appliance, NULL, evaluation->reader) != RESULT_OK) {
        command_host_deinit(&evaluation->host);
        heap_free(appliance);
        return false;
    }
    session_init(&evaluation->session, 1, 0);
    session_admit(&evaluation->session, USER_ROLE_READ, -1);
    evaluation->appliance = appliance;
    return true;
}

static redisReply *reply_parse(const struct buffer *bytes)
{
    redisReader *reader = bytes->failed ? NULL : redisReaderCreate();
    void *reply = NULL;
    if (reader == NULL) {
        return NULL;
    }
    if (redisReaderFeed(reader, bytes->data, bytes->size) != REDIS_OK ||
        redisReaderGetReply(reader, &reply) != REDIS_OK) {
        reply = NULL;
    }
    redisReaderFree(reader);
    return reply;
}

redisReply *evaluation_command(struct evaluation *evaluation, const char *const *argument,
                               uint32_t count)
{
    struct resp_argument *words = heap_alloc(count * sizeof(*words));
    struct buffer out;
    redisReply *reply = NULL;
    buffer_init(&out, 0);
    if (words != NULL && host_open(evaluation)) {
        struct resp_writer writer = {.out = &out, .protocol = 2};
        for (uint32_t i = 0; i < count; i++) {
            words[i] =
                (struct resp_argument){.data = argument[i], .size = (uint32_t)strlen(argument[i])};
        }
        (void)command_run(&evaluation->host, &evaluation->session, &writer, words, count);
        reply = reply_parse(&out);
    }
    buffer_deinit(&out);
    heap_free(words);
    return reply;
}

int64_t evaluation_newest_us(const struct evaluation *evaluation)
{
    const struct counters *counters = worker_counters(evaluation->worker);
    int64_t newest_us = INT64_MIN;
    for (uint32_t s = 0; s < evaluation->config->plan.stream_count; s++) {
        int64_t us =
            atomic_load_explicit(&counters->stream[s].shared_watermark_us, memory_order_relaxed);
        newest_us = us > newest_us ? us : newest_us;
    }
    return newest_us;
}
