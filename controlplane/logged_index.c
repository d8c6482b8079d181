#include "controlplane/logged_index.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "drivers/memory.h"

#define CAPACITY_MIN 1024u

void logged_key_init(struct logged_key *key)
{
    key->size = 0;
}

void logged_key_add(struct logged_key *key, const void *entity_key, uint32_t key_size)
{
    uint16_t size = (uint16_t)key_size;
    ASSERT(key_size <= KEY_SIZE_MAX);
    ASSERT(key->size + sizeof(size) + key_size <= sizeof(key->bytes));
    memcpy(key->bytes + key->size, &size, sizeof(size));
    if (key_size > 0) {
        memcpy(key->bytes + key->size + sizeof(size), entity_key, key_size);
    }
    key->size += (uint32_t)sizeof(size) + key_size;
}

/* Whether a read is about an entity: its view says so, of another version too. A view that is gone
 * can only be about the one entity that there is. */
static bool read_is_about(const struct logged_index *index, const struct served_read *read,
                          const char *entity)
{
    const struct plan *plan = index->plan;
    int view = plan_view_find(plan, read->view.data, read->view.size, read->version);
    view = view >= 0 ? view : plan_view_find(plan, read->view.data, read->view.size, 0);
    return view >= 0 ? strcmp(plan->view[view].entity, entity) == 0
                     : index->service->entity_count == 1;
}

/* The key of an entity in a record: of any read about it. */
static struct served_text entity_key(const struct logged_index *index, const char *entity,
                                     const struct served_record *record)
{
    for (uint32_t r = 0; r < record->read_count; r++) {
        if (read_is_about(index, &record->read[r], entity)) {
            return record->read[r].key;
        }
    }
    return (struct served_text){.size = 0};
}

static void key_of(const struct logged_index *index, const struct served_record *record,
                   struct logged_key *key)
{
    logged_key_init(key);
    for (uint32_t e = 0; e < index->service->entity_count; e++) {
        const char *entity = index->plan->view[index->service->entity[e]].entity;
        struct served_text bytes = entity_key(index, entity, record);
        logged_key_add(key, bytes.data, bytes.size);
    }
}

static bool entry_room(struct logged_index *index)
{
    if (index->count < index->capacity) {
        return true;
    }
    uint64_t capacity = index->capacity > 0 ? 2 * index->capacity : CAPACITY_MIN;
    struct logged_entry *grown = heap_realloc(index->entry, capacity * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    index->entry = grown;
    index->capacity = capacity;
    return true;
}

static int place_compare(const struct served_place *a, const struct served_place *b)
{
    if (a->file != b->file) {
        return a->file < b->file ? -1 : 1;
    }
    if (a->block != b->block) {
        return a->block < b->block ? -1 : 1;
    }
    return (a->at > b->at) - (a->at < b->at);
}

static int entry_compare(const void *left, const void *right)
{
    const struct logged_entry *a = left;
    const struct logged_entry *b = right;
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    if (a->moment_us != b->moment_us) {
        return a->moment_us < b->moment_us ? -1 : 1;
    }
    return place_compare(&a->place, &b->place);
}

enum result logged_index_open(struct served_reader *reader, const struct plan *plan,
                              const struct plan_service *service, struct logged_index *out_index)
{
    struct logged_index *index = out_index;
    struct logged_key key;
    const struct served_record *record;
    enum result result;
    *index = (struct logged_index){.plan = plan, .service = service, .reader = reader};
    while ((result = served_reader_next(reader, &record)) == RESULT_OK) {
        if (!served_text_is(record->service, service->name)) {
            continue;
        }
        if (record->version != service->version) {
            index->passed_over++;
            continue;
        }
        if (!entry_room(index)) {
            result = RESULT_NO_MEMORY;
            break;
        }
        key_of(index, record, &key);
        index->entry[index->count++] =
            (struct logged_entry){.hash = hash_owner(key.bytes, key.size),
                                  .moment_us = record->moment_us,
                                  .place = served_reader_place(reader)};
    }
    if (result != RESULT_NOT_FOUND) {
        logged_index_close(index);
        return result;
    }
    if (index->count > 0) {
        qsort(index->entry, index->count, sizeof(*index->entry), entry_compare);
    }
    for (uint64_t i = 0; i < index->count; i++) {
        const struct logged_entry *entry = &index->entry[i];
        uint64_t part[] = {index->print,      entry->hash,        (uint64_t)entry->moment_us,
                           entry->place.file, entry->place.block, entry->place.at};
        index->print = hash_owner(part, sizeof(part));
    }
    return RESULT_OK;
}

void logged_index_close(struct logged_index *index)
{
    heap_free(index->entry);
    *index = (struct logged_index){0};
}

/* Entries before the first one that is greater than (hash, moment). */
static uint64_t entries_until(const struct logged_index *index, uint64_t hash, int64_t moment_us)
{
    uint64_t low = 0;
    uint64_t high = index->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        const struct logged_entry *entry = &index->entry[middle];
        bool after = entry->hash > hash || (entry->hash == hash && entry->moment_us > moment_us);
        low = after ? low : middle + 1;
        high = after ? middle : high;
    }
    return low;
}

enum result logged_index_find(struct logged_index *index, const struct logged_key *key,
                              int64_t moment_us, int64_t oldest_us,
                              const struct served_record **out_record)
{
    struct logged_key there;
    uint64_t hash = hash_owner(key->bytes, key->size);
    for (uint64_t i = entries_until(index, hash, moment_us); i > 0; i--) {
        const struct logged_entry *entry = &index->entry[i - 1];
        if (entry->hash != hash || entry->moment_us < oldest_us) {
            break;
        }
        enum result result = served_reader_at(index->reader, &entry->place, out_record);
        if (result == RESULT_NOT_FOUND) {
            continue; /* Kept no longer. */
        }
        if (result != RESULT_OK) {
            return result;
        }
        key_of(index, *out_record, &there);
        if (there.size == key->size && memcmp(there.bytes, key->bytes, key->size) == 0) {
            return RESULT_OK;
        }
    }
    return RESULT_NOT_FOUND;
}
