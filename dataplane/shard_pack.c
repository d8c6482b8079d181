/* Gives chunks back that rows have left half empty: the rows that are still there move to other
 * chunks of their class, as rows do that grow, and the chunk is free when readers have passed. */
#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/row.h"
#include "dataplane/row_hand.h"
#include "dataplane/shard.h"
#include "dataplane/walk.h"

/* Rows whose buckets are on their way at a time. */
#define PACK_ROWS 16u
/* Places looked at, and lines found, in a step. */
#define PACK_LOOK 128u

struct pack_row {
    uint64_t *row;
    uint64_t hash;
};

/* What is done while at most a part of the chunks is free. Lines are those that a turn may
 * move or look at; a row may be larger: then the next turns move nothing. A chunk is packed when it
 * wins least_lines. */
struct pack_pace {
    uint32_t part;
    uint32_t lines_busy;
    uint32_t lines_idle;
    uint32_t least_lines;
};

static const struct pack_pace pack_paces[] = {
    {32, 2048, 2048, ROW_STORE_CHUNK_LINES / 16},
    {16, 512, 1024, ROW_STORE_CHUNK_LINES / 4},
};

/* NULL: there are chunks enough. */
static const struct pack_pace *pace_of(const struct row_store *store)
{
    uint32_t free = row_store_chunks_free(store);
    for (uint32_t i = 0; i < ARRAY_COUNT(pack_paces); i++) {
        if (free <= div_ceil(row_store_chunks_limit(store), pack_paces[i].part)) {
            return &pack_paces[i];
        }
    }
    return NULL;
}

/* The entry that names the row. */
static uint64_t *entry_of_row(struct shard *shard, const struct pack_row *pack)
{
    uint64_t line = row_store_line_of(&shard->store, pack->row);
    uint64_t *segment = table_segment(&shard->table, pack->hash);
    uint64_t *bucket = table_bucket(segment, pack->hash);
    uint32_t index = 0;
    uint64_t *entry = table_find(segment, &bucket, &index, pack->hash);
    while (entry != NULL && entry_line(*entry) != line) {
        entry = table_find(segment, &bucket, &index, pack->hash);
    }
    return entry;
}

/* False when there is no place for it. */
static bool row_pack(struct shard *shard, const struct pack_row *pack, uint32_t class_index)
{
    uint64_t *place = row_store_take_roomy(&shard->store, class_index);
    if (place == NULL) {
        row_store_chunk_stay(&shard->store);
        return false;
    }
    uint64_t *entry = entry_of_row(shard, pack);
    ASSERT(entry != NULL);
    struct row_hand hand = {.row = pack->row, .lines = row_place_lines(shard, pack->row)};
    row_hand_move_to(shard, row_meta_load(pack->row).view, &hand, place);
    row_hand_publish(shard, &hand, entry);
    row_unlock(hand.row);
    counter_add(&shard->counters->shared[COUNTER_rows_packed], 1);
    return true;
}

/* Live rows of the chunk from pack_place on, and *end: where to go on behind them. */
static uint32_t rows_find(struct shard *shard, struct pack_row rows[PACK_ROWS], uint32_t *end)
{
    const struct row_store *store = &shard->store;
    uint32_t lines = store->class[row_store_class_at(store, shard->pack_chunk)].lines;
    uint32_t count = 0;
    uint32_t place = shard->pack_place;
    for (; place < store->chunk[shard->pack_chunk].fresh && count < PACK_ROWS &&
           count * lines < PACK_LOOK && place - shard->pack_place < PACK_LOOK;
         place++) {
        uint64_t *row = row_store_at(store, (uint64_t)shard->pack_chunk * ROW_STORE_CHUNK_LINES +
                                                (uint64_t)place * lines);
        __builtin_prefetch(row + 8 * (uint64_t)lines * LINE_WORDS, 0, 3);
        if ((row[ROW_VERSION] & ROW_VERSION_DEAD) != 0) {
            continue;
        }
        struct row_meta meta = row_meta_load(row);
        uint64_t hash =
            hash_table((const uint8_t *)&row[ROW_KEY], meta.key_size, shard->secret + meta.view);
        rows[count++] = (struct pack_row){.row = row, .hash = hash};
        __builtin_prefetch(table_bucket(table_segment(&shard->table, hash), hash), 1, 3);
    }
    *end = place;
    return count;
}

/* Moves some rows of the chunk; returns the lines moved and looked at. 0: there is no more to do
 * with it now. */
static uint32_t pack_step(struct shard *shard)
{
    struct row_store *store = &shard->store;
    struct pack_row rows[PACK_ROWS];
    uint32_t class_index = row_store_class_at(store, shard->pack_chunk);
    uint32_t end;
    uint32_t count = rows_find(shard, rows, &end);
    uint32_t looked = end - shard->pack_place;
    for (uint32_t i = 0; i < count; i++) {
        if (!row_pack(shard, &rows[i], class_index)) {
            return 0;
        }
    }
    shard->pack_place = end;
    if (end == store->chunk[shard->pack_chunk].fresh) {
        row_store_chunk_left(store);
    }
    return looked + count * store->class[class_index].lines;
}

/* Room to wait for readers is for rows that grow first. */
static bool may_go_on(const struct shard *shard)
{
    return row_store_waiting_count(&shard->store) < ROW_STORE_WAITING_MAX / 2 &&
           walk_bears_moves(shard->walk);
}

void shard_pack(struct shard *shard, bool idle)
{
    struct row_store *store = &shard->store;
    const struct pack_pace *pace = pace_of(store);
    if (pace == NULL) {
        return;
    }
    uint32_t budget = idle ? pace->lines_idle : pace->lines_busy;
    uint32_t spent = shard->pack_debt;
    while (spent < budget && may_go_on(shard)) {
        if (store->leaving == 0) {
            if (!row_store_chunk_leave(store, pace->least_lines, &shard->pack_chunk)) {
                break;
            }
            shard->pack_place = 0;
        }
        uint32_t lines = pack_step(shard);
        if (lines == 0) {
            break;
        }
        spent += lines;
    }
    shard->pack_debt = spent > budget ? spent - budget : 0;
}

void shard_pack_all(struct shard *shard)
{
    const _Atomic uint64_t *packed = &shard->counters->shared[COUNTER_rows_packed];
    uint64_t before;
    do {
        before = counter_read(packed);
        shard->pack_debt = 0;
        shard_pack(shard, /* idle= */ true);
        row_store_turn(&shard->store);
    } while (counter_read(packed) != before);
}
