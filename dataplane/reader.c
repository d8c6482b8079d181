#include "dataplane/reader.h"

#include <rte_rcu_qsbr.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/row.h"
#include "dataplane/publish.h"
#include "dataplane/row_answer.h"
#include "dataplane/worker_state.h"
#include "drivers/memory.h"

/* Queries between the stages of a batch. */
#define READ_GAP 8u
/* Lines of a row asked for ahead; longer rows stream in behind them. */
#define READ_PREFETCH_LINES 8u

struct reader {
    /* Constant after open. */
    struct worker *worker[SHARDS_MAX];
    uint32_t shard_count;
    uint32_t thread_index;
    struct memory_region region;
    uint64_t *row; /* Private copy: ROW_SIZE_MAX. */
    struct row_answer_space *space;
    /* Owner: the reading thread. */
    const struct plan *plan;
    struct row_asked asked; /* By the query before. */
    struct text_space texts;
    bool online;
};

/* Each answer may be a string; lists share what lies behind, a page of memory as it is touched. */
#define READER_STRING_BYTES ((uint64_t)READER_ANSWERS_MAX * STRING_SIZE_MAX)
#define READER_TEXT_BYTES   (READER_STRING_BYTES + READER_LIST_BYTES)

enum result reader_open(struct worker *const *workers, uint32_t shard_count, uint32_t thread_index,
                        struct reader **out_reader)
{
    ASSERT(shard_count > 0);
    ASSERT(shard_count <= SHARDS_MAX);
    uint64_t head = align_up(sizeof(struct reader), CACHE_LINE_BYTES);
    uint64_t space = align_up(sizeof(struct row_answer_space), CACHE_LINE_BYTES);
    uint64_t bytes = head + ROW_SIZE_MAX + space + READER_TEXT_BYTES;
    struct memory_region region;
    enum result result = memory_map(bytes, /* touch= */ 0, &region);
    if (result != RESULT_OK) {
        return result;
    }
    struct reader *reader = region.base;
    reader->region = region;
    reader->shard_count = shard_count;
    reader->thread_index = thread_index;
    reader->plan = workers[0]->plan_first;
    reader->row = (uint64_t *)((uint8_t *)region.base + head);
    reader->space = (struct row_answer_space *)((uint8_t *)reader->row + ROW_SIZE_MAX);
    reader->texts =
        (struct text_space){.data = (char *)reader->space + space, .size = READER_TEXT_BYTES};
    for (uint32_t i = 0; i < shard_count; i++) {
        ASSERT(thread_index < workers[i]->options.readers_max);
        reader->worker[i] = workers[i];
        int failed =
            rte_rcu_qsbr_thread_register(workers[i]->shard.store.qsbr, reader->thread_index);
        ASSERT(failed == 0);
    }
    reader_online(reader);
    *out_reader = reader;
    return RESULT_OK;
}

void reader_plan_set(struct reader *reader, const struct plan *plan)
{
    reader->plan = plan;
}

void reader_close(struct reader *reader)
{
    if (reader == NULL) {
        return;
    }
    reader_offline(reader);
    for (uint32_t i = 0; i < reader->shard_count; i++) {
        rte_rcu_qsbr_thread_unregister(reader->worker[i]->shard.store.qsbr, reader->thread_index);
    }
    struct memory_region region = reader->region;
    memory_unmap(&region);
}

void reader_offline(struct reader *reader)
{
    for (uint32_t i = 0; reader->online && i < reader->shard_count; i++) {
        rte_rcu_qsbr_thread_offline(reader->worker[i]->shard.store.qsbr, reader->thread_index);
    }
    reader->online = false;
}

void reader_online(struct reader *reader)
{
    for (uint32_t i = 0; !reader->online && i < reader->shard_count; i++) {
        rte_rcu_qsbr_thread_online(reader->worker[i]->shard.store.qsbr, reader->thread_index);
    }
    reader->online = true;
}

static void reader_quiescent(struct reader *reader)
{
    for (uint32_t i = 0; i < reader->shard_count; i++) {
        rte_rcu_qsbr_quiescent(reader->worker[i]->shard.store.qsbr, reader->thread_index);
    }
}

/* One query on its way through the stages. */
struct probe {
    struct worker *worker;
    uint64_t hash;
    uint64_t *segment;
};

static const struct table_directory *directory_of(const struct table *table)
{
    /* Acquire, pairs with release D2 in directory_double(). */
    return atomic_load_explicit(&table->shared_directory, memory_order_acquire);
}

