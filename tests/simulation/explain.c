#include "tests/simulation/explain.h"

#include <stdio.h>

#include "dataplane/base/hash.h"
#include "dataplane/feature/key.h"
#include "dataplane/feature/row.h"
#include "dataplane/feature/row_run.h"
#include "dataplane/row_hand.h"

/* The runs, word by word, as they stand one behind the other. */
static void runs_print(const struct plan_view *view, const uint64_t *row)
{
    for (uint32_t i = 0; i < view->run_count; i++) {
        const uint64_t *end;
        const uint64_t *word = row_run_area(view, row, i, &end);
        fprintf(stderr, "    run %u:", i);
        for (; word < end; word++) {
            fprintf(stderr, " %lx", *word);
        }
        fputc('\n', stderr);
    }
}

static void row_print(const char *who, struct shard *shard, const uint64_t *row, uint64_t hash)
{
    struct row_meta meta = row_meta_load(row);
    const struct plan_view *view = &shard->plan->view[meta.view];
    char text[3 * KEY_SIZE_MAX + 64];
    uint32_t size = key_format(shard->plan, view, (const uint8_t *)&row[ROW_KEY], meta.key_size,
                               text, sizeof(text));
    fprintf(
        stderr,
        "  %s: %s %.*s hash %016lx LSN %lx T %ld newest %ld horizon %ld, %u cells, %u singles\n",
        who, view->name, (int)size, text, hash, row[ROW_LSN], (int64_t)row[ROW_APPLY],
        (int64_t)row[ROW_NEWEST], (int64_t)row[ROW_HORIZON], meta.cell_count, meta.single_count);
    const uint64_t *cell = row + (uint64_t)row_key_lines(meta.key_size) * LINE_WORDS;
    const uint64_t *closed = row + row_head_words(view, meta.key_size);
    for (uint32_t i = 0; i <= meta.cell_count; i++) {
        fprintf(stderr, "    cell");
        for (uint32_t w = 0; w < view->cell_words; w++) {
            fprintf(stderr, " %lx", cell[w]);
        }
        fputc('\n', stderr);
        cell = closed + (uint64_t)i * view->cell_words;
    }
    runs_print(view, row);
    const uint64_t *end = row + (uint64_t)row_place_lines(shard, row) * LINE_WORDS;
    for (uint32_t i = meta.single_count + meta.has_floor; i > 0; i--) {
        const uint64_t *single = end - (uint64_t)i * view->single_words;
        fprintf(stderr, "    single");
        for (uint32_t w = 0; w < view->single_words; w++) {
            fprintf(stderr, " %lx", single[w]);
        }
        fputc('\n', stderr);
    }
}

void explain_vshard(const char *who, struct shard *shard, uint32_t vshard,
                    const int64_t fold_us[STREAMS_MAX], uint64_t *scratch)
{
    const struct table_directory *directory =
        atomic_load_explicit(&shard->table.shared_directory, memory_order_relaxed);
    uint64_t slot = 0;
    while (slot < (UINT64_C(1) << directory->depth)) {
        uint64_t *segment = directory->segment[slot];
        for (uint32_t i = 0; i < (TABLE_BUCKETS + TABLE_OVERFLOWS) * LINE_WORDS; i++) {
            if (i % LINE_WORDS >= TABLE_ENTRIES || segment[i] == 0) {
                continue;
            }
            const uint64_t *row = row_store_at(&shard->store, entry_line(segment[i]));
            struct row_meta meta = row_meta_load(row);
            if (hash_vshard(hash_owner(&row[ROW_KEY], meta.key_size)) != vshard) {
                continue;
            }
            const struct plan_view *view = &shard->plan->view[meta.view];
            struct ladder ladder;
            ladder_init(view, ladder_fold_us(view, fold_us), &ladder);
            row_print(who, shard, row,
                      row_state_hash(view, &ladder, row, row_place_lines(shard, row), scratch,
                                     2 * ROW_SIZE_MAX / CACHE_LINE_BYTES, &shard->scratch->fold));
        }
        slot += UINT64_C(1) << (directory->depth - table_header(segment)[TABLE_DEPTH]);
    }
}
