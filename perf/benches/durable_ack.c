/* From a message's arrival at the port to its acknowledgement there: gathering, the disk, the
 * lane's millisecond. One thread is producer and worker in turns; the clock is real. */
#include <string.h>

#include "dataplane/base/histogram.h"
#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_ack.h"
#include "drivers/net_simulated.h"
#include "perf/benches/bench.h"
#include "perf/benches/disk_rate.h"
#include "perf/benches/durable.h"
#include "perf/benches/results.h"
#include "perf/load/endpoint.h"

#define ACK_KEYS     100000u
#define ACK_RATE     4000.0 /* Messages per second: 100,000 events. */
#define ACK_SECONDS  4.0
#define ACK_IN_AIR   4096u /* Per lane. */
#define ACK_WAIT_NS  (5 * NS_PER_SECOND)
#define MESSAGE_NEXT 2048u /* Messages made at a time. */

struct ack_run {
    struct durable durable;
    int64_t sent_ns[DURABLE_LANES][ACK_IN_AIR]; /* By sequence. */
    uint64_t sent[DURABLE_LANES];
    uint64_t acked[DURABLE_LANES];
    int64_t start_ns;
    uint32_t next; /* Message of the batch that is sent next. */
    struct histogram latency_ns;
};

static void message_send(struct ack_run *ack)
{
    struct durable_shard *shard = &ack->durable.shard[0];
    if (ack->next == 0) {
        durable_offer(&ack->durable, WORKLOAD_UNIFORM, MESSAGE_NEXT);
        durable_ports(&ack->durable, false);
    }
    uint32_t lane = ack->next % DURABLE_LANES;
    const struct net_message *message = &shard->burst[ack->next];
    ack->next = (ack->next + 1) % MESSAGE_NEXT;
    ack->sent[lane]++;
    ack->sent_ns[lane][ack->sent[lane] % ACK_IN_AIR] = endpoint_now_ns();
    (void)net_simulated_push(shard->port, message->data, message->size, &message->sender);
}

static void answers_hear(struct ack_run *ack)
{
    const struct durable_shard *shard = &ack->durable.shard[0];
    uint8_t data[NET_ANSWER_SIZE_MAX];
    uint32_t size;
    struct net_address to;
    struct wire_ack wire;
    while (net_simulated_take(shard->port, data, &size, &to)) {
        int64_t now_ns = endpoint_now_ns();
        if (wire_ack_decode(data, size, &wire) != RESULT_OK) {
            continue;
        }
        for (uint32_t lane = 0; lane < DURABLE_LANES; lane++) {
            while (shard->lane[lane] == wire.lane && ack->acked[lane] < wire.durable) {
                int64_t sent_ns = ack->sent_ns[lane][++ack->acked[lane] % ACK_IN_AIR];
                histogram_record(&ack->latency_ns, (uint64_t)(now_ns - sent_ns), 1);
            }
        }
    }
}

static void turn_now(struct ack_run *ack)
{
    int64_t elapsed_ns = endpoint_now_ns() - ack->start_ns;
    clock_set_virtual(&ack->durable.clock, ack->durable.start_us + elapsed_ns / NS_PER_US);
    (void)worker_turn(ack->durable.shard[0].worker);
    durable_count(&ack->durable);
    answers_hear(ack);
}

static bool all_acked(const struct ack_run *ack)
{
    for (uint32_t lane = 0; lane < DURABLE_LANES; lane++) {
        if (ack->acked[lane] < ack->sent[lane]) {
            return false;
        }
    }
    return true;
}

/* Sends at the rate, then waits for the rest. Returns 0, or -1 when acknowledgements stay out. */
static int ack_drive(struct ack_run *ack)
{
    ack->start_ns = endpoint_now_ns();
    int64_t end_ns = ack->start_ns + (int64_t)(results_seconds(ACK_SECONDS) * 1e9);
    double due_ns = (double)ack->start_ns;
    int64_t now_ns = ack->start_ns;
    while (now_ns < end_ns) {
        for (; due_ns <= (double)now_ns; due_ns += 1e9 / ACK_RATE) {
            message_send(ack);
        }
        turn_now(ack);
        now_ns = endpoint_now_ns();
    }
    while (!all_acked(ack) && endpoint_now_ns() < end_ns + ACK_WAIT_NS) {
        turn_now(ack);
    }
    return all_acked(ack) ? 0 : -1;
}

static void ack_report(struct bench_run *run, const struct ack_run *ack)
{
    struct disk_rate disk;
    const struct histogram *commit_ns = &worker_mirror(ack->durable.workers[0])->commit_ns;
    uint64_t bytes;
    uint64_t writes;
    durable_log(&ack->durable, &bytes, &writes);
    uint32_t commit = (uint32_t)align_up(bytes / writes, 4096);
    if (disk_rate_measure(ack->durable.options.folder, commit, &disk) != 0) {
        bench_fail(run, "the disk could not be measured");
        return;
    }
    double p99_us = (double)histogram_quantile(&ack->latency_ns, 0.99) / 1e3;
    bench_set(run, "p50_us", (double)histogram_quantile(&ack->latency_ns, 0.5) / 1e3);
    bench_set(run, "p99_us", p99_us);
    bench_set(run, "write_p50_us", (double)histogram_quantile(commit_ns, 0.5) / 1e3);
    bench_set(run, "write_p99_us", (double)histogram_quantile(commit_ns, 0.99) / 1e3);
    bench_set(run, "write_max_us", (double)histogram_quantile(commit_ns, 1) / 1e3);
    bench_set(run, "disk_flush_p50_us", disk.flush_p50_us);
    bench_set(run, "disk_flush_p99_us", disk.flush_p99_us);
    bench_set(run, "ratio", p99_us / disk.flush_p99_us);
    bench_set(run, "log_bytes_per_write", (double)bytes / (double)writes);
    bench_set(run, "events_per_second", ACK_RATE * WORKLOAD_EVENTS_PER_MESSAGE);
}

static void ack_run(struct bench_run *run, const void *context)
{
    (void)context;
    static struct ack_run ack;
    char folder[DISK_RATE_FOLDER_MAX];
    memset(&ack, 0, sizeof(ack));
    struct durable_options options = {.keys = ACK_KEYS,
                                      .state_bytes = 64 * MIB,
                                      .shard_count = 1,
                                      .folder = folder,
                                      .recycles = true};
    if (disk_rate_folder_make(folder) != 0 || durable_open(&ack.durable, &options) != 0) {
        bench_fail(run, "the worker did not open");
    } else if (ack_drive(&ack) != 0) {
        bench_fail(run, "messages were not acknowledged");
    } else {
        ack_report(run, &ack);
    }
    durable_close(&ack.durable);
    disk_rate_folder_remove(folder);
}

void ack_register(void)
{
    bench_register("ack", ack_run, NULL);
}
