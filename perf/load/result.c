#include "perf/load/load.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

static double quantile_us(const struct histogram *histogram, double quantile)
{
    return (double)histogram_quantile(histogram, quantile) / 1000;
}

void load_result_make(struct load *load, const struct status *after, double seconds,
                      struct load_result *out)
{
    *out = (struct load_result){.seconds = seconds};
    sender_counts_read(&load->sender, &out->sent);
    out->sent_all =
        out->sent.events + atomic_load_explicit(&load->probe.shared_sent, memory_order_relaxed);
    status_subtract(after, &load->before, &out->server);
    out->lost = (int64_t)(out->sent_all - out->server.received);
}

static uint32_t bound_check(const char *what, double value, double max, const char *unit)
{
    if (value <= max) {
        return 0;
    }
    (void)fprintf(stderr, "freshet-load: %s is %.1f%s, above %.1f%s\n", what, value, unit, max,
                  unit);
    return 1;
}

uint32_t load_bounds_check(const struct load *load, const struct load_result *result)
{
    const struct options *options = load->options;
    uint32_t failed = 0;
    if (options->read_p99_max_us > 0) {
        failed += bound_check("read p99", quantile_us(&load->querier.latency_ns, 0.99),
                              options->read_p99_max_us, " us");
    }
    if (options->freshness_p99_max_us > 0) {
        failed += bound_check("freshness p99", quantile_us(&load->probe.latency_ns, 0.99),
                              options->freshness_p99_max_us, " us");
    }
    for (uint32_t reason = 0; reason < FRESHET_PRODUCER_REASON_COUNT; reason++) {
        failed +=
            bound_check(freshet_producer_reason_name((enum freshet_producer_reason)reason),
                        (double)load->sender.acked.events_lost[reason], 0, " events, not durable");
    }
    if (options->lost_max != UINT64_MAX && result->lost > 0) {
        failed += bound_check("lost", (double)result->lost, (double)options->lost_max, " events");
    }
    failed += bound_check("|received - applied - drops|",
                          (double)llabs((long long)result->server.balance), 0, " events");
    failed += bound_check(
        "error replies",
        (double)atomic_load_explicit(&load->querier.shared_errors, memory_order_relaxed), 0, "");
    if (atomic_load_explicit(&load->querier.shared_broken, memory_order_relaxed)) {
        (void)fprintf(stderr, "freshet-load: a reader's connection broke\n");
        failed++;
    }
    return failed;
}

static void latency_print(const char *name, const struct histogram *histogram, const char *from)
{
    (void)printf("%-10s p50 %.0f us, p99 %.0f us, p99.9 %.0f us (%llu measured, %s)\n", name,
                 quantile_us(histogram, 0.5), quantile_us(histogram, 0.99),
                 quantile_us(histogram, 0.999), (unsigned long long)histogram_count(histogram),
                 from);
}

static void acked_print(const struct freshet_producer_stats *acked)
{
    (void)printf("durable    %llu, retransmitted %llu messages, lost:",
                 (unsigned long long)acked->events_durable,
                 (unsigned long long)acked->messages_retransmitted);
    for (uint32_t reason = 0; reason < FRESHET_PRODUCER_REASON_COUNT; reason++) {
        (void)printf(" %s %llu", freshet_producer_reason_name((enum freshet_producer_reason)reason),
                     (unsigned long long)acked->events_lost[reason]);
    }
    (void)printf("\n");
}

