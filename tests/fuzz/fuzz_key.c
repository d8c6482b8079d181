/* Key text that a client sends, against views of every key type: what parses is printed, and what
 * is printed parses to the same key. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct schema_field fields[] = {
    {.type = FIELD_TYPE_u8},  {.type = FIELD_TYPE_u64},  {.type = FIELD_TYPE_i32},
    {.type = FIELD_TYPE_i64}, {.type = FIELD_TYPE_bool}, {.type = FIELD_TYPE_string, .size = 16},
};

static void key_round_trip(const struct plan *plan, const struct plan_view *view, const char *id,
                           uint32_t size)
{
    uint8_t key[KEY_SIZE_MAX];
    uint8_t again[KEY_SIZE_MAX];
    char text[3 * KEY_SIZE_MAX + 64];
    uint32_t key_size = key_parse(plan, view, id, size, key);
    if (key_size == 0) {
        return;
    }
    ASSERT(key_size <= KEY_SIZE_MAX);
    uint32_t text_size = key_format(plan, view, key, key_size, text, sizeof(text));
    ASSERT(text_size <= sizeof(text));
    ASSERT(memcmp(text, "e:", 2) == 0);
    ASSERT(key_parse(plan, view, text + 2, text_size - 2, again) == key_size);
    ASSERT(memcmp(key, again, key_size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct plan plan;
    memcpy(plan.stream[0].schema.field, fields, sizeof(fields));
    plan.stream[0].schema.field_count = ARRAY_COUNT(fields);
    for (uint8_t first = 0; first < ARRAY_COUNT(fields); first++) {
        struct plan_view view = {.entity = "e", .key_count = 1, .key_field = {first, 5}};
        key_round_trip(&plan, &view, (const char *)data, (uint32_t)size);
        view.key_count = 2;
        key_round_trip(&plan, &view, (const char *)data, (uint32_t)size);
    }
    return 0;
}