/* Acquire, pairs with release D1 in directory_set(). */
static uint64_t *segment_of(const struct table *table, uint64_t hash)
{
    const struct table_directory *directory = directory_of(table);
    return __atomic_load_n(&directory->segment[table_slot(directory, hash)], __ATOMIC_ACQUIRE);
}

static void probe_begin(struct reader *reader, const struct reader_query *query,
                        struct probe *probe)
{
    uint32_t owner = reader->shard_count > 1
                         ? mesh_owner(hash_owner(query->key, query->key_size), reader->shard_count)
                         : 0;
    probe->worker = reader->worker[owner];
    struct shard *shard = &probe->worker->shard;
    probe->hash = hash_table(query->key, query->key_size, shard->secret + query->view);
    probe->segment = segment_of(&shard->table, probe->hash);
    __builtin_prefetch(table_bucket(probe->segment, probe->hash), 0, 3);
}

/* Asks for the first lines of rows that may be it. */
static void probe_prefetch_row(const struct probe *probe)
{
    const struct row_store *store = &probe->worker->shard.store;
    const uint64_t *bucket = table_bucket(probe->segment, probe->hash);
    for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
        uint64_t entry = word_load_shared(&bucket[i]);
        if (entry_matches(entry, probe->hash)) {
            const uint64_t *row = row_store_at(store, entry_line(entry));
            for (uint32_t line = 0; line < READ_PREFETCH_LINES; line++) {
                __builtin_prefetch(row + line * LINE_WORDS, 0, 3);
            }
        }
    }
}

enum copy_outcome {
    COPY_DONE,  /* The row of the key, whole. */
    COPY_OTHER, /* A row of another key. */
    COPY_MOVED, /* The row is dead: look again. */
};

static void words_copy(uint64_t *target, const uint64_t *source, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        target[i] = word_load_shared(&source[i]);
    }
}

/* Copies what the row says that it holds: its front up to the last closed cell, and its singles at
 * the end. What it says may be torn, so the place's class bounds both; the caller sees to it that
 * the version stood still. */
static void row_copy_used(const struct plan *plan, uint64_t *copy, const uint64_t *source,
                          uint32_t lines)
{
    uint32_t words = lines * LINE_WORDS;
    words_copy(copy, source, ROW_META, LINE_WORDS);
    struct row_meta meta = row_meta_load(copy);
    if (meta.view >= plan->view_count) {
        return;
    }
    const struct plan_view *view = &plan->view[meta.view];
    uint32_t head = row_head_words(view, meta.key_size);
    head = head < words ? head : words;
    words_copy(copy, source, LINE_WORDS, head);
    uint64_t front_said = row_front_words(view, copy, meta);
    uint64_t back_said = row_back_words(view, meta);
    uint32_t front = front_said < words ? (uint32_t)front_said : words;
    uint32_t back = back_said < words - front ? (uint32_t)back_said : words - front;
    words_copy(copy, source, head, front);
    words_copy(copy, source, words - back, words);
}

/* Copies the row at line under its sequence lock into reader->row; nothing in the copy is believed
 * before the version was seen twice. */
static enum copy_outcome row_copy(struct reader *reader, const struct row_store *store,
                                  uint64_t line, const struct reader_query *query,
                                  uint32_t *out_lines)
{
    const uint64_t *source = row_store_at(store, line);
    uint32_t lines = row_store_lines(store, line);
    for (;;) {
        /* Acquire, pairs with release W2 in row_unlock(). */
        uint64_t before = word_load_shared(&source[ROW_VERSION]);
        if ((before & ROW_VERSION_DEAD) != 0) {
            return COPY_MOVED;
        }
        if ((before & 1) != 0) {
            __builtin_ia32_pause();
            continue;
        }
        row_copy_used(reader->plan, reader->row, source, lines);
        if (word_load_shared(&source[ROW_VERSION]) != before) {
            continue;
        }
        *out_lines = lines;
        return row_key_equals(reader->row, query->view, query->key, query->key_size) ? COPY_DONE
                                                                                     : COPY_OTHER;
    }
}