void load_print_text(const struct load *load, const struct load_result *result)
{
    const struct sender_counts *sent = &result->sent;
    const struct status *server = &result->server;
    (void)printf("sent       %llu events in %llu messages, %.1f s (%.0f/s): late %llu, "
                 "duplicate %llu, malformed %llu, of a bad tag %llu\n",
                 (unsigned long long)result->sent_all, (unsigned long long)sent->messages,
                 result->seconds, (double)sent->events / result->seconds,
                 (unsigned long long)sent->late, (unsigned long long)sent->duplicate,
                 (unsigned long long)sent->malformed, (unsigned long long)sent->bad_tags);
    if (sent->refused > 0) {
        (void)printf("refused    %llu events: the kernel did not take them\n",
                     (unsigned long long)sent->refused);
    }
    if (load->options->acked) {
        acked_print(&load->sender.acked);
    }
    (void)printf("received   %llu\napplied    %llu\ndropped    %llu\n",
                 (unsigned long long)server->received, (unsigned long long)server->applied,
                 (unsigned long long)server->dropped);
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        if (server->drop[drop] > 0) {
            (void)printf("           %-26s %llu\n", drop_name((enum drop)drop),
                         (unsigned long long)server->drop[drop]);
        }
    }
    (void)printf("lost       %lld on the way (datagrams that the kernel dropped: %llu)\n",
                 (long long)result->lost, (unsigned long long)server->missed);
    (void)printf("balance    received - applied - drops = %lld\n", (long long)server->balance);
    (void)printf("schedule   at most %.1f ms behind\n", (double)sent->behind_ns / 1e6);
    if (sent->unsent_ns > 0) {
        (void)printf("not sent   the last %.1f s of the schedule: this machine sends no faster\n",
                     (double)sent->unsent_ns / 1e9);
    }
    if (load->options->probe_rate > 0) {
        latency_print("freshness", &load->probe.latency_ns, "event due to readable");
    }
    if (load->options->readers > 0) {
        latency_print("read", &load->querier.latency_ns, "request due to reply complete");
    }
    if (load->querier.error_text[0] != '\0') {
        (void)printf("errors     first: %s\n", load->querier.error_text);
    }
}

static json_t *latency_json(const struct histogram *histogram)
{
    return json_pack("{s:I, s:f, s:f, s:f}", "count", (json_int_t)histogram_count(histogram),
                     "p50_us", quantile_us(histogram, 0.5), "p99_us", quantile_us(histogram, 0.99),
                     "p999_us", quantile_us(histogram, 0.999));
}

static json_t *acked_json(const struct freshet_producer_stats *acked)
{
    json_t *lost = json_object();
    for (uint32_t reason = 0; reason < FRESHET_PRODUCER_REASON_COUNT; reason++) {
        (void)json_object_set_new(
            lost, freshet_producer_reason_name((enum freshet_producer_reason)reason),
            json_integer((json_int_t)acked->events_lost[reason]));
    }
    return json_pack("{s:I, s:I, s:o}", "durable", (json_int_t)acked->events_durable,
                     "retransmitted", (json_int_t)acked->messages_retransmitted, "lost", lost);
}

void load_print_json(const struct load *load, const struct load_result *result, uint32_t failed)
{
    const struct sender_counts *sent = &result->sent;
    const struct status *server = &result->server;
    json_t *drops = json_object();
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        if (server->drop[drop] > 0) {
            (void)json_object_set_new(drops, drop_name((enum drop)drop),
                                      json_integer((json_int_t)server->drop[drop]));
        }
    }
    json_t *root = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:f, "
        "s:f, "
        "s:o, "
        "s:I, s:I, s:o, s:I, s:I, s:b, s:i}",
        "sent", (json_int_t)result->sent_all, "messages", (json_int_t)sent->messages, "late",
        (json_int_t)sent->late, "duplicate", (json_int_t)sent->duplicate, "malformed",
        (json_int_t)sent->malformed, "bad_tags", (json_int_t)sent->bad_tags, "refused",
        (json_int_t)sent->refused, "seconds", result->seconds, "events_per_second",
        (double)sent->events / result->seconds, "received", (json_int_t)server->received, "applied",
        (json_int_t)server->applied, "dropped", (json_int_t)server->dropped, "drops", drops, "lost",
        (json_int_t)result->lost, "kernel_dropped_datagrams", (json_int_t)server->missed, "balance",
        (json_int_t)server->balance, "behind_ms", (double)sent->behind_ns / 1e6, "unsent_seconds",
        (double)sent->unsent_ns / 1e9, "freshness", latency_json(&load->probe.latency_ns),
        "freshness_unseen",
        (json_int_t)atomic_load_explicit(&load->probe.shared_unseen, memory_order_relaxed),
        "freshness_skipped",
        (json_int_t)atomic_load_explicit(&load->probe.shared_skipped, memory_order_relaxed), "read",
        latency_json(&load->querier.latency_ns), "read_errors",
        (json_int_t)atomic_load_explicit(&load->querier.shared_errors, memory_order_relaxed),
        "read_unanswered",
        (json_int_t)atomic_load_explicit(&load->querier.shared_unanswered, memory_order_relaxed),
        "interrupted", (int)load->interrupted, "bounds_failed", (int)failed);
    if (load->options->acked) {
        (void)json_object_set_new(root, "acked", acked_json(&load->sender.acked));
    }
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    (void)printf("%s\n", text != NULL ? text : "{}");
    free(text);
    json_decref(root);
}
