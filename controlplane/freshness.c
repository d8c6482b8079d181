#include "controlplane/freshness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "controlplane/appliance.h"
#include "dataplane/base/units.h"
#include "dataplane/reader.h"

/* Between looks at what the workers sampled: their rings hold far more. */
#define REST_US 5000

struct freshness {
    struct appliance *appliance; /* Borrowed. */
    struct reader *reader;
    pthread_t thread;
    _Atomic bool shared_stop;
    _Atomic uint64_t shared_unseen;
    struct histogram *histogram; /* Owner: the thread. [view][stage] */
};

const char *freshness_stage_name(enum freshness_stage stage)
{
    static const char *const name[] = {
#define FRESHNESS_STAGE(name, sentence) #name,
#include "controlplane/freshness_stages.def"
#undef FRESHNESS_STAGE
    };
    return name[stage];
}

static struct histogram *histogram_of(const struct freshness *freshness, uint32_t view,
                                      enum freshness_stage stage)
{
    return &freshness->histogram[(uint64_t)view * FRESHNESS_STAGE_COUNT + stage];
}

const struct histogram *freshness_histogram(const struct freshness *freshness, uint32_t view,
                                            enum freshness_stage stage)
{
    return histogram_of(freshness, view, stage);
}

uint64_t freshness_unseen(const struct freshness *freshness)
{
    return atomic_load_explicit(&freshness->shared_unseen, memory_order_relaxed);
}

static void span_record(struct freshness *freshness, uint32_t view, enum freshness_stage stage,
                        int64_t from_ns, int64_t to_ns)
{
    int64_t span_ns = sub_clamped(to_ns, from_ns);
    histogram_record(histogram_of(freshness, view, stage), span_ns < 0 ? 0 : (uint64_t)span_ns, 1);
}

static int64_t event_ns(const struct worker_sample *sample)
{
    int64_t ns;
    if (__builtin_mul_overflow(sample->event_time_us, NS_PER_US, &ns)) {
        return sample->event_time_us < 0 ? INT64_MIN : INT64_MAX;
    }
    return ns;
}

/* One read of the sampled row by the way every client reads. */
static bool sample_readable(struct freshness *freshness, const struct worker_sample *sample)
{
    const struct plan_view *view = &freshness->appliance->plan->view[sample->view];
    struct answer answer = {0};
    struct reader_query query = {
        .view = sample->view,
        .key_size = sample->key_size,
        .key = sample->key,
        .time = READ_NOW,
        .feature_count = 1,
        .feature = &view->feature_first,
        .answer = &answer,
    };
    reader_read(freshness->reader, &query, 1);
    return query.found && answer.lsn >= sample->lsn;
}

/* The event could be read from the moment when its turn was published; a read of that row, done
 * here and now, adds what reading takes. */
static void sample_follow(struct freshness *freshness, const struct worker_sample *sample)
{
    const struct clock *clock = &freshness->appliance->clock;
    span_record(freshness, sample->view, FRESHNESS_STAGE_event_to_arrival, event_ns(sample),
                sample->arrival_ns);
    int64_t start_ns = clock_now_ns(clock);
    if (!sample_readable(freshness, sample)) {
        counter_add(&freshness->shared_unseen, 1);
        return;
    }
    int64_t read_ns = clock_now_ns(clock) - start_ns;
    int64_t readable_ns = add_clamped(sample->published_ns, read_ns > 0 ? read_ns : 0);
    span_record(freshness, sample->view, FRESHNESS_STAGE_arrival_to_readable, sample->arrival_ns,
                readable_ns);
    span_record(freshness, sample->view, FRESHNESS_STAGE_event_to_readable, event_ns(sample),
                readable_ns);
}

static void *freshness_run(void *argument)
{
    struct freshness *freshness = argument;
    struct appliance *appliance = freshness->appliance;
    while (!atomic_load_explicit(&freshness->shared_stop, memory_order_relaxed)) {
        reader_online(freshness->reader);
        for (uint32_t i = 0; i < appliance->shard_count; i++) {
            struct worker_sample sample;
            while (worker_sample_take(appliance->worker[i], &sample)) {
                /* What was filled since has no histograms until the next start. */
                if (sample.view < appliance->plan->view_count) {
                    sample_follow(freshness, &sample);
                }
            }
        }
        reader_offline(freshness->reader);
        struct timespec rest = {.tv_nsec = REST_US * NS_PER_US};
        (void)nanosleep(&rest, NULL);
    }
    return NULL;
}

static void freshness_free(struct freshness *freshness)
{
    if (freshness->reader != NULL) {
        reader_close(freshness->reader);
    }
    heap_free(freshness->histogram);
    heap_free(freshness);
}

enum result freshness_open(struct appliance *appliance, uint32_t thread_index,
                           struct freshness **out_freshness)
{
    struct freshness *freshness = heap_alloc(sizeof(*freshness));
    if (freshness == NULL) {
        return RESULT_NO_MEMORY;
    }
    memset(freshness, 0, sizeof(*freshness));
    freshness->appliance = appliance;
    uint64_t bytes =
        (uint64_t)appliance->plan->view_count * FRESHNESS_STAGE_COUNT * sizeof(struct histogram);
    enum result result = RESULT_NO_MEMORY;
    freshness->histogram = heap_alloc_lines(bytes);
    if (freshness->histogram == NULL) {
        goto fail;
    }
    result =
        reader_open(appliance->worker, appliance->shard_count, thread_index, &freshness->reader);
    if (result != RESULT_OK) {
        goto fail;
    }
    reader_offline(freshness->reader);
    result = cpu_thread_start(&appliance->layout, -1, "freshness", freshness_run, freshness,
                              &freshness->thread);
    if (result != RESULT_OK) {
        goto fail;
    }
    *out_freshness = freshness;
    return RESULT_OK;
fail:
    freshness_free(freshness);
    return result;
}

void freshness_close(struct freshness *freshness)
{
    if (freshness == NULL) {
        return;
    }
    atomic_store_explicit(&freshness->shared_stop, true, memory_order_relaxed);
    (void)pthread_join(freshness->thread, NULL);
    freshness_free(freshness);
}