/* Scans one chain of buckets. COPY_OTHER: the key is not in it as it was seen. */
static enum copy_outcome chain_search(struct reader *reader, const struct probe *probe,
                                      uint64_t *segment, const struct reader_query *query,
                                      uint32_t *out_lines)
{
    const struct row_store *store = &probe->worker->shard.store;
    const uint64_t *bucket = table_bucket(segment, probe->hash);
    for (uint32_t hops = 0; hops <= TABLE_OVERFLOWS; hops++) {
        for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
            uint64_t entry = word_load_shared(&bucket[i]);
            if (!entry_matches(entry, probe->hash)) {
                continue;
            }
            enum copy_outcome outcome =
                row_copy(reader, store, entry_line(entry), query, out_lines);
            if (outcome != COPY_OTHER) {
                return outcome;
            }
        }
        uint64_t next = word_load_shared(&bucket[TABLE_ENTRIES]);
        if (next == 0 || next > TABLE_OVERFLOWS) {
            return COPY_OTHER;
        }
        bucket = table_overflow(segment, next);
    }
    return COPY_MOVED; /* A chain that was rebuilt under us. */
}

/* Copies the key's row; false when there is none. A miss counts only if its segment was not split
 * meanwhile and is still the hash's. */
static bool row_search(struct reader *reader, const struct probe *probe,
                       const struct reader_query *query, uint32_t *out_lines)
{
    const struct table *table = &probe->worker->shard.table;
    for (;;) {
        uint64_t *segment = segment_of(table, probe->hash);
        const uint64_t *version = &table_header(segment)[TABLE_SPLIT_VERSION];
        uint64_t before = word_load_shared(version);
        enum copy_outcome outcome = chain_search(reader, probe, segment, query, out_lines);
        if (outcome == COPY_DONE) {
            return true;
        }
        if (outcome == COPY_OTHER && (before & 1) == 0 && word_load_shared(version) == before &&
            segment_of(table, probe->hash) == segment) {
            return false;
        }
        __builtin_ia32_pause();
    }
}

/* Query time of an entity that has no row. */
static int64_t absent_q(const struct reader_query *query, int64_t published_us)
{
    return query->time == READ_AT ? query->at_us : add_clamped(published_us, 1);
}

/* Copies the row, if there is one, with the T that it is known up to, and the horizon of that T.
 * False: there is none. */
static bool row_take(struct reader *reader, const struct probe *probe, struct reader_query *query,
                     uint32_t *out_lines, int64_t *out_published_us, int64_t *out_fold_us)
{
    const struct plan_view *view = &reader->plan->view[query->view];
    for (;;) {
        /* Acquire T2, pairs with release T1 in apply_publish(): T's records are in the rows. */
        *out_published_us =
            atomic_load_explicit(&probe->worker->shared_apply_us, memory_order_acquire);
        query->known_us = add_clamped(*out_published_us, 1);
        if (query->key_size == 0 || !row_search(reader, probe, query, out_lines)) {
            return false;
        }
        /* The burst that is applied now, perhaps: it is in the row, and not published yet. */
        int64_t own_us = (int64_t)reader->row[ROW_APPLY];
        int64_t known_us = own_us < *out_published_us ? *out_published_us : own_us;
        query->known_us = add_clamped(known_us, 1);
        if (publish_fold_read(&probe->worker->fold, view, known_us, out_fold_us)) {
            return true;
        }
    }
}

static void query_answer(struct reader *reader, struct reader_query *query,
                         const struct probe *probe)
{
    const struct plan_view *view = &reader->plan->view[query->view];
    int64_t published_us;
    uint32_t lines;
    uint32_t shard = probe->worker->options.shard;
    struct row_read_at at = {.since_us = probe->worker->since_us[query->view], .shard = shard};
    query->found = false;
    if (!row_take(reader, probe, query, &lines, &published_us, &at.fold_us)) {
        row_read_absent(absent_q(query, published_us), shard, query->feature_count, query->answer);
        return;
    }
    at.q_us = row_read_q(view, reader->row, query->time, query->at_us, published_us);
    if (!row_asked_is(&reader->asked, view, query->feature, query->feature_count)) {
        row_asked_init(&reader->asked, reader->plan, view, query->feature, query->feature_count);
    }
    query->found =
        row_answer(&reader->asked, reader->row, lines, &at, absent_q(query, published_us),
                   query->answer, reader->space, &reader->texts);
}

