#include "controlplane/parity_known.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/epochs.h"
#include "controlplane/eras.h"
#include "controlplane/store_log.h"
#include "controlplane/store_segment.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/catalog.h"
#include "drivers/memory.h"

#define PLACE_NONE 0xffu

struct parity_known {
    struct parity_known_options options;
    struct store_log log;
    struct epochs epochs;
    struct eras eras;
    int64_t end_us[ERAS_MAX]; /* T of an era's last record; INT64_MIN: nothing is kept of it. */
    struct catalog *catalog;  /* Owned: room for one, */
    struct catalog_map *map;  /* and for what it means. */
};

static enum result refuse(const struct parity_known *known, const char *what, const char *why,
                          char error[PARITY_ERROR_SIZE_MAX])
{
    (void)snprintf(error, PARITY_ERROR_SIZE_MAX, "%.400s/%.300s: %.400s", known->options.directory,
                   what, why);
    return RESULT_INVALID;
}

static const char *reason(enum result result)
{
    return result == RESULT_SYSTEM ? strerror(errno) : result_name(result);
}

static enum result epochs_read(struct parity_known *known, char error[PARITY_ERROR_SIZE_MAX])
{
    const struct disk_options options = {
        .driver = DISK_DRIVER_THREADS, .directory = known->options.directory, .read_only = true};
    struct disk *disk;
    char why[DISK_ERROR_SIZE_MAX];
    enum result result = disk_open(&options, &disk, why);
    if (result != RESULT_OK) {
        (void)snprintf(error, PARITY_ERROR_SIZE_MAX, "%s", why);
        return RESULT_INVALID;
    }
    result = epochs_load(disk, &known->epochs);
    disk_close(disk);
    return result == RESULT_OK ? RESULT_OK : refuse(known, EPOCHS_NAME, result_name(result), error);
}

enum result parity_known_open(const struct parity_known_options *options,
                              struct parity_known **out_known, char error[PARITY_ERROR_SIZE_MAX])
{
    struct parity_known *known = heap_alloc_lines(sizeof(*known));
    if (known == NULL) {
        (void)snprintf(error, PARITY_ERROR_SIZE_MAX, "the machine gave no memory");
        return RESULT_NO_MEMORY;
    }
    known->options = *options;
    known->catalog = heap_alloc(sizeof(*known->catalog));
    known->map = heap_alloc(sizeof(*known->map));
    bool memory = known->catalog != NULL && known->map != NULL;
    enum result result =
        memory ? RESULT_OK : refuse(known, "", result_name(RESULT_NO_MEMORY), error);
    result = result == RESULT_OK ? epochs_read(known, error) : result;
    if (result == RESULT_OK) {
        eras_of_epochs(&known->epochs, /* running= */ true, &known->eras);
        for (uint32_t i = 0; i < ERAS_MAX; i++) {
            known->end_us[i] = INT64_MIN;
        }
        result = store_log_read(options->directory, &known->log);
        result = result == RESULT_OK ? RESULT_OK : refuse(known, "", reason(result), error);
    }
    if (result != RESULT_OK) {
        parity_known_close(known);
        return result;
    }
    *out_known = known;
    return RESULT_OK;
}

void parity_known_close(struct parity_known *known)
{
    if (known == NULL) {
        return;
    }
    store_log_free(&known->log);
    heap_free(known->catalog);
    heap_free(known->map);
    heap_free(known);
}

/* On the way through the log of a shard. */
struct walk {
    struct parity_known *known;
    const struct plan_view *view;
    uint32_t view_index;
    struct parity_known_events *events;
    const struct mirror_segment *segment;
    uint64_t last_lsn;          /* Of the segment. */
    uint8_t place[SOURCES_MAX]; /* The view's among those of its streams then; PLACE_NONE: none. */
    bool is_routed;             /* Events of this home went to it. */
    int64_t limit_us;
};

