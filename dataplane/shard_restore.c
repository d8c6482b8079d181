/* Rows that come back from a checkpoint. */
#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/row.h"
#include "dataplane/row_hand.h"
#include "dataplane/shard.h"

/* The entry of the row with this key, or NULL. */
static uint64_t *entry_find(struct shard *shard, uint32_t view_index, uint64_t hash,
                            const uint8_t *key, uint32_t key_size)
{
    uint64_t *segment = table_segment(&shard->table, hash);
    uint64_t *bucket = table_bucket(segment, hash);
    uint32_t index = 0;
    uint64_t *entry;
    while ((entry = table_find(segment, &bucket, &index, hash)) != NULL) {
        uint64_t *row = row_store_at(&shard->store, entry_line(*entry));
        if (row_key_equals(row, view_index, key, key_size)) {
            return entry;
        }
    }
    return NULL;
}

/* Writes the row into a place of its own; NULL at the cap. */
static uint64_t *row_place(struct shard *shard, uint32_t view_index, const uint64_t *words,
                           uint32_t front, uint32_t back)
{
    const struct plan_view *view = &shard->plan->view[view_index];
    struct row_meta meta = row_meta_load(words - 1);
    uint32_t lines = (uint32_t)div_ceil(1 + (uint64_t)front + back, LINE_WORDS);
    uint32_t first = row_lines_first(view, meta.key_size);
    uint32_t class_index = row_store_class_of(lines > first ? lines : first);
    if (class_index >= ROW_STORE_CLASSES || !row_store_can_retire(&shard->store)) {
        return NULL;
    }
    uint64_t *row = row_store_take_last(&shard->store, class_index);
    if (row == NULL) {
        return NULL;
    }
    uint32_t place_lines = row_place_lines(shard, row);
    row_lock(row);
    words_store(row + 1, words, front);
    words_store(row + (uint64_t)place_lines * LINE_WORDS - back, words + front, back);
    meta.view = (uint16_t)view_index;
    meta.walk_due = false;
    row_meta_store(row, meta);
    row_unlock(row);
    row_hand_account(shard, view_index, place_lines);
    return row;
}

void shard_obey(struct shard *shard, bool obeys)
{
    shard->obeying = obeys;
    row_store_spare_open(&shard->store, obeys);
}

void shard_bucket_prefetch(const struct shard *shard, uint32_t view_index, const uint8_t *key,
                           uint32_t key_size)
{
    uint64_t hash = hash_table(key, key_size, shard->secret + view_index);
    __builtin_prefetch(table_bucket(table_segment(&shard->table, hash), hash), 1, 3);
}

void shard_row_prefetch(const struct shard *shard, uint32_t view_index, const uint8_t *key,
                        uint32_t key_size)
{
    uint64_t hash = hash_table(key, key_size, shard->secret + view_index);
    uint64_t *segment = table_segment(&shard->table, hash);
    uint64_t *bucket = table_bucket(segment, hash);
    uint32_t index = 0;
    const uint64_t *entry = table_find(segment, &bucket, &index, hash);
    if (entry != NULL) {
        __builtin_prefetch(row_store_at(&shard->store, entry_line(*entry)), 1, 3);
    }
}

enum result shard_row_restore(struct shard *shard, uint32_t view_index, const uint64_t *words,
                              uint32_t front, uint32_t back)
{
    /* words begins at ROW_META: one before it would be the version. */
    struct row_meta meta = row_meta_load(words - 1);
    const uint8_t *key = (const uint8_t *)&words[ROW_KEY - 1];
    uint64_t hash = hash_table(key, meta.key_size, shard->secret + view_index);
    uint64_t *entry = entry_find(shard, view_index, hash, key, meta.key_size);
    if (entry != NULL &&
        row_store_at(&shard->store, entry_line(*entry))[ROW_LSN] >= words[ROW_LSN - 1]) {
        return RESULT_OK;
    }
    uint64_t *row = row_place(shard, view_index, words, front, back);
    if (row == NULL) {
        return RESULT_NO_SPACE;
    }
    int64_t newest_us = row_newest_us(row);
    shard->oldest_us = newest_us < shard->oldest_us ? newest_us : shard->oldest_us;
    if (entry != NULL) {
        struct row_hand hand = {.row = row, .old = row_store_at(&shard->store, entry_line(*entry))};
        row_hand_account(shard, view_index, -(int64_t)row_place_lines(shard, hand.old));
        row_hand_publish(shard, &hand, entry);
        return RESULT_OK;
    }
    if (!table_insert(&shard->table, hash, row_store_line_of(&shard->store, row))) {
        row_hand_account(shard, view_index, -(int64_t)row_place_lines(shard, row));
        row_store_retire(&shard->store, row);
        return RESULT_NO_SPACE;
    }
    counter_add(&shard->counters->view[view_index].shared_rows, 1);
    return RESULT_OK;
}
