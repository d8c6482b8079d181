/* What the machine of reliability tests holds, as its readers and its producer know it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/key.h"
#include "dataplane/feature/tile_format.h"
#include "dataplane/worker_state.h"
#include "tests/reliability/machine.h"

uint64_t machine_sent(const struct machine *machine)
{
    return machine->sent[0] + machine->sent[1];
}

uint64_t machine_acked(const struct machine *machine)
{
    uint64_t count = 0;
    for (uint32_t lane = 0; lane < MACHINE_SHARDS; lane++) {
        for (uint64_t s = 1; s <= machine->sent[lane]; s++) {
            count += machine->acked[lane][s];
        }
    }
    return count;
}

uint64_t machine_value(struct machine *machine, const char *feature, uint64_t id)
{
    const struct plan *plan = &machine->config.plan;
    int index = plan_feature_find(plan, feature, (uint32_t)strlen(feature));
    ASSERT(index >= 0);
    uint32_t view = plan->feature[index].view;
    char text[24];
    uint8_t key[KEY_SIZE_MAX];
    int size = snprintf(text, sizeof(text), "%lu", id);
    uint16_t wanted = (uint16_t)index;
    struct answer answer;
    struct reader_query query = {.view = plan->feature[index].view,
                                 .key = key,
                                 .time = READ_NOW,
                                 .feature_count = 1,
                                 .feature = &wanted,
                                 .answer = &answer};
    query.key_size = (uint16_t)key_parse(plan, &plan->view[view], text, (uint32_t)size, key);
    reader_read(machine->reader, &query, 1);
    char printed[ANSWER_TEXT_SIZE_MAX + 1]; /* Of a number: no list. */
    printed[answer_format(&answer, printed)] = '\0';
    return strtoull(printed, NULL, 10);
}

void machine_counts(struct machine *machine, uint64_t *out_cards, uint64_t *out_shops)
{
    *out_cards = 0;
    *out_shops = 0;
    for (uint64_t id = 0; id < MACHINE_CARDS; id++) {
        *out_cards += machine_value(machine, "card.n_6h", id);
    }
    for (uint64_t id = 0; id < MACHINE_SHOPS; id++) {
        *out_shops += machine_value(machine, "shop.n_6h", id);
    }
}

static uint64_t state_hash(struct machine *machine)
{
    static uint64_t vshard[VSHARD_COUNT];
    static _Alignas(CACHE_LINE_BYTES) uint64_t scratch[2 * ROW_SIZE_MAX / sizeof(uint64_t)];
    int64_t fold_us[STREAMS_MAX];
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        fold_us[s] = INT64_MIN;
    }
    memset(vshard, 0, sizeof(vshard));
    for (uint32_t i = 0; i < MACHINE_SHARDS; i++) {
        shard_state_hash(&machine->worker[i]->shard, fold_us, vshard, scratch);
    }
    return XXH3_64bits(vshard, sizeof(vshard));
}

void machine_digest(struct machine *machine, struct machine_digest *out)
{
    memset(out, 0, sizeof(*out));
    out->state_hash = state_hash(machine);
    for (uint32_t i = 0; i < MACHINE_SHARDS; i++) {
        out->end_lsn[i] = recovery_before_lsn(machine->recovery, i);
        for (uint32_t place = 0; place < MACHINE_LANES_MAX; place++) {
            struct tile_lane lane;
            memset(&lane, 0, sizeof(lane));
            if (lanes_save(&machine->worker[i]->lanes, place, &lane)) {
                out->lane_hash += XXH3_64bits(&lane, sizeof(lane)) * (i + 1);
            }
        }
    }
}
