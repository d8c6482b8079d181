#include "controlplane/served.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "controlplane/served_files.h"
#include "dataplane/base/assert.h"
#include "dataplane/counters.h"
#include "dataplane/feature/served_format.h"
#include "dataplane/mirror_door.h"
#include "drivers/clock.h"
#include "drivers/cpu.h"
#include "drivers/memory.h"

#define RING_LINES (1u << 14) /* 1 MiB */
#define STEP_NS    (20 * NS_PER_SECOND / 1000)
#define PPM_WHOLE  1000000.0
#define NEVER      UINT64_MAX

_Static_assert(SERVED_RECORD_BYTES_MAX + CACHE_LINE_BYTES <= RING_LINES * CACHE_LINE_BYTES / 2,
               "a ring takes any record");

struct served {
    struct served_options options;
    struct served_thread **thread; /* Owned, as each of them and its lines. */
    /* Owner: the keeper's thread. */
    struct served_files files;
    struct served_record *record; /* Owned: of the one that is looked at. */
    uint8_t *block;               /* Owned: room for a header, then records. */
    uint32_t block_size;          /* Of its records. */
    uint32_t block_count;
    uint64_t block_lsn[SHARDS_MAX]; /* Greatest that its answers were made of. */
    pthread_t keeper;
    bool started;
    _Atomic bool shared_stop;
    _Atomic uint64_t shared_recorded;
    _Atomic uint64_t shared_dropped;
};

/* Answers up to the next one that is recorded, that one too: each has the same chance. */
static uint64_t distance_draw(struct random *random, uint32_t ppm)
{
    if (ppm == 0) {
        return NEVER;
    }
    double distance = log1p(-random_unit(random)) / log1p(-(double)ppm / PPM_WHOLE);
    return 1 + (uint64_t)distance;
}

bool served_next_is_due(struct served_thread *thread, const struct plan *plan, uint32_t service)
{
    thread->left[service] = distance_draw(&thread->random, plan->service[service].log_sample_ppm);
    return true;
}

void served_push(struct served_thread *thread, const uint8_t *record, uint32_t size)
{
    void *room = size == 0 ? NULL : ring_push(&thread->ring, size);
    if (room == NULL) {
        counter_add(&thread->shared_dropped, 1);
        return;
    }
    memcpy(room, record, size);
    ring_push_finish(&thread->ring);
}

void served_thread_follow(struct served_thread *thread, const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->service_count; i++) {
        thread->left[i] = distance_draw(&thread->random, plan->service[i].log_sample_ppm);
    }
}

static struct served_thread *thread_make(const struct plan *plan, uint64_t seed)
{
    struct served_thread *thread = heap_alloc_lines(sizeof(*thread));
    void *lines = heap_alloc_lines(ring_footprint(RING_LINES));
    if (thread == NULL || lines == NULL) {
        heap_free(thread);
        heap_free(lines);
        return NULL;
    }
    ring_init(&thread->ring, lines, RING_LINES);
    random_seed(&thread->random, seed);
    served_thread_follow(thread, plan);
    return thread;
}

/* Whether all that the block's answers were made of is durable. */
static bool block_is_durable(const struct served *served)
{
    for (uint32_t i = 0; i < served->options.shard_count; i++) {
        /* Acquire, pairs with release L2 in mirror_complete_turn(). */
        uint64_t lsn = atomic_load_explicit(
            &worker_mirror(served->options.workers[i])->shared_complete_lsn, memory_order_acquire);
        if (served->block_lsn[i] > lsn) {
            return false;
        }
    }
    return true;
}

static void block_forget(struct served *served)
{
    served->block_size = 0;
    served->block_count = 0;
    memset(served->block_lsn, 0, sizeof(served->block_lsn));
}

/* False: it has to wait. */
static bool block_put(struct served *served)
{
    if (served->block_count == 0) {
        return true;
    }
    if (!block_is_durable(served)) {
        return false;
    }
    int64_t now_us = clock_now_us(served->options.clock);
    bool put = served_files_put(&served->files, served->block, served->block_size,
                                served->block_count, now_us) == RESULT_OK;
    counter_add(put ? &served->shared_recorded : &served->shared_dropped, served->block_count);
    block_forget(served);
    return true;
}

static void block_add(struct served *served, const uint8_t *record, uint32_t size)
{
    uint32_t at = 0;
    uint8_t *place = served->block + SERVED_BLOCK_HEADER + served->block_size;
    memcpy(place, record, size);
    enum result result = served_record_decode(place, size, &at, served->record);
    ASSERT(result == RESULT_OK);
    for (uint32_t i = 0; i < served->record->read_count; i++) {
        const struct served_read *read = &served->record->read[i];
        uint64_t *most = &served->block_lsn[read->shard];
        *most = read->lsn > *most ? read->lsn : *most;
    }
    served->block_size += size;
    served->block_count++;
}