void reader_read(struct reader *reader, struct reader_query *queries, uint32_t count)
{
    ASSERT(reader->online);
    struct probe probe[2 * READ_GAP];
    reader->texts.used = 0;
    reader->texts.list_left = READER_LIST_BYTES;
    reader->asked.view = NULL;
    uint32_t answers = 0;
    for (uint32_t i = 0; i < count + 2 * READ_GAP; i++) {
        if (i < count) {
            answers += queries[i].feature_count;
            ASSERT(answers <= READER_ANSWERS_MAX);
        }
        if (i >= 2 * READ_GAP) {
            uint32_t done = i - 2 * READ_GAP;
            query_answer(reader, &queries[done], &probe[done % (2 * READ_GAP)]);
        }
        if (i < count) {
            probe_begin(reader, &queries[i], &probe[i % (2 * READ_GAP)]);
        }
        if (i >= READ_GAP && i - READ_GAP < count) {
            probe_prefetch_row(&probe[(i - READ_GAP) % (2 * READ_GAP)]);
        }
    }
    reader_quiescent(reader);
}

/* Cursor: shard in the top bits, then the hash space as directory slot and bucket; 0 begins. */
#define CURSOR_BITS (TABLE_DIRECTORY_BITS + TABLE_BUCKET_BITS)

struct scan {
    struct reader *reader;
    reader_visit *visit;
    void *context;
    uint32_t visited;
};

static void scan_row(struct scan *scan, const struct row_store *store, uint64_t entry)
{
    const uint64_t *row = row_store_at(store, entry_line(entry));
    /* Key and meta never change while a row is alive, so they need no lock; a dead row was moved or
     * removed, and its key is found again or gone. */
    if ((word_load_shared(&row[ROW_VERSION]) & ROW_VERSION_DEAD) != 0) {
        return;
    }
    uint64_t words[ROW_KEY + KEY_SIZE_MAX / sizeof(uint64_t) + 1];
    words[ROW_META] = word_load_shared(&row[ROW_META]);
    struct row_meta meta = row_meta_load(words);
    if (meta.view >= scan->reader->plan->view_count) {
        return; /* Of a view that is not served yet. */
    }
    for (uint32_t i = 0; i * sizeof(uint64_t) < meta.key_size; i++) {
        words[ROW_KEY + i] = word_load_shared(&row[ROW_KEY + i]);
    }
    scan->visit(scan->context, meta.view, (const uint8_t *)&words[ROW_KEY], meta.key_size);
    scan->visited++;
}

static void scan_bucket(struct scan *scan, const struct row_store *store, uint64_t *segment,
                        uint32_t bucket_index)
{
    const uint64_t *version = &table_header(segment)[TABLE_SPLIT_VERSION];
    uint64_t before;
    do {
        before = word_load_shared(version);
        const uint64_t *bucket = segment + (uint64_t)bucket_index * LINE_WORDS;
        for (uint32_t hops = 0; hops <= TABLE_OVERFLOWS; hops++) {
            for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
                uint64_t entry = word_load_shared(&bucket[i]);
                if (entry != 0) {
                    scan_row(scan, store, entry);
                }
            }
            uint64_t next = word_load_shared(&bucket[TABLE_ENTRIES]);
            if (next == 0 || next > TABLE_OVERFLOWS) {
                break;
            }
            bucket = table_overflow(segment, next);
        }
    } while ((before & 1) != 0 || word_load_shared(version) != before);
}

uint64_t reader_scan(struct reader *reader, uint64_t cursor, uint32_t count, reader_visit *visit,
                     void *context)
{
    ASSERT(reader->online);
    struct scan scan = {.reader = reader, .visit = visit, .context = context};
    uint64_t shard_index = cursor >> CURSOR_BITS;
    uint64_t slot = cursor >> TABLE_BUCKET_BITS & ((1u << TABLE_DIRECTORY_BITS) - 1);
    uint32_t bucket = (uint32_t)cursor & (TABLE_BUCKETS - 1);
    while (shard_index < reader->shard_count && scan.visited < count) {
        const struct shard *shard = &reader->worker[shard_index]->shard;
        uint64_t *segment = segment_of(&shard->table, slot << (64 - TABLE_DIRECTORY_BITS));
        scan_bucket(&scan, &shard->store, segment, bucket);
        if (++bucket < TABLE_BUCKETS) {
            continue;
        }
        bucket = 0;
        uint64_t depth = word_load_shared(&table_header(segment)[TABLE_DEPTH]);
        uint64_t span = UINT64_C(1) << (TABLE_DIRECTORY_BITS - depth);
        slot = (slot & ~(span - 1)) + span;
        if (slot >> TABLE_DIRECTORY_BITS != 0) {
            slot = 0;
            shard_index++;
        }
    }
    reader_quiescent(reader);
    if (shard_index >= reader->shard_count) {
        return 0;
    }
    return shard_index << CURSOR_BITS | slot << TABLE_BUCKET_BITS | bucket;
}
