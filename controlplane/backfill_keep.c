/* What a backfill keeps for the next start, and how a start takes it up. */
#include <stdio.h>
#include <string.h>

#include "controlplane/appliance.h"
#include "controlplane/backfill_inside.h"
#include "controlplane/backfill_resume.h"
#include "controlplane/backfill_rows.h"
#include "controlplane/store.h"
#include "drivers/memory.h"

static bool texts_copy(const struct config_texts *from, struct config_texts *to)
{
    for (uint32_t i = 0; i < from->count; i++) {
        const struct config_text *text = &from->text[i];
        if (!config_texts_add(to, text->name, text->text, text->size)) {
            return false;
        }
    }
    return true;
}

static bool views_copy(const struct succession *succession, struct backfill_note *note)
{
    const struct plan *plan = &succession->config->plan;
    note->view_count = (uint16_t)(plan->view_count - succession->view_first);
    note->view = heap_alloc(note->view_count * sizeof(*note->view));
    for (uint32_t v = 0; note->view != NULL && v < note->view_count; v++) {
        const struct plan_view *view = &plan->view[succession->view_first + v];
        note->view[v] =
            (struct backfill_view){.version = view->version, .fingerprint = view->fingerprint};
        memcpy(note->view[v].name, view->name, sizeof(view->name));
    }
    return note->view != NULL;
}

/* Texts: those of what is served, with which the next start runs. */
static bool note_make(struct backfill *backfill, const struct succession *succession,
                      const struct config_texts *served)
{
    const struct appliance *appliance = backfill->appliance;
    struct backfill_note *note = &backfill->note;
    const struct backfill_report *report = &backfill->report;
    struct backfill_place *place = note->place;
    note->place = NULL;
    backfill_note_free(note);
    *note = (struct backfill_note){.shard_count = appliance->shard_count,
                                   .rate = backfill->rate,
                                   .begin_us = report->begin_us,
                                   .starts = report->starts,
                                   .stream_count = (uint16_t)succession->config->plan.stream_count,
                                   .place = place};
    memcpy(note->store_id, store_id(appliance->store), sizeof(note->store_id));
    memcpy(note->asked, report->view, sizeof(note->asked));
    return views_copy(succession, note) && texts_copy(served, &note->texts);
}

enum result backfill_keep_begin(struct backfill *backfill, const struct succession *succession,
                                const struct config_texts *served,
                                char error[BACKFILL_ERROR_SIZE_MAX])
{
    enum result result =
        note_make(backfill, succession, served)
            ? backfill_note_write(store_disk(backfill->appliance->store), &backfill->note)
            : RESULT_NO_MEMORY;
    if (result == RESULT_OK) {
        (void)backfill_rows_prune(store_disk(backfill->appliance->store), &backfill->note);
    } else {
        (void)snprintf(error, BACKFILL_ERROR_SIZE_MAX,
                       "the file `" BACKFILL_NOTE_NAME "` of the data directory, by which a start "
                       "goes on with it, cannot be written: %s",
                       result_name(result));
    }
    return result;
}

enum result backfill_keep_place(struct backfill *backfill, struct backfill_place *place)
{
    struct disk *disk = store_disk(backfill->appliance->store);
    backfill_place_free(backfill->note.place);
    backfill->note.place = place;
    enum result result = backfill_note_write(disk, &backfill->note);
    if (result == RESULT_OK) {
        (void)backfill_rows_prune(disk, &backfill->note);
    }
    return result;
}

void backfill_keep_end(struct backfill *backfill)
{
    struct disk *disk = store_disk(backfill->appliance->store);
    /* One that stays is looked at by the next start: a checkpoint has its views, or it goes on. */
    if (backfill_note_remove(disk) == RESULT_OK) {
        (void)backfill_rows_prune(disk, NULL);
    }
    backfill_note_free(&backfill->note);
}

void backfill_segments_let_go(const struct backfill *backfill)
{
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        store_segments_hold(backfill->appliance->store, i, UINT64_MAX);
    }
}

enum result backfill_resume_prepare(struct backfill *backfill)
{
    if (backfill == NULL) {
        return RESULT_OK;
    }
    const struct backfill_resume *resume = backfill->appliance->resume;
    if (resume == NULL) {
        enum result result = backfill_rows_prune(store_disk(backfill->appliance->store), NULL);
        return result == RESULT_NO_MEMORY ? result : RESULT_OK;
    }
    if (resume->config == NULL) {
        backfill_keep_end(backfill);
        return RESULT_OK;
    }
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        store_segments_hold(backfill->appliance->store, i, 0);
    }
    return RESULT_OK;
}

void backfill_resume_begin(struct backfill *backfill)
{
    const struct backfill_resume *resume = backfill == NULL ? NULL : backfill->appliance->resume;
    if (resume == NULL || resume->config == NULL) {
        return;
    }
    struct backfill_order order = {.events_per_second = resume->note.rate, .note = &resume->note};
    char error[BACKFILL_ERROR_SIZE_MAX];
    memcpy(order.view, resume->note.asked, sizeof(order.view));
    if (backfill_begin(backfill, &order, error) != RESULT_OK) {
        backfill_segments_let_go(backfill); /* Its report says so; the next start tries again. */
    }
}
