#include "tests/simulation/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "dataplane/base/units.h"

#define TRADE_BYTES 48u
#define VISIT_BYTES 24u

static const char definitions[] =
    "streams:\n"
    "  trade:\n"
    "    id: 7\n"
    "    version: 1\n"
    "    time: ts\n"
    "    lateness: 3s\n"
    "    future: 2s\n"
    "    history: 1s\n"
    "    fields:\n"
    "      ts: {type: timestamp}\n"
    "      account: {type: u32}\n"
    "      venue: {type: string, size: 12, optional: true}\n"
    "      amount: {type: decimal, scale: 2, optional: true, max: 900}\n"
    "      price: {type: f64, optional: true}\n"
    "      size: {type: i64}\n"
    "  visit:\n"
    "    id: 9\n"
    "    version: 1\n"
    "    time: at\n"
    "    late: apply\n"
    "    history: 500ms\n"
    "    fields:\n"
    "      at: {type: timestamp}\n"
    "      user: {type: u64, optional: true}\n"
    "      account: {type: u32, optional: true}\n"
    /* Null is refused where it comes, not where a rule made it: owners and replay obey. */
    "      ms: {type: i32, optional: true, required: true, min: 0, max: 60000,\n"
    "           on_violation: {min: null_field, max: null_field}}\n"
    "views:\n"
    "  tiles:\n"
    "    version: 1\n"
    "    entity: account\n"
    "    source: trade\n"
    "    windows: [1m, 10m, 1h]\n"
    "    aggregates: {n: count(), s: sum(amount), q: sumsq(size), lo: min(price), hi: max(size),\n"
    "                 f: first(venue), l: last(amount), sd: stddev_pop(price),\n"
    "                 k: 'last_k(venue, 3)', d: distinct(venue), b: sum(amount) by venue}\n"
    "  singles:\n"
    "    version: 1\n"
    "    entity: account\n"
    "    source: trade\n"
    "    windows: [10m, 1h]\n"
    "    exact: 10m\n"
    "    raw_cap: 16\n"
    "    aggregates: {n: count(), a: avg(amount), l: last(venue), t: 'top_k(amount, 2)',\n"
    "                 q: 'quantile(amount, 0.5)', u: approx_distinct(size)}\n"
    "  places:\n"
    "    version: 1\n"
    "    entity: venue\n"
    "    source: trade\n"
    "    windows: [1h, session 20s, lifetime]\n"
    "    ttl: 365d\n"
    "    edges: \"(]\"\n"
    "    aggregates: {n: count(), v: var_samp(amount)}\n"
    "  users:\n"
    "    version: 1\n"
    "    entity: user\n"
    "    source: visit\n"
    "    windows: [10s, 1m]\n"
    "    ladder: [1s, 5s, 1m]\n"
    "    ttl: 2m\n"
    "    aggregates: {n: count(), ms: sum(ms), l: last(account)}\n"
    "  sites:\n"
    "    version: 1\n"
    "    entity: site\n"
    "    key: account\n"
    "    source: visit\n"
    "    windows: [1m, tumbling 1h, 5 events]\n"
    "    aggregates: {n: count(), m: max(ms)}\n"
    "  pairs:\n"
    "    version: 1\n"
    "    entity: pair\n"
    "    key: [user, account]\n"
    "    source: visit\n"
    "    windows: [1h]\n"
    "    aggregates: {n: count(), known: count(ms)}\n"
    "  both:\n"
    "    version: 1\n"
    "    entity: account\n"
    "    source: [trade, visit]\n"
    "    windows: [1m, 1h]\n"
    "    aggregates: {n: count(), f: first(account), l: last(account)}\n";

const struct plan *scene_plan(void)
{
    static struct config *config;
    if (config != NULL) {
        return &config->plan;
    }
    config = calloc(1, sizeof(*config));
    if (config == NULL ||
        config_load_text("scene.yaml", definitions, strlen(definitions), config) != RESULT_OK) {
        for (uint32_t i = 0; config != NULL && i < config->error_count; i++) {
            fprintf(stderr, "scene.yaml:%u: %s\n", config->error[i].line, config->error[i].text);
        }
        exit(2);
    }
    return &config->plan;
}

