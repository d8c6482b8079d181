#include "controlplane/inspect_entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/inspect.h"
#include "controlplane/store_check.h"
#include "drivers/memory.h"

/* How the events of an entry fared. */
struct verdicts {
    uint32_t count[UINT8_MAX + 1]; /* By reason. */
    uint32_t refused;              /* Events that some view took nothing of. */
};

static void verdicts_count(const struct mirror_entry *entry, struct verdicts *out)
{
    *out = (struct verdicts){0};
    for (uint32_t i = 0; i < entry->event_count; i++) {
        uint32_t verdict = mirror_entry_verdict(entry, i);
        out->count[verdict & UINT8_MAX]++;
        out->refused += verdict >> 16 != 0;
    }
}

static void verdicts_print(const struct mirror_entry *entry)
{
    struct verdicts verdicts;
    const char *separator = ": ";
    verdicts_count(entry, &verdicts);
    for (uint32_t reason = 0; reason <= UINT8_MAX; reason++) {
        if (verdicts.count[reason] > 0) {
            printf("%s%u %s", separator, verdicts.count[reason], verdict_name((uint8_t)reason));
            separator = ", ";
        }
    }
    if (verdicts.refused > 0) {
        printf(", %u refused by a view", verdicts.refused);
    }
    printf("\n");
}

static json_t *verdicts_json(const struct mirror_entry *entry, uint32_t *out_refused)
{
    struct verdicts verdicts;
    json_t *object = json_object();
    verdicts_count(entry, &verdicts);
    for (uint32_t reason = 0; reason <= UINT8_MAX; reason++) {
        if (verdicts.count[reason] > 0) {
            json_object_set_new(object, verdict_name((uint8_t)reason),
                                json_integer(verdicts.count[reason]));
        }
    }
    *out_refused = verdicts.refused;
    return object;
}

static void message_print(const struct mirror_entry *entry)
{
    printf("producer %" PRIu64 " lane %u sequence %" PRIu64 " incarnation %u%s%s, stream %u "
           "version %u, %u events of %u bytes",
           entry->producer, entry->lane, entry->sequence, entry->incarnation,
           (entry->flags & MIRROR_MESSAGE_FLAG_ACKED) != 0 ? " acked" : "",
           (entry->flags & MIRROR_MESSAGE_FLAG_TEXT) != 0 ? " text" : "", entry->stream_id,
           entry->version, entry->event_count, entry->event_stride);
    verdicts_print(entry);
}

static void forward_print(const struct mirror_entry *entry)
{
    char lsn[STORE_LSN_SIZE_MAX];
    printf("of home %u LSN %s, order %" PRIu64 ":%u, views 0x%x, stream %u version %u, %u bytes",
           entry->home, store_lsn_format(entry->home_lsn, lsn), entry->order >> 16,
           (unsigned)(entry->order & UINT16_MAX), entry->views, entry->stream_id, entry->version,
           entry->event_stride);
    verdicts_print(entry);
}

/* NULL: no memory, or no catalog; give it to heap_free(). */
static struct catalog *catalog_of(const struct mirror_entry *entry)
{
    struct catalog *catalog = heap_alloc(sizeof(*catalog));
    if (catalog != NULL && catalog_decode(entry->note, entry->note_size, catalog) != RESULT_OK) {
        heap_free(catalog);
        catalog = NULL;
    }
    return catalog;
}

static void plan_print(const struct mirror_entry *entry)
{
    struct catalog *catalog = catalog_of(entry);
    if (catalog == NULL) {
        printf("%u bytes that are no catalog\n", entry->note_size);
    } else {
        printf("%u bytes: %u streams, %u views, fingerprint %016" PRIx64 "%s%s\n", entry->note_size,
               catalog->stream_count, catalog->view_count, catalog->fingerprint,
               mirror_plan_is_unrouted(entry) ? ", unrouted" : "",
               mirror_plan_is_repeated(entry) ? ", repeated" : "");
    }
    heap_free(catalog);
}

static uint64_t cut_of(const struct mirror_entry *entry, uint32_t shard)
{
    uint64_t cut;
    memcpy(&cut, entry->note + shard * sizeof(cut), sizeof(cut));
    return cut;
}

static void epoch_print(const struct mirror_entry *entry)
{
    char lsn[STORE_LSN_SIZE_MAX];
    printf("%u begins; of epoch %u, with %u shards, counts what is up to", lsn_epoch(entry->lsn),
           entry->epoch, entry->shard_count);
    for (uint32_t shard = 0; shard < entry->shard_count; shard++) {
        printf(" %s", store_lsn_format(cut_of(entry, shard), lsn));
    }
    printf("\n");
}

struct kind_row {
    const char *name;
    void (*print)(const struct mirror_entry *entry);
};

