#include "controlplane/quality.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "drivers/memory.h"

#define GROUPS         10u
#define NOT_KNOWN      (-1.0)
#define EMPTY_COUNT_AS 0.5

/* Counts of one field in bins. */
struct quality_shift {
    uint64_t begin[SHIFT_BINS];     /* At the window's begin, as the workers have it. */
    uint64_t window[SHIFT_BINS];    /* Of the window that ended last. */
    uint64_t gathering[SHIFT_BINS]; /* Of windows since the last reference. */
    uint64_t reference[SHIFT_BINS];
};

struct quality_stream {
    const struct plan_stream *plan;          /* Borrowed. */
    const struct counters_monitor **monitor; /* Owned; per shard. NULL: not watched. */
    int64_t window_end_us;
    uint64_t events; /* At the window's begin. */
    uint64_t nulls[FIELDS_MAX];
    int64_t gathered_us; /* Length of what is gathering. */
    bool has_reference;
    struct quality_shift *shift;  /* Owned; per bit of shift_fields. */
    struct quality_report report; /* Under the lock. */
};

struct quality {
    uint32_t stream_count;
    uint32_t shard_count;
    pthread_mutex_t lock; /* Of reports. */
    struct quality_stream stream[STREAMS_MAX];
};

static uint64_t counts_sum(const uint64_t *count)
{
    uint64_t sum = 0;
    for (uint32_t b = 0; b < SHIFT_BINS; b++) {
        sum += count[b];
    }
    return sum;
}

/* What a group adds. Where both have nothing, there is nothing to compare. */
static double group_psi(uint64_t reference, uint64_t count, double reference_sum, double count_sum)
{
    if (reference == 0 && count == 0) {
        return 0;
    }
    double q = (reference == 0 ? EMPTY_COUNT_AS : (double)reference) / reference_sum;
    double p = (count == 0 ? EMPTY_COUNT_AS : (double)count) / count_sum;
    return (p - q) * log(p / q);
}

double quality_psi(const uint64_t *reference, const uint64_t *count, bool neighbours)
{
    uint64_t reference_sum = counts_sum(reference);
    uint64_t count_sum = counts_sum(count);
    if (reference_sum < QUALITY_VALUES_MIN || count_sum < QUALITY_VALUES_MIN) {
        return NOT_KNOWN;
    }
    /* A bin with a group's share stands alone; what lies between such bins gathers to groups. */
    uint64_t full = neighbours ? (reference_sum + GROUPS - 1) / GROUPS : 0;
    uint64_t r = 0;
    uint64_t c = 0;
    double psi = 0;
    for (uint32_t b = 0; b < SHIFT_BINS; b++) {
        if (reference[b] >= full) {
            psi += group_psi(r, c, (double)reference_sum, (double)count_sum);
            r = 0;
            c = 0;
        }
        r += reference[b];
        c += count[b];
        if (r >= full) {
            psi += group_psi(r, c, (double)reference_sum, (double)count_sum);
            r = 0;
            c = 0;
        }
    }
    return psi + group_psi(r, c, (double)reference_sum, (double)count_sum);
}

static uint64_t events_now(const struct quality_stream *stream, uint32_t shard_count)
{
    uint64_t sum = 0;
    for (uint32_t s = 0; s < shard_count; s++) {
        sum += counter_read(&stream->monitor[s]->shared_events);
    }
    return sum;
}

static uint64_t nulls_now(const struct quality_stream *stream, uint32_t shard_count, uint32_t field)
{
    uint64_t sum = 0;
    for (uint32_t s = 0; s < shard_count; s++) {
        sum += counter_read(&stream->monitor[s]->shared_null[field]);
    }
    return sum;
}

static void nulls_look(struct quality_stream *stream, uint32_t shard_count, uint64_t events,
                       struct quality_report *report)
{
    for (uint64_t fields = stream->plan->quality.null_fields; fields != 0; fields &= fields - 1) {
        uint32_t f = (uint32_t)__builtin_ctzll(fields);
        uint64_t now = nulls_now(stream, shard_count, f);
        uint64_t nulls = now - stream->nulls[f];
        /* Counted by turns: a burst between the two readings may be in one of them only. */
        nulls = nulls < events ? nulls : events;
        report->null_rate[f] = events == 0 ? NOT_KNOWN : (double)nulls / (double)events;
        stream->nulls[f] = now;
    }
}

/* Cuts the window of one field out of the workers' counts. */
static void window_cut(const struct quality_stream *stream, uint32_t shard_count, uint32_t place,
                       struct quality_shift *shift)
{
    for (uint32_t b = 0; b < SHIFT_BINS; b++) {
        uint64_t now = 0;
        for (uint32_t s = 0; s < shard_count; s++) {
            now += counter_read(&stream->monitor[s]->shared_bin[place][b]);
        }
        shift->window[b] = now - shift->begin[b];
        shift->begin[b] = now;
    }
}

static double shift_look(const struct quality_stream *stream, const struct schema_field *field,
                         struct quality_shift *shift)
{
    const uint64_t *reference = stream->has_reference ? shift->reference : shift->gathering;
    double psi = quality_psi(reference, shift->window, field->enum_count == 0);
    for (uint32_t b = 0; b < SHIFT_BINS; b++) {
        shift->gathering[b] += shift->window[b];
    }
    return psi;
}

