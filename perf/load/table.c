#include "perf/load/load.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TABLE_FEATURES         5u
#define TABLE_DROPS_TEXT_BYTES 512

void load_table_init(struct load_table *table)
{
    *table = (struct load_table){.terminal = isatty(STDOUT_FILENO) == 1};
}

/* Quantile of what came since the last call; keeps today's counts in last. */
static double recent_quantile_us(const struct histogram *now, struct histogram *last,
                                 double quantile)
{
    static struct histogram recent;
    memset(&recent, 0, sizeof(recent));
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t count = atomic_load_explicit(&now->shared_bucket[i], memory_order_relaxed);
        uint64_t before = atomic_load_explicit(&last->shared_bucket[i], memory_order_relaxed);
        atomic_store_explicit(&recent.shared_bucket[i], count - before, memory_order_relaxed);
        atomic_store_explicit(&last->shared_bucket[i], count, memory_order_relaxed);
    }
    return (double)histogram_quantile(&recent, quantile) / 1000;
}

static void drops_text(const struct status *change, char out[TABLE_DROPS_TEXT_BYTES])
{
    int size = 0;
    out[0] = '\0';
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        if (change->drop[drop] > 0 && size < TABLE_DROPS_TEXT_BYTES - 64) {
            size += snprintf(out + size, (size_t)(TABLE_DROPS_TEXT_BYTES - size), "%s%s %llu",
                             size == 0 ? "" : ", ", drop_name((enum drop)drop),
                             (unsigned long long)change->drop[drop]);
        }
    }
}

/* Some features of the entity that most events are about. */
static void features_print(struct load *load, const char *clear)
{
    char key[EVENT_KEY_TEXT_SIZE_MAX];
    char name[TABLE_FEATURES][NAME_SIZE_MAX + FEATURE_NAME_SIZE_MAX];
    const char *argument[2 + TABLE_FEATURES] = {"HMGET", key};
    const struct plan_view *view = load->maker.view;
    uint32_t count = view->feature_count < TABLE_FEATURES ? view->feature_count : TABLE_FEATURES;
    (void)event_key_text(&load->maker, 1, key);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t feature = view->feature_first + i * view->feature_count / count;
        (void)snprintf(name[i], sizeof(name[i]), "%s.%s", view->name,
                       load->plan->feature[feature].name);
        argument[2 + i] = name[i];
    }
    redisReply *reply = redisCommandArgv(load->context, (int)(2 + count), argument, NULL);
    (void)printf("  %-14s", key);
    for (uint32_t i = 0; reply != NULL && i < reply->elements && i < count; i++) {
        const redisReply *value = reply->element[i];
        (void)printf(" %s %s%s", name[i] + strlen(view->name) + 1,
                     value->type == REDIS_REPLY_STRING ? value->str : "null",
                     i + 1 == count ? "" : ",");
    }
    (void)printf("%s\n", clear);
    freeReplyObject(reply);
}

void load_table_print(struct load *load, struct load_table *table)
{
    struct status now;
    struct status change;
    struct sender_counts sent;
    char error[ENDPOINT_ERROR_SIZE_MAX];
    char drops[TABLE_DROPS_TEXT_BYTES];
    sender_counts_read(&load->sender, &sent);
    if (status_read(load->context, &now, error) != 0) {
        (void)printf("  %s\n", error);
        return;
    }
    status_subtract(&now, &load->before, &change);
    int64_t now_ns = endpoint_now_ns();
    double span = table->last_ns == 0 ? (double)(now_ns - load->sender.start_ns) / 1e9
                                      : (double)(now_ns - table->last_ns) / 1e9;
    drops_text(&change, drops);
    if (table->terminal && table->lines > 0) {
        (void)printf("\033[%uA", table->lines);
    }
    const char *clear = table->terminal ? "\033[K" : "";
    (void)printf("  %5.1f s        sent %.0f/s, applied %.0f/s, lost %lld%s\n",
                 (double)(now_ns - load->sender.start_ns) / 1e9,
                 (double)(sent.events - table->last_sent) / span,
                 (double)(change.applied - table->last_applied) / span,
                 (long long)(change.missed > 0 ? (int64_t)change.missed : 0), clear);
    (void)printf("  event to readable p50 %.0f us, p99 %.0f us; read p99 %.0f us%s\n",
                 (double)histogram_quantile(&load->probe.latency_ns, 0.5) / 1000,
                 recent_quantile_us(&load->probe.latency_ns, &table->last_fresh, 0.99),
                 recent_quantile_us(&load->querier.latency_ns, &table->last_read, 0.99), clear);
    (void)printf("  drops          %s%s\n", drops[0] != '\0' ? drops : "none", clear);
    features_print(load, clear);
    (void)fflush(stdout);
    table->lines = 4;
    table->last_ns = now_ns;
    table->last_sent = sent.events;
    table->last_applied = change.applied;
}