/* Takes what a thread recorded, as far as the block has room. */
static void ring_take(struct served *served, struct served_thread *thread)
{
    uint32_t size;
    uint32_t room = SERVED_BLOCK_BYTES_MAX - SERVED_BLOCK_HEADER - SERVED_RECORD_BYTES_MAX;
    while (served->block_size <= room || block_put(served)) {
        const uint8_t *record = ring_pop(&thread->ring, &size);
        if (record == NULL) {
            break;
        }
        block_add(served, record, size);
    }
    ring_pop_finish(&thread->ring);
}

static void rings_take(struct served *served)
{
    for (uint32_t i = 0; i < served->options.thread_count; i++) {
        ring_take(served, served->thread[i]);
    }
}

static void *keeper_run(void *argument)
{
    struct served *served = argument;
    struct timespec pause = {.tv_nsec = STEP_NS};
    /* Acquire, pairs with the release in served_stop(): what serving threads recorded is seen. */
    while (!atomic_load_explicit(&served->shared_stop, memory_order_acquire)) {
        /* What came before the pause is durable by now, as a rule. */
        if (block_put(served)) {
            rings_take(served);
        }
        served_files_step(&served->files, clock_now_us(served->options.clock),
                          /* at_once= */ false);
        (void)nanosleep(&pause, NULL);
    }
    if (block_put(served)) {
        rings_take(served);
    }
    if (!block_put(served)) {
        counter_add(&served->shared_dropped, served->block_count);
    }
    served_files_step(&served->files, clock_now_us(served->options.clock), /* at_once= */ true);
    return NULL;
}

static enum result threads_make(struct served *served)
{
    const struct served_options *options = &served->options;
    served->thread = heap_alloc_lines(options->thread_count * sizeof(struct served_thread *));
    for (uint32_t i = 0; served->thread != NULL && i < options->thread_count; i++) {
        served->thread[i] =
            thread_make(options->plan, (uint64_t)clock_now_ns(options->clock) ^ (uint64_t)i << 56);
        if (served->thread[i] == NULL) {
            return RESULT_NO_MEMORY;
        }
    }
    return served->thread == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

enum result served_open(const struct served_options *options, struct served **out_served)
{
    struct served_files_options files = {.disk = options->disk,
                                         .file_bytes = options->file_bytes,
                                         .keep_us = options->keep_us,
                                         .keep_bytes = options->keep_bytes};
    memcpy(files.store_id, options->store_id, sizeof(files.store_id));
    struct served *served = heap_alloc_lines(sizeof(*served));
    if (served == NULL) {
        return RESULT_NO_MEMORY;
    }
    served->options = *options;
    served->record = heap_alloc_lines(sizeof(*served->record));
    served->block = heap_alloc_lines(SERVED_BLOCK_BYTES_MAX);
    enum result result =
        served->record == NULL || served->block == NULL ? RESULT_NO_MEMORY : threads_make(served);
    if (result == RESULT_OK) {
        result = served_files_open(&served->files, &files);
    }
    if (result == RESULT_OK) {
        result =
            cpu_thread_start(options->layout, -1, "served", keeper_run, served, &served->keeper);
        served->started = result == RESULT_OK;
    }
    if (result != RESULT_OK) {
        served_close(served);
        return result;
    }
    *out_served = served;
    return RESULT_OK;
}

void served_stop(struct served *served)
{
    if (served != NULL && served->started) {
        /* Release, pairs with the acquire in keeper_run(). */
        atomic_store_explicit(&served->shared_stop, true, memory_order_release);
        (void)pthread_join(served->keeper, NULL);
        served->started = false;
    }
}

void served_close(struct served *served)
{
    if (served == NULL) {
        return;
    }
    served_stop(served);
    served_files_close(&served->files);
    for (uint32_t i = 0; served->thread != NULL && i < served->options.thread_count; i++) {
        heap_free(served->thread[i] == NULL ? NULL : served->thread[i]->ring.lines);
        heap_free(served->thread[i]);
    }
    heap_free(served->thread);
    heap_free(served->record);
    heap_free(served->block);
    heap_free(served);
}

struct served_thread *served_thread_of(struct served *served, uint32_t index)
{
    ASSERT(index < served->options.thread_count);
    return served->thread[index];
}

void served_report_read(const struct served *served, struct served_report *out)
{
    *out = (struct served_report){
        .recorded = counter_read(&served->shared_recorded),
        .dropped = counter_read(&served->shared_dropped),
        .bytes = counter_read(&served->files.shared_bytes),
        .files = counter_read(&served->files.shared_count),
    };
    for (uint32_t i = 0; i < served->options.thread_count; i++) {
        out->dropped += counter_read(&served->thread[i]->shared_dropped);
    }
}