uint16_t scene_stream_id(uint32_t stream)
{
    return stream == 0 ? 7 : 9;
}

uint16_t scene_event_bytes(uint32_t stream)
{
    return stream == 0 ? TRADE_BYTES : VISIT_BYTES;
}

/* Mostly now, often on an edge, sometimes late, rarely from the future. */
static int64_t event_time(struct random *random, int64_t now_us)
{
    switch (random_below(random, 16)) {
    case 0:
        return now_us - (int64_t)random_below(random, 8 * (uint64_t)US_PER_SECOND);
    case 1:
        return now_us + (int64_t)random_below(random, 4 * (uint64_t)US_PER_SECOND);
    case 2:
        return now_us - (int64_t)random_below(random, 7200 * (uint64_t)US_PER_SECOND);
    case 3:
    case 4:
        return floor_to(now_us, US_PER_SECOND);
    default:
        return now_us - (int64_t)random_below(random, 20000);
    }
}

static uint32_t trade_make(struct random *random, int64_t time_us, uint8_t *out)
{
    uint32_t account = (uint32_t)random_below(random, random_below(random, 2) == 0 ? 30 : 600);
    int64_t amount =
        random_below(random, 10) == 0 ? INT64_MIN : (int64_t)random_below(random, 100000) - 5000;
    double price = random_below(random, 10) == 0
                       ? __builtin_nan("")
                       : (double)(int64_t)random_below(random, 1000000) / 997.0;
    int64_t size = (int64_t)random_next(random) >> 2;
    memset(out, 0, TRADE_BYTES);
    memcpy(out, &time_us, 8);
    memcpy(out + 8, &account, 4);
    if (random_below(random, 8) != 0) {
        snprintf((char *)out + 12, 12, "venue%u", (unsigned)random_below(random, 9));
    }
    memcpy(out + 24, &amount, 8);
    memcpy(out + 32, &price, 8);
    memcpy(out + 40, &size, 8);
    return TRADE_BYTES;
}

static uint32_t visit_make(struct random *random, int64_t time_us, uint8_t *out)
{
    uint64_t user = random_below(random, 6) == 0 ? UINT64_MAX : random_below(random, 40);
    uint32_t site = random_below(random, 6) == 0 ? UINT32_MAX : (uint32_t)random_below(random, 9);
    int32_t ms = (int32_t)random_below(random, 66000) - 1000;
    memcpy(out, &time_us, 8);
    memcpy(out + 8, &user, 8);
    memcpy(out + 16, &site, 4);
    memcpy(out + 20, &ms, 4);
    return VISIT_BYTES;
}

uint32_t scene_event_make(uint32_t stream, struct random *random, int64_t now_us, uint8_t *out)
{
    int64_t time_us = event_time(random, now_us);
    return stream == 0 ? trade_make(random, time_us, out) : visit_make(random, time_us, out);
}

void scene_event_normalise(uint16_t stream_id, uint8_t *event)
{
    int32_t ms;
    memcpy(&ms, event + 20, 4);
    if (stream_id == scene_stream_id(1) && (ms < 0 || ms > 60000)) {
        ms = INT32_MIN;
        memcpy(event + 20, &ms, 4);
    }
}

uint32_t scene_text_make(struct random *random, int64_t now_us, char *out, uint32_t size)
{
    uint32_t used = 0;
    uint32_t lines = 1 + (uint32_t)random_below(random, 3);
    for (uint32_t i = 0; i < lines; i++) {
        int written = snprintf(
            out + used, size - used, "trade,account=%u,venue=venue%u amount=%u,size=%ui %ld\n",
            (unsigned)random_below(random, 30), (unsigned)random_below(random, 9),
            (unsigned)random_below(random, 900), (unsigned)random_below(random, 1000),
            event_time(random, now_us) * NS_PER_US);
        used += (uint32_t)written;
    }
    if (random_below(random, 20) == 0) {
        out[random_below(random, used)] = '=';
    }
    return used;
}
