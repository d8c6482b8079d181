#include "dataplane/history_team.h"

#include <string.h>

#include "dataplane/base/assert.h"

/* A part has some blocks at a time, or there are fewer of them. */
#define PART_BLOCKS_MIN 4u
/* Fewer are not worth a thread. */
#define SHARE_READS 4096u

/* Steps of opening a team: what is asked; then hands, and rows beside them. */
enum { OPEN_LOOK, OPEN_ADD };

bool history_team_fits(const struct plan *plan, const struct history_read *read, uint32_t count)
{
    return !history_reads_ask_horizon(plan, read, count);
}

/* Parts of slots that follow one another: as many as memory has some blocks for. */
static void parts_cut(struct history_team *team)
{
    uint64_t slots = team->rows.slots.mask + 1;
    uint64_t blocks = team->options.event_bytes / HISTORY_BLOCK_BYTES;
    team->part_count = 1;
    while (team->part_count < HISTORY_PARTS_MAX && team->part_count < slots &&
           team->part_count * 2 * PART_BLOCKS_MIN <= blocks) {
        team->part_count *= 2;
    }
    team->part_shift = (uint32_t)__builtin_ctzll(slots / team->part_count);
    atomic_store_explicit(&team->shared_part_end, team->part_count, memory_order_relaxed);
}

static enum result hand_open(struct history_team *team, uint32_t hand)
{
    struct history *history = heap_alloc_lines(sizeof(*history));
    if (history == NULL) {
        return RESULT_NO_MEMORY;
    }
    team->hand[hand] = history;
    history->options = team->options;
    history->options.pattern_scratch = team->pattern_scratch[hand];
    history->options.thread = hand;
    history->rows = &team->rows;
    history->team = team;
    history->hand = heap_alloc_lines(sizeof(*history->hand));
    enum result result = history->hand == NULL ? RESULT_NO_MEMORY : history_parts_open(history);
    result = result == RESULT_OK
                 ? history_keep_init(&history->keep, team->options.event_bytes, team->part_shift)
                 : result;
    result = result == RESULT_OK ? history_answers_reserve(history, 1) : result;
    return result == RESULT_OK ? history_answer_init(history->hand) : result;
}

/* Reads without a key have no row to wait for. */
static enum result absent_answer(const struct history_team *team)
{
    struct history *first = team->hand[0];
    enum result result = RESULT_OK;
    uint32_t count = team->rows.absent == 0 ? 0 : team->options.read_count;
    for (uint32_t i = 0; result == RESULT_OK && i < count; i++) {
        struct history_read *read = &team->options.read[i];
        if (read->key_size == 0) {
            struct answer *answer = history_answers_of(first, read, 0);
            read->found = false;
            read->is_hindsight = false;
            row_read_absent(read->known_us, /* shard= */ 0, read->feature_count, answer);
            result = history_answers_take(first, read, answer);
        }
    }
    return result;
}

enum result history_team_open(const struct history_options *options,
                              struct pattern_scratch *const *pattern_scratch, uint32_t hand_count,
                              struct history_team **out_team)
{
    ASSERT(hand_count > 0 && hand_count <= SHARDS_MAX);
    ASSERT_COSTLY(history_team_fits(options->plan, options->read, options->read_count));
    struct history_team *team = heap_alloc_lines(sizeof(*team));
    if (team == NULL) {
        return RESULT_NO_MEMORY;
    }
    team->options = *options;
    team->hand_count = hand_count;
    team->pattern_scratch = pattern_scratch;
    team->share_count = 1 + options->read_count / SHARE_READS;
    team->share_count = team->share_count < hand_count ? team->share_count : hand_count;
    team->found = heap_alloc_lines(team->share_count * sizeof(*team->found));
    enum result result = team->found == NULL
                             ? RESULT_NO_MEMORY
                             : history_rows_init(&team->rows, options, /* of_team= */ true);
    if (result != RESULT_OK) {
        history_team_close(team);
        return result;
    }
    parts_cut(team);
    *out_team = team;
    return RESULT_OK;
}

uint32_t history_team_open_step(struct history_team *team, uint32_t step)
{
    const struct plan *plan = team->options.plan;
    if (step == OPEN_LOOK) {
        return team->share_count;
    }
    if (step > OPEN_ADD) {
        return 0;
    }
    history_rows_regard(&team->rows, team->found, team->share_count);
    for (uint32_t v = 0; v < plan->view_count; v++) {
        team->follows_horizon |= team->rows.is_asked[v] && plan->view[v].outlives_tiles;
    }
    return team->hand_count + team->share_count;
}

void history_team_open_task(struct history_team *team, uint32_t step, uint32_t task)
{
    bool opens_hand = step == OPEN_ADD && task < team->hand_count;
    uint32_t number = step == OPEN_LOOK || opens_hand ? task : task - team->hand_count;
    const struct history_share share = {.number = number, .count = team->share_count};
    if (step == OPEN_LOOK) {
        history_rows_look(&team->rows, &team->options, share, &team->found[number]);
    } else if (opens_hand) {
        team->hand_opened[number] = hand_open(team, number);
    } else {
        history_rows_add(&team->rows, &team->options, share, &team->found[number]);
    }
}

static void found_free(struct history_team *team)
{
    for (uint32_t i = 0; team->found != NULL && i < team->share_count; i++) {
        heap_free(team->found[i].left);
    }
    heap_free(team->found);
    team->found = NULL;
}

enum result history_team_opened(struct history_team *team)
{
    enum result result =
        history_rows_finish(&team->rows, &team->options, team->found, team->share_count);
    for (uint32_t h = 0; h < team->hand_count; h++) {
        result = team->hand_opened[h] == RESULT_OK ? result : team->hand_opened[h];
    }
    found_free(team);
    return result == RESULT_OK ? absent_answer(team) : result;
}