/* What gathered for as long as a reference is becomes the reference. */
static void references_turn(struct quality_stream *stream)
{
    const struct plan_quality *quality = &stream->plan->quality;
    uint32_t shifts = (uint32_t)__builtin_popcountll(quality->shift_fields);
    stream->gathered_us += quality->window_us;
    if (stream->gathered_us < quality->reference_us) {
        return;
    }
    for (uint32_t i = 0; i < shifts; i++) {
        struct quality_shift *shift = &stream->shift[i];
        memcpy(shift->reference, shift->gathering, sizeof(shift->reference));
        memset(shift->gathering, 0, sizeof(shift->gathering));
    }
    stream->gathered_us = 0;
    stream->has_reference = true;
}

static void window_end(struct quality *quality, struct quality_stream *stream,
                       struct quality_report *report)
{
    uint64_t now = events_now(stream, quality->shard_count);
    report->has_window = true;
    report->events = now - stream->events;
    stream->events = now;
    nulls_look(stream, quality->shard_count, report->events, report);
    uint64_t fields = stream->plan->quality.shift_fields;
    for (uint32_t place = 0; fields != 0; place++, fields &= fields - 1) {
        uint32_t f = (uint32_t)__builtin_ctzll(fields);
        struct quality_shift *shift = &stream->shift[place];
        window_cut(stream, quality->shard_count, place, shift);
        report->psi[f] = shift_look(stream, &stream->plan->schema.field[f], shift);
    }
    references_turn(stream);
}

void quality_look(struct quality *quality, int64_t now_us)
{
    for (uint32_t s = 0; s < quality->stream_count; s++) {
        struct quality_stream *stream = &quality->stream[s];
        if (stream->monitor == NULL || now_us < stream->window_end_us) {
            continue;
        }
        struct quality_report report = stream->report; /* Only this thread writes it. */
        window_end(quality, stream, &report);
        stream->window_end_us += stream->plan->quality.window_us;
        if (stream->window_end_us <= now_us) { /* A look that came too late begins anew. */
            stream->window_end_us = now_us + stream->plan->quality.window_us;
        }
        (void)pthread_mutex_lock(&quality->lock);
        stream->report = report;
        (void)pthread_mutex_unlock(&quality->lock);
    }
}

void quality_read(struct quality *quality, uint32_t stream, struct quality_report *out_report)
{
    (void)pthread_mutex_lock(&quality->lock);
    *out_report = quality->stream[stream].report;
    (void)pthread_mutex_unlock(&quality->lock);
}

static enum result stream_open(struct quality_stream *stream,
                               const struct counters_monitor *const *monitor, uint32_t shard_count,
                               int64_t now_us)
{
    const struct plan_quality *quality = &stream->plan->quality;
    for (uint32_t f = 0; f < FIELDS_MAX; f++) {
        stream->report.null_rate[f] = NOT_KNOWN;
        stream->report.psi[f] = NOT_KNOWN;
    }
    if (monitor[0] == NULL) {
        return RESULT_OK;
    }
    uint64_t shift_bytes =
        (uint64_t)__builtin_popcountll(quality->shift_fields) * sizeof(*stream->shift);
    stream->monitor = heap_alloc(shard_count * sizeof(monitor[0]));
    stream->shift = heap_alloc(shift_bytes > 0 ? shift_bytes : 1);
    if (stream->monitor == NULL || stream->shift == NULL) {
        return RESULT_NO_MEMORY;
    }
    memcpy((void *)stream->monitor, (const void *)monitor, shard_count * sizeof(monitor[0]));
    memset(stream->shift, 0, shift_bytes);
    stream->window_end_us = now_us + quality->window_us;
    return RESULT_OK;
}

enum result quality_open(const struct plan *plan, const struct counters_monitor *const *monitor,
                         uint32_t shard_count, int64_t now_us, struct quality **out_quality)
{
    struct quality *quality = heap_alloc(sizeof(*quality));
    if (quality == NULL) {
        return RESULT_NO_MEMORY;
    }
    memset(quality, 0, sizeof(*quality));
    (void)pthread_mutex_init(&quality->lock, NULL);
    quality->stream_count = plan->stream_count;
    quality->shard_count = shard_count;
    for (uint32_t s = 0; s < plan->stream_count; s++) {
        quality->stream[s].plan = &plan->stream[s];
        enum result result =
            stream_open(&quality->stream[s], &monitor[s * shard_count], shard_count, now_us);
        if (result != RESULT_OK) {
            quality_close(quality);
            return result;
        }
    }
    *out_quality = quality;
    return RESULT_OK;
}

void quality_close(struct quality *quality)
{
    if (quality == NULL) {
        return;
    }
    for (uint32_t s = 0; s < quality->stream_count; s++) {
        heap_free((void *)quality->stream[s].monitor);
        heap_free(quality->stream[s].shift);
    }
    (void)pthread_mutex_destroy(&quality->lock);
    heap_free(quality);
}
