#include "controlplane/train_pass.h"

#include <string.h>

#include "controlplane/answer_pack.h"
#include "dataplane/base/assert.h"

#define COUNT_BITS 16u

_Static_assert(SERVICE_FEATURES_MAX < 1u << COUNT_BITS,
               "a row's values of each status are counted");
_Static_assert((ANSWER_OUTSIDE_MAX_AGE + 1) * COUNT_BITS <= 64, "in one word");

/* What the column holds as it is packed. */
static void usual_set(struct train_place *place)
{
    const struct parquet_column *column = &place->column->parquet;
    switch (column->type) {
    case PARQUET_INT64:
    case PARQUET_UINT64:
    case PARQUET_TIMESTAMP_US:
    case PARQUET_DECIMAL:
    case PARQUET_DECIMAL_LONG:
    case PARQUET_DECIMAL_WIDE:
        place->usual = answer_pack_form_of(VALUE_NUMBER, 1, column->scale);
        place->is_usual = true;
        break;
    case PARQUET_DOUBLE:
        place->usual = answer_pack_form_of(VALUE_DOUBLE, 0, 0);
        place->is_usual = true;
        break;
    case PARQUET_BOOL:
    case PARQUET_STRING:
    case PARQUET_BYTES:
        break;
    }
    place->is_wide = column->type == PARQUET_DECIMAL_WIDE;
    place->is_unsigned = column->type == PARQUET_UINT64;
}

bool train_pass_init(struct train_pass *pass, const struct train *train,
                     struct train_column *columns)
{
    const struct plan_service *service = train->service;
    uint32_t step = train->options->no_status ? 1 : 2;
    *pass = (struct train_pass){.train = train};
    for (uint32_t i = 0; i < service->item_count; i++) {
        const struct plan_service_item *item = &service->item[i];
        struct train_place *place = &pass->place[train->base[item->is_computed ? 0 : item->source]];
        if (item->is_computed || item->max_age_us > 0 || item->otherwise.given ||
            place->column != NULL) {
            return false;
        }
        *place = (struct train_place){.column = &columns[i * step],
                                      .data = columns[i * step].data,
                                      .valid = columns[i * step].valid,
                                      .index = i * step};
        usual_set(place);
    }
    return train->known == NULL && train->logged == NULL;
}

/* A value of eight bytes that the column holds as it is packed; false: it is none. */
static bool usual_put(const struct train_place *place, uint32_t row, const uint8_t *at,
                      const uint8_t *end)
{
    int64_t word[2];
    if (!place->is_usual || answer_pack_form(at) != place->usual ||
        end - at < (int64_t)(ANSWER_PACK_HEAD_BYTES + sizeof(word[0]))) {
        return false;
    }
    memcpy(&word[0], at + ANSWER_PACK_HEAD_BYTES, sizeof(word[0]));
    word[1] = word[0] >> 63;
    if (place->is_wide) {
        memcpy(place->data + (uint64_t)row * sizeof(word), word, sizeof(word));
    } else {
        memcpy(place->data + (uint64_t)row * sizeof(word[0]), &word[0], sizeof(word[0]));
    }
    place->valid[row] = 1;
    return !place->is_unsigned || word[0] >= 0;
}

/* Nothing where nothing is packed; false: something is. */
static bool null_put(const struct train_place *place, uint32_t row, const uint8_t *at)
{
    if (answer_pack_kind(at) != VALUE_NULL) {
        return false;
    }
    train_column_put_null(place->column, row);
    return true;
}

/* Any answer. Apart, since it is rare: memory of its own would be zeroed for each. */
__attribute__((noinline)) static const uint8_t *unusual_put(const struct train_place *place,
                                                            uint32_t row, const uint8_t *at,
                                                            const uint8_t *end, struct buffer *text,
                                                            uint32_t *bad)
{
    struct answer answer;
    uint8_t flags;
    at = answer_unpack(at, end, &answer, &flags);
    ASSERT(at != NULL);
    bool fits = train_column_put_answer(place->column, row, &answer, text);
    *bad = !fits && place->index < *bad ? place->index : *bad;
    return at;
}

/* Puts the answer at `at`; returns what is behind it. */
static const uint8_t *answer_put(const struct train_place *place, uint32_t row, const uint8_t *at,
                                 const uint8_t *end, struct buffer *text, uint32_t *bad)
{
    if (usual_put(place, row, at, end)) {
        return at + ANSWER_PACK_HEAD_BYTES + sizeof(uint64_t);
    }
    if (null_put(place, row, at)) {
        return at + ANSWER_PACK_HEAD_BYTES;
    }
    return unusual_put(place, row, at, end, text, bad);
}

/* Puts a read's answers. counts: of values by status, COUNT_BITS each. */
static void read_put(const struct train_pass *pass, const struct train_view *view, uint64_t number,
                     uint32_t row, uint64_t *counts, struct buffer *text, uint32_t *bad)
{
    const struct train *train = pass->train;
    const struct train_place *place = &pass->place[view->first];
    const uint8_t *end;
    const uint8_t *at = train_pack_at(&train->pack, number, &end);
    for (uint32_t i = 0; i < view->count; i++, place++) {
        enum answer_status status = answer_pack_status(at);
        uint8_t flags;
        if (place->column == NULL) {
            at = answer_pack_pass(at, end, &status, &flags);
            ASSERT(at != NULL);
            continue;
        }
        at = answer_put(place, row, at, end, text, bad);
        *counts += UINT64_C(1) << (status * COUNT_BITS);
        if (!train->options->no_status) {
            train_column_put_status(place->column + 1, row, status);
        }
    }
    ASSERT(at == end);
}

uint32_t train_pass_row(const struct train_pass *pass, uint32_t index, uint32_t row,
                        struct train_sums *sums, struct buffer *text)
{
    const struct train *train = pass->train;
    uint64_t counts = 0;
    uint32_t bad = UINT32_MAX;
    for (uint32_t v = 0; v < train->view_count; v++) {
        read_put(pass, &train->view[v], (uint64_t)index * train->view_count + v, row, &counts, text,
                 &bad);
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(sums->status); i++) {
        sums->status[i] += counts >> (i * COUNT_BITS) & ((1u << COUNT_BITS) - 1);
    }
    return bad;
}