/* All but what answers borrow. */
static void memory_give(struct history_team *team)
{
    for (uint32_t h = 0; h < team->hand_count; h++) {
        struct history *history = team->hand[h];
        if (history == NULL) {
            continue; /* Opening failed before. */
        }
        history_keep_deinit(&history->keep);
        if (history->hand != NULL) {
            history_answer_deinit(history->hand);
            heap_free(history->hand->seen);
            history->hand->seen = NULL;
        }
    }
    heap_free(team->watermark_us);
    team->watermark_us = NULL;
    history_rows_deinit(&team->rows);
}

void history_team_close(struct history_team *team)
{
    if (team == NULL) {
        return;
    }
    memory_give(team);
    found_free(team);
    for (uint32_t h = 0; h < team->hand_count; h++) {
        if (team->hand[h] != NULL) {
            heap_free(team->hand[h]->hand);
        }
        history_close(team->hand[h]);
    }
    heap_free(team);
}

struct history *history_team_hand(struct history_team *team, uint32_t hand)
{
    ASSERT(hand < team->hand_count);
    return team->hand[hand];
}

void history_team_era_begin(struct history_team *team, uint32_t shard_count)
{
    for (uint32_t h = 0; h < team->hand_count; h++) {
        struct history *history = team->hand[h];
        history->shard_count = shard_count;
        history->hand->era++;
        history->hand->apply_us = INT64_MIN;
        for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
            memset(history->shard[shard].forward_lsn, 0, sizeof(history->shard[shard].forward_lsn));
        }
    }
}

void history_team_again(struct history_team *team)
{
    struct history *first = team->hand[0];
    first->again_us = INT64_MIN;
    for (uint32_t h = 0; h < team->hand_count; h++) {
        const struct history *history = team->hand[h];
        int64_t apply_us = history->hand->apply_us;
        first->again_us = apply_us > first->again_us ? apply_us : first->again_us;
        for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
            for (uint32_t home = 0; home < SHARDS_MAX; home++) {
                uint64_t own = history->shard[shard].forward_lsn[home];
                uint64_t *most = &first->shard[shard].forward_lsn[home];
                *most = own > *most ? own : *most;
            }
        }
    }
}

/* Stretches by their numbers: all were seen. */
static const struct history_stretch **stretches_order(struct history_team *team)
{
    uint64_t bytes = history_stretch_bytes(team);
    team->stretch_count = 0;
    for (uint32_t h = 0; h < team->hand_count; h++) {
        team->stretch_count += team->hand[h]->hand->seen_count;
    }
    const struct history_stretch **stretch =
        heap_alloc_lines((team->stretch_count + 1) * sizeof(const struct history_stretch *));
    for (uint32_t h = 0; stretch != NULL && h < team->hand_count; h++) {
        const struct history_hand *hand = team->hand[h]->hand;
        for (uint64_t i = 0; i < hand->seen_count; i++) {
            const struct history_stretch *seen =
                (const struct history_stretch *)(hand->seen + i * bytes);
            ASSERT(seen->number < team->stretch_count);
            stretch[seen->number] = seen;
        }
    }
    return stretch;
}

/* As recovery does: what any shard had seen, all have. */
static void watermarks_share(int64_t *shard_us, uint32_t streams)
{
    for (uint32_t s = 0; s < streams; s++) {
        int64_t greatest_us = INT64_MIN;
        for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
            int64_t own_us = shard_us[shard * streams + s];
            greatest_us = own_us > greatest_us ? own_us : greatest_us;
        }
        for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
            shard_us[shard * streams + s] = greatest_us;
        }
    }
}

/* Watermarks before each stretch: what those of its shard before it moved. */
enum result history_team_read(struct history_team *team)
{
    uint32_t streams = team->options.plan->stream_count;
    const struct history_stretch **stretch = stretches_order(team);
    int64_t *shard_us = heap_alloc(SHARDS_MAX * streams * sizeof(*shard_us));
    heap_free(team->watermark_us);
    team->watermark_us =
        heap_alloc((team->stretch_count + 1) * streams * sizeof(*team->watermark_us));
    bool memory = stretch != NULL && shard_us != NULL && team->watermark_us != NULL;
    for (uint32_t i = 0; memory && i < SHARDS_MAX * streams; i++) {
        shard_us[i] = INT64_MIN;
    }
    for (uint64_t i = 0; memory && i < team->stretch_count; i++) {
        if (i > 0 && stretch[i]->era != stretch[i - 1]->era) {
            watermarks_share(shard_us, streams);
        }
        int64_t *own_us = shard_us + stretch[i]->shard * streams;
        for (uint32_t s = 0; s < streams; s++) {
            team->watermark_us[i * streams + s] = own_us[s];
            int64_t moved_us = stretch[i]->moved_us[s];
            own_us[s] = moved_us > own_us[s] ? moved_us : own_us[s];
        }
    }
    heap_free(stretch);
    heap_free(shard_us);
    return memory ? RESULT_OK : RESULT_NO_MEMORY;
}

void history_team_parts(const struct history_team *team, uint32_t *out_first, uint32_t *out_end)
{
    *out_first = team->part_first;
    *out_end = history_part_end(team);
}

bool history_team_next(struct history_team *team)
{
    team->part_first = history_part_end(team);
    if (team->part_first == team->part_count) {
        memory_give(team);
        return false;
    }
    atomic_store_explicit(&team->shared_part_end, team->part_count, memory_order_relaxed);
    for (uint32_t h = 0; h < team->hand_count; h++) {
        team->hand[h]->hand->seen_count = 0;
        team->hand[h]->hand->era = 0;
        history_keep_give(&team->hand[h]->keep, 0, team->part_count);
    }
    return true;
}