static void catalog_take(struct walk *walk, const struct catalog *catalog, bool unrouted)
{
    bool was_routed = walk->is_routed;
    struct catalog_conflict conflict;
    struct view_set changed;
    struct catalog_map *map = walk->known->map;
    memset(walk->place, PLACE_NONE, sizeof(walk->place));
    walk->is_routed = false;
    if (catalog == NULL ||
        catalog_match(catalog, walk->known->options.plan, map, &changed, &conflict) != RESULT_OK) {
        return; /* Whoever reads history says so. */
    }
    for (uint32_t v = 0; v < catalog->view_count; v++) {
        if (map->view[v] != walk->view_index) {
            continue;
        }
        walk->place[0] = (uint8_t)catalog->view[v].place;
        walk->is_routed = !unrouted || was_routed;
        for (uint32_t i = 0; i < catalog->view[v].other_count; i++) {
            walk->place[i + 1] = (uint8_t)catalog->view[v].other[i].place;
        }
    }
}

/* The first event of a home from an LSN on. */
static struct parity_known_event *event_from(const struct walk *walk, uint32_t shard, uint64_t lsn)
{
    struct parity_known_event *event = walk->events->event;
    uint32_t low = 0;
    uint32_t high = walk->events->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        bool before = event[middle].shard < shard ||
                      (event[middle].shard == shard && event[middle].lsn < lsn);
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    return event + low;
}

static void known_set(struct parity_known_event *event, int64_t apply_us)
{
    event->known_us = apply_us < event->known_us ? apply_us : event->known_us;
}

static bool is_refused(uint32_t verdict, uint8_t place)
{
    return ((verdict >> 16) >> place & 1) != 0;
}

static uint32_t era_of(const struct parity_known *known, uint64_t lsn)
{
    uint32_t era = 0;
    while (era + 1 < known->eras.count && known->eras.era[era].last_epoch < lsn_epoch(lsn)) {
        era++;
    }
    return era;
}

/* A message's event is its own shard's, or whoever's where the view did not live; history is for
 * such a view alone. */
static void message_take(const struct walk *walk, const struct mirror_entry *entry)
{
    uint32_t shard = walk->segment->shard;
    const struct parity_known_event *end = walk->events->event + walk->events->count;
    struct parity_known_event *event = event_from(walk, shard, entry->lsn);
    uint32_t era = era_of(walk->known, entry->lsn);
    for (; event < end && event->shard == shard && event->lsn < entry->lsn + entry->event_count;
         event++) {
        uint8_t place = walk->place[event->source];
        uint32_t verdict = mirror_entry_verdict(entry, (uint32_t)(event->lsn - entry->lsn));
        bool ours = hash_shard(event->key_hash, walk->segment->shard_count) == shard;
        bool is_history = verdict_reason(verdict) == VERDICT_event_history;
        event->era = (uint8_t)era;
        bool lived = place != PLACE_NONE && walk->is_routed;
        event->waits = lived && !ours && !is_history;
        bool is_known = is_history ? place == PLACE_NONE && !walk->view->has_sessions
                                   : !lived || (ours && !is_refused(verdict, place));
        if (is_known) {
            known_set(event, entry->apply_us);
        }
    }
}

/* What a forward names is its owner's. */
static void forward_take(const struct walk *walk, const struct mirror_entry *entry)
{
    const struct parity_known *known = walk->known;
    struct parity_known_event *event = event_from(walk, entry->home, entry->home_lsn);
    const struct parity_known_event *end = walk->events->event + walk->events->count;
    if (entry->lsn < known->options.first_lsn[walk->segment->shard] || event == end ||
        event->shard != entry->home || event->lsn != entry->home_lsn ||
        epochs_is_void(&known->epochs, entry->home, entry->home_lsn)) {
        return;
    }
    uint8_t place = walk->place[event->source];
    bool named = place != PLACE_NONE && (entry->views >> place & 1) != 0;
    event->is_forwarded |= named;
    if (named && !is_refused(mirror_entry_verdict(entry, 0), place)) {
        known_set(event, entry->apply_us);
    }
}

/* An era ends with its last record of events, whatever the log says behind it. */
static void era_reach(struct parity_known *known, const struct mirror_entry *entry)
{
    int64_t *end_us = &known->end_us[era_of(known, entry->lsn)];
    *end_us = entry->apply_us > *end_us ? entry->apply_us : *end_us;
}

/* What the export lacks was known from then on. */
static void limit_note(struct walk *walk, uint32_t home, uint64_t lsn, int64_t apply_us)
{
    if (lsn >= walk->known->options.export->lacks_lsn[home] && apply_us < walk->limit_us) {
        walk->limit_us = apply_us;
    }
}