static const struct kind_row kind_rows[] = {
    [MIRROR_MESSAGE] = {"message", message_print},
    [MIRROR_FORWARD] = {"forward", forward_print},
    [MIRROR_PLAN] = {"plan", plan_print},
    [MIRROR_EPOCH] = {"epoch", epoch_print},
};

void inspect_entries_print(const uint8_t *entries, uint32_t size)
{
    struct mirror_entry entry;
    uint32_t at = 0;
    enum result result;
    while ((result = mirror_entry_decode(entries, size, &at, &entry)) == RESULT_OK) {
        char lsn[STORE_LSN_SIZE_MAX];
        char time[INSPECT_TIME_SIZE_MAX];
        printf("  %10s  %s  %s ", store_lsn_format(entry.lsn, lsn),
               inspect_time_format(entry.apply_us, time), kind_rows[entry.kind].name);
        kind_rows[entry.kind].print(&entry);
    }
    if (result == RESULT_CORRUPT) {
        printf("  damaged: the entry at byte %u of its frame breaks the format\n",
               at + MIRROR_FRAME_HEADER);
    }
}

static json_t *message_json(const struct mirror_entry *entry)
{
    uint32_t refused;
    json_t *verdicts = verdicts_json(entry, &refused);
    return json_pack(
        "{s:I, s:i, s:I, s:I, s:i, s:b, s:b, s:i, s:i, s:i, s:i, s:o, s:i}", "producer",
        (json_int_t)entry->producer, "lane", (int)entry->lane, "sequence",
        (json_int_t)entry->sequence, "incarnation", (json_int_t)entry->incarnation, "place",
        (int)entry->place, "acked", (entry->flags & MIRROR_MESSAGE_FLAG_ACKED) != 0, "text",
        (entry->flags & MIRROR_MESSAGE_FLAG_TEXT) != 0, "stream", (int)entry->stream_id, "version",
        (int)entry->version, "events", (int)entry->event_count, "event_bytes",
        (int)entry->event_stride, "verdicts", verdicts, "refused_by_a_view", (int)refused);
}

static json_t *forward_json(const struct mirror_entry *entry)
{
    uint32_t refused;
    json_t *verdicts = verdicts_json(entry, &refused);
    return json_pack("{s:i, s:o, s:I, s:i, s:i, s:i, s:i, s:o, s:i}", "home", (int)entry->home,
                     "home_lsn", inspect_lsn_json(entry->home_lsn), "order",
                     (json_int_t)entry->order, "views", (int)entry->views, "stream",
                     (int)entry->stream_id, "version", (int)entry->version, "event_bytes",
                     (int)entry->event_stride, "verdicts", verdicts, "refused_by_a_view",
                     (int)refused);
}

static json_t *plan_json(const struct mirror_entry *entry)
{
    struct catalog *catalog = catalog_of(entry);
    json_t *object =
        json_pack("{s:i, s:b, s:b, s:o}", "bytes", (int)entry->note_size, "unrouted",
                  mirror_plan_is_unrouted(entry), "repeated", mirror_plan_is_repeated(entry),
                  "catalog", catalog == NULL ? json_null() : inspect_catalog_json(catalog));
    heap_free(catalog);
    return object;
}

static json_t *epoch_json(const struct mirror_entry *entry)
{
    json_t *cuts = json_array();
    for (uint32_t shard = 0; shard < entry->shard_count; shard++) {
        json_array_append_new(cuts, inspect_lsn_json(cut_of(entry, shard)));
    }
    return json_pack("{s:i, s:i, s:o}", "epoch", (int)lsn_epoch(entry->lsn), "before",
                     (int)entry->epoch, "cuts", cuts);
}

static json_t *entry_json(const struct mirror_entry *entry)
{
    switch (entry->kind) {
    case MIRROR_MESSAGE:
        return message_json(entry);
    case MIRROR_FORWARD:
        return forward_json(entry);
    case MIRROR_PLAN:
        return plan_json(entry);
    case MIRROR_EPOCH:
        return epoch_json(entry);
    }
    return json_object();
}

json_t *inspect_entries_json(const uint8_t *entries, uint32_t size)
{
    struct mirror_entry entry;
    uint32_t at = 0;
    json_t *list = json_array();
    enum result result;
    while ((result = mirror_entry_decode(entries, size, &at, &entry)) == RESULT_OK) {
        json_t *object = entry_json(&entry);
        json_object_set_new(object, "kind", json_string(kind_rows[entry.kind].name));
        json_object_set_new(object, "lsn", inspect_lsn_json(entry.lsn));
        json_object_set_new(object, "apply_us", json_integer(entry.apply_us));
        json_array_append_new(list, object);
    }
    if (result == RESULT_CORRUPT) {
        json_array_append_new(list,
                              json_pack("{s:s, s:i}", "kind", "damaged", "place", (int)(at + 64)));
    }
    return list;
}
