#include "drivers/pattern.h"

#include <hs.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/utf8.h"
#include "drivers/memory.h"

/* What looks at one field; bytes and characters apart: only valid UTF-8 may be scanned as such. */
struct pattern_database {
    uint32_t field;
    bool utf8;
    hs_database_t *database;
};

struct pattern_set {
    uint64_t bytes;
    uint32_t database_count;
    struct pattern_database database[];
};

struct pattern_scratch {
    hs_scratch_t *scratch;
};

/* What hs_compile_multi() wants of the sources of one database. */
struct pattern_list {
    const char **regex;
    unsigned *flags;
    unsigned *number;
    uint32_t *index; /* Of the source. */
    uint32_t count;
};

static bool list_open(struct pattern_list *list, uint32_t count)
{
    list->regex = heap_alloc(count * sizeof(*list->regex));
    list->flags = heap_alloc(count * sizeof(*list->flags));
    list->number = heap_alloc(count * sizeof(*list->number));
    list->index = heap_alloc(count * sizeof(*list->index));
    return list->regex != NULL && list->flags != NULL && list->number != NULL &&
           list->index != NULL;
}

static void list_close(struct pattern_list *list)
{
    heap_free(list->regex);
    heap_free(list->flags);
    heap_free(list->number);
    heap_free(list->index);
}

static void list_fill(struct pattern_list *list, const struct pattern_source *source,
                      uint32_t count, uint32_t field, bool utf8)
{
    list->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (source[i].field == field && source[i].utf8 == utf8) {
            list->regex[list->count] = source[i].regex;
            list->number[list->count] = source[i].number;
            list->index[list->count] = i;
            list->flags[list->count] =
                HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY | (utf8 ? HS_FLAG_UTF8 : HS_FLAG_DOTALL);
            list->count++;
        }
    }
}

static enum result database_open(struct pattern_set *set, const struct pattern_list *list,
                                 uint32_t field, bool utf8, uint32_t *out_index,
                                 char error[PATTERN_ERROR_SIZE_MAX])
{
    struct pattern_database *database = &set->database[set->database_count];
    hs_compile_error_t *why = NULL;
    size_t bytes;
    hs_error_t compiled = hs_compile_multi(list->regex, list->flags, list->number, list->count,
                                           HS_MODE_BLOCK, NULL, &database->database, &why);
    if (compiled != HS_SUCCESS) {
        bool named = why->expression >= 0 && (uint32_t)why->expression < list->count;
        *out_index = named ? list->index[why->expression] : *out_index;
        (void)snprintf(error, PATTERN_ERROR_SIZE_MAX, "%s", why->message);
        (void)hs_free_compile_error(why);
        return RESULT_INVALID;
    }
    database->field = field;
    database->utf8 = utf8;
    set->database_count++;
    if (hs_database_size(database->database, &bytes) != HS_SUCCESS) {
        return RESULT_NO_MEMORY;
    }
    set->bytes += bytes;
    if (set->bytes > PATTERN_SET_BYTES_MAX) {
        *out_index = list->count == 1 ? list->index[0] : *out_index;
        (void)snprintf(error, PATTERN_ERROR_SIZE_MAX,
                       "compiled they take %llu KiB; at most %u KiB are allowed",
                       (unsigned long long)(set->bytes >> 10), PATTERN_SET_BYTES_MAX >> 10);
        return RESULT_NO_SPACE;
    }
    return RESULT_OK;
}

static bool set_has(const struct pattern_set *set, uint32_t field, bool utf8)
{
    for (uint32_t i = 0; i < set->database_count; i++) {
        if (set->database[i].field == field && set->database[i].utf8 == utf8) {
            return true;
        }
    }
    return false;
}

enum result pattern_set_open(const struct pattern_source *source, uint32_t count,
                             struct pattern_set **out_set, uint32_t *out_index,
                             char error[PATTERN_ERROR_SIZE_MAX])
{
    ASSERT(count > 0);
    struct pattern_list list = {0};
    struct pattern_set *set = heap_alloc(sizeof(*set) + count * sizeof(struct pattern_database));
    enum result result = RESULT_NO_MEMORY;
    *out_index = count;
    (void)snprintf(error, PATTERN_ERROR_SIZE_MAX, "the machine gave no memory for it");
    if (set == NULL || !list_open(&list, count)) {
        goto done;
    }
    *set = (struct pattern_set){0};
    for (uint32_t i = 0; i < count; i++) {
        if (set_has(set, source[i].field, source[i].utf8)) {
            continue;
        }
        list_fill(&list, source, count, source[i].field, source[i].utf8);
        result = database_open(set, &list, source[i].field, source[i].utf8, out_index, error);
        if (result != RESULT_OK) {
            goto done;
        }
    }
    *out_set = set;
    set = NULL;
    result = RESULT_OK;
done:
    list_close(&list);
    pattern_set_close(set);
    return result;
}

void pattern_set_close(struct pattern_set *set)
{
    for (uint32_t i = 0; set != NULL && i < set->database_count; i++) {
        (void)hs_free_database(set->database[i].database);
    }
    heap_free(set);
}

uint64_t pattern_set_bytes(const struct pattern_set *set)
{
    return set->bytes;
}

enum result pattern_scratch_open(struct pattern_set *const *set, uint32_t count,
                                 struct pattern_scratch **out_scratch)
{
    struct pattern_scratch *scratch = heap_alloc(sizeof(*scratch));
    if (scratch == NULL) {
        return RESULT_NO_MEMORY;
    }
    scratch->scratch = NULL;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t d = 0; set[i] != NULL && d < set[i]->database_count; d++) {
            if (hs_alloc_scratch(set[i]->database[d].database, &scratch->scratch) != HS_SUCCESS) {
                pattern_scratch_close(scratch);
                return RESULT_NO_MEMORY;
            }
        }
    }
    *out_scratch = scratch;
    return RESULT_OK;
}

void pattern_scratch_close(struct pattern_scratch *scratch)
{
    if (scratch != NULL) {
        (void)hs_free_scratch(scratch->scratch);
        heap_free(scratch);
    }
}

static int match_take(unsigned number, unsigned long long from, unsigned long long to,
                      unsigned flags, void *context)
{
    uint64_t *bits = context;
    (void)from;
    (void)to;
    (void)flags;
    bits[number / 64] |= UINT64_C(1) << (number % 64);
    return 0;
}

void pattern_scan(const struct pattern_set *set, struct pattern_scratch *scratch, uint32_t field,
                  const char *text, uint32_t size, uint64_t *bits)
{
    for (uint32_t i = 0; i < set->database_count; i++) {
        const struct pattern_database *database = &set->database[i];
        if (database->field != field || (database->utf8 && !utf8_is_valid(text, size))) {
            continue;
        }
        hs_error_t scanned =
            hs_scan(database->database, text, size, 0, scratch->scratch, match_take, bits);
        ASSERT(scanned == HS_SUCCESS);
    }
}