static void entry_take(struct walk *walk, const struct mirror_entry *entry)
{
    switch (entry->kind) {
    case MIRROR_MESSAGE:
        era_reach(walk->known, entry);
        limit_note(walk, walk->segment->shard, entry->lsn, entry->apply_us);
        message_take(walk, entry);
        return;
    case MIRROR_FORWARD:
        era_reach(walk->known, entry);
        if (entry->home < SHARDS_MAX) {
            limit_note(walk, entry->home, entry->home_lsn, entry->apply_us);
            forward_take(walk, entry);
        }
        return;
    case MIRROR_PLAN: {
        struct catalog *catalog = walk->known->catalog;
        if (catalog_decode(entry->note, entry->note_size, catalog) == RESULT_OK) {
            catalog_take(walk, catalog, mirror_plan_is_unrouted(entry));
        }
        return;
    }
    case MIRROR_EPOCH:
        return;
    }
}

static void frame_take(void *context, const struct store_break *at,
                       const struct mirror_frame *frame, const uint8_t *entries)
{
    struct walk *walk = context;
    struct mirror_entry entry;
    uint32_t place = 0;
    if (frame == NULL || at->find != MIRROR_FIND_frame || frame->first_lsn > walk->last_lsn) {
        return;
    }
    while (mirror_entry_decode(entries, frame->size, &place, &entry) == RESULT_OK) {
        entry_take(walk, &entry);
    }
}

static enum result segment_take(struct walk *walk, uint32_t index,
                                char error[PARITY_ERROR_SIZE_MAX])
{
    const struct store_log *log = &walk->known->log;
    const struct store_log_segment *segment = &log->segment[index];
    const struct store_log_segment *next = store_log_next(log, index);
    char path[STORE_LOG_PATH_SIZE_MAX];
    struct store_file file;
    struct store_segment found;
    (void)snprintf(path, sizeof(path), "%s/%s", walk->known->options.directory, segment->name);
    enum result result = store_file_open(&file, path);
    if (result == RESULT_OK) {
        walk->segment = &segment->header;
        walk->last_lsn = next == NULL ? UINT64_MAX : next->header.before_lsn;
        store_segment_check(&file, segment->header.shard, segment->header.number, frame_take, walk,
                            &found);
        errno = file.error;
        result = file.error == 0 ? RESULT_OK : RESULT_SYSTEM;
        store_file_close(&file);
    }
    return result == RESULT_OK ? RESULT_OK
                               : refuse(walk->known, segment->name, reason(result), error);
}

static int event_compare(const void *left, const void *right)
{
    const struct parity_known_event *a = left;
    const struct parity_known_event *b = right;
    if (a->shard != b->shard) {
        return a->shard < b->shard ? -1 : 1;
    }
    return (a->lsn > b->lsn) - (a->lsn < b->lsn);
}

/* What owners never logged they took from their homes, when the store was opened with another
 * number of shards: after everything that came before that. */
static void eras_end(const struct parity_known *known, struct parity_known_events *events)
{
    for (uint32_t i = 0; i < events->count; i++) {
        struct parity_known_event *event = &events->event[i];
        if (event->waits && !event->is_forwarded && event->era + 1u < known->eras.count) {
            known_set(event, known->end_us[event->era]);
        }
    }
}

enum result parity_known_find(struct parity_known *known, uint32_t view,
                              struct parity_known_events *events, int64_t *out_limit_us,
                              char error[PARITY_ERROR_SIZE_MAX])
{
    struct walk walk = {.known = known,
                        .view = &known->options.plan->view[view],
                        .view_index = view,
                        .events = events,
                        .limit_us = INT64_MAX};
    if (events->count > 0) {
        qsort(events->event, events->count, sizeof(*events->event), event_compare);
    }
    enum result result = RESULT_OK;
    for (uint32_t i = 0; i < known->log.segment_count && result == RESULT_OK; i++) {
        const struct store_log_segment *segment = &known->log.segment[i];
        if (i == 0 || segment[-1].header.shard != segment->header.shard) {
            /* Records that no plan of their log precedes are the newest manifest's. */
            catalog_take(&walk, known->log.newest, /* unrouted= */ false);
        }
        result = segment_take(&walk, i, error);
    }
    eras_end(known, events);
    *out_limit_us = walk.limit_us;
    return result;
}
