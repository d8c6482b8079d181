#include "controlplane/parity.h"

#include <string.h>

#include "controlplane/mirror_history.h"
#include "controlplane/parity_reach.h"
#include "controlplane/service_request.h"
#include "dataplane/base/assert.h"
#include "dataplane/feature/service.h"
#include "dataplane/feature/view_set.h"
#include "drivers/memory.h"

#define BYTES_PER_VALUE 512u /* Of encoded records; more of them is a batch of its own. */

/* A record on its way. */
struct entry {
    struct served_place place;
    uint64_t nth;
    uint64_t bytes; /* Place of its encoded bytes. */
    uint32_t size;
    int service;
    uint32_t read_first;
    uint32_t answer_first;
};

struct parity {
    struct parity_options options;
    const struct plan *plan;
    uint64_t print[SERVICES_MAX];
    uint64_t nth;
    struct entry *entry;       /* Owned, as the next four: room for a batch. */
    struct history_read *read; /* One for each view of each record. */
    uint16_t *feature;         /* One for each answer. */
    struct answer *answer;
    uint8_t *bytes;
    uint64_t bytes_max;
    uint32_t entry_count;
    uint32_t read_count;
    uint32_t answer_count;
    uint64_t bytes_used;
    struct mirror_range range;   /* Of the mirror as it was read last. */
    struct served_record record; /* Decoded again. */
    struct service_run run;
    struct program_space space;
    struct parity_answer told;
    char text[SERVICE_FEATURES_MAX][ANSWER_TEXT_SIZE_MAX];
};

const char *parity_outcome_name(enum parity_outcome outcome)
{
    static const char *const names[] = {
#define PARITY_OUTCOME(name, sentence) #name,
#include "controlplane/parity_outcomes.def"
#undef PARITY_OUTCOME
    };
    return names[outcome];
}

enum result parity_open(const struct parity_options *options, struct parity **out_parity)
{
    uint32_t values_max = options->values_max;
    const struct plan *plan = options->plan;
    ASSERT(values_max >= SERVICE_READS_MAX);
    struct parity *parity = heap_alloc_lines(sizeof(*parity));
    if (parity == NULL) {
        return RESULT_NO_MEMORY;
    }
    parity->options = *options;
    parity->plan = plan;
    parity->bytes_max = (uint64_t)values_max * BYTES_PER_VALUE;
    if (parity->bytes_max < SERVED_RECORD_BYTES_MAX) {
        parity->bytes_max = SERVED_RECORD_BYTES_MAX;
    }
    parity->entry = heap_alloc(values_max * sizeof(*parity->entry));
    parity->read = heap_alloc(values_max * sizeof(*parity->read));
    parity->feature = heap_alloc(values_max * sizeof(*parity->feature));
    parity->answer = heap_alloc(values_max * sizeof(*parity->answer));
    parity->bytes = heap_alloc(parity->bytes_max);
    if (parity->entry == NULL || parity->read == NULL || parity->feature == NULL ||
        parity->answer == NULL || parity->bytes == NULL) {
        parity_close(parity);
        return RESULT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < plan->service_count; i++) {
        parity->print[i] = service_fingerprint(plan, &plan->service[i]);
    }
    *out_parity = parity;
    return RESULT_OK;
}

void parity_close(struct parity *parity)
{
    if (parity == NULL) {
        return;
    }
    heap_free(parity->entry);
    heap_free(parity->read);
    heap_free(parity->feature);
    heap_free(parity->answer);
    heap_free(parity->bytes);
    heap_free(parity);
}

/* The views of a service in the order of its reads, as the record has them. */
static bool views_are_those(const struct plan *plan, const struct plan_service *service,
                            const struct served_record *record)
{
    struct view_set seen = {{0}};
    uint32_t at = 0;
    for (uint32_t i = 0; i < service->read_count; i++) {
        uint16_t index = service->read[i].view;
        if (view_set_has(&seen, index)) {
            continue;
        }
        view_set_add(&seen, index);
        const struct plan_view *view = &plan->view[index];
        if (at == record->read_count || record->read[at].version != view->version ||
            !served_text_is(record->read[at].view, view->name)) {
            return false;
        }
        at++;
    }
    return at == record->read_count && record->item_count == service->item_count &&
           record->value_count == service->request_count;
}

/* Index of the service that can compute the record again; -1: none. */
static int service_of(const struct parity *parity, const struct served_record *record)
{
    const struct plan *plan = parity->plan;
    int index = service_find(plan, record->service.data, record->service.size);
    bool good = index >= 0 && plan->service[index].version == record->version &&
                parity->print[index] == record->service_print &&
                views_are_those(plan, &plan->service[index], record);
    return good ? index : -1;
}

/* Asks for all that a record's service reads of one view. */
static void view_add(struct parity *parity, const struct plan_service *service, uint16_t view,
                     const struct served_read *asked, int64_t moment_us)
{
    struct history_read *read = &parity->read[parity->read_count++];
    uint16_t *feature = &parity->feature[parity->answer_count];
    *read = (struct history_read){.view = view,
                                  .key = (const uint8_t *)asked->key.data,
                                  .key_size = (uint16_t)asked->key.size,
                                  .time = asked->time,
                                  .at_us = asked->at_us,
                                  .known_us = asked->known_us,
                                  .asked_us = moment_us,
                                  .feature = feature,
                                  .answer = &parity->answer[parity->answer_count]};
    for (uint32_t i = 0; i < service->read_count; i++) {
        if (service->read[i].view == view) {
            feature[read->feature_count++] = service->read[i].feature;
        }
    }
    parity->answer_count += read->feature_count;
}

/* One read for each view, in the record's order; keys are borrowed from the batch's own bytes. */
static void reads_add(struct parity *parity, const struct entry *entry,
                      const struct served_record *record, const uint8_t *bytes)
{
    const char *moved = (const char *)parity->bytes + entry->bytes;
    const struct plan_service *service = &parity->plan->service[entry->service];
    struct view_set seen = {{0}};
    uint32_t at = 0;
    for (uint32_t i = 0; i < service->read_count; i++) {
        uint16_t view = service->read[i].view;
        if (!view_set_has(&seen, view)) {
            struct served_read asked = record->read[at++];
            asked.key.data = moved + (asked.key.data - (const char *)bytes);
            view_set_add(&seen, view);
            view_add(parity, service, view, &asked, record->moment_us);
        }
    }
}

enum result parity_add(struct parity *parity, const struct served_record *record,
                       const uint8_t *bytes, uint32_t size, const struct served_place *place)
{
    if (parity->options.values_max - parity->answer_count < SERVICE_READS_MAX ||
        parity->options.values_max == parity->entry_count ||
        parity->bytes_max - parity->bytes_used < size) {
        return RESULT_NO_SPACE;
    }
    struct entry *entry = &parity->entry[parity->entry_count++];
    *entry = (struct entry){.place = *place,
                            .nth = ++parity->nth,
                            .bytes = parity->bytes_used,
                            .size = size,
                            .service = service_of(parity, record),
                            .read_first = parity->read_count,
                            .answer_first = parity->answer_count};
    memcpy(parity->bytes + entry->bytes, bytes, size);
    parity->bytes_used += size;
    if (entry->service >= 0) {
        reads_add(parity, entry, record, bytes);
    }
    return RESULT_OK;
}

/* Where the answers of the service's reads are: view by view, as view_add() put them. */
static void run_aim(struct parity *parity, const struct entry *entry)
{
    struct service_run *run = &parity->run;
    const struct plan_service *service = &parity->plan->service[entry->service];
    uint32_t answer = entry->answer_first;
    run->service = service;
    run->answer = parity->answer;
    run->space = &parity->space;
    memset(run->step, 0, sizeof(run->step));
    struct view_set seen = {{0}};
    for (uint32_t first = 0; first < service->read_count; first++) {
        uint16_t view = service->read[first].view;
        if (view_set_has(&seen, view)) {
            continue;
        }
        view_set_add(&seen, view);
        for (uint32_t i = first; i < service->read_count; i++) {
            if (service->read[i].view == view) {
                run->base[i] = answer++;
            }
        }
    }
}

/* The request's values as service_request_read() has them; false: they are no such values. */
static bool request_aim(struct service_run *run, const struct served_record *record)
{
    run->request_null = UINT32_MAX;
    for (uint32_t i = 0; i < record->value_count; i++) {
        const struct served_value *value = &record->value[i];
        if (value->is_null) {
            continue;
        }
        if (service_request_word(run->service, i, value->text.data, value->text.size,
                                 &run->request[i]) != SERVICE_REQUEST_GOOD) {
            return false;
        }
        run->request_null &= ~(1u << i);
    }
    return true;
}

static enum parity_outcome item_compare(const struct served_item *served,
                                        const struct answer *answer, struct served_text again)
{
    bool served_null = served->kind == VALUE_NULL;
    bool again_null = answer->kind == VALUE_NULL;
    if (!served_null && again_null) {
        return PARITY_extra;
    }
    bool same = served->status == answer->status && served_null == again_null &&
                served->text.size == again.size &&
                (again.size == 0 || memcmp(served->text.data, again.data, again.size) == 0);
    return same ? PARITY_equal : PARITY_mismatch;
}

static void items_miss(struct parity_answer *told)
{
    for (uint32_t i = 0; i < told->record->item_count; i++) {
        told->outcome[i] = PARITY_missing;
    }
}

/* Whether the mirror has all of the moment, the row's last record, and reads at the same time: what
 * is LATEST hangs on a single event. A mirror that is whole has all. */
static bool rows_are_reached(const struct parity *parity, const struct entry *entry)
{
    for (uint32_t r = 0; !parity->range.is_whole && r < parity->record.read_count; r++) {
        const struct served_read *served = &parity->record.read[r];
        const struct history_read *read = &parity->read[entry->read_first + r];
        bool gone = served->known_us <= parity->range.since_us ||
                    (served->lsn != 0 && served->lsn < parity->range.kept_lsn[served->shard]);
        if (gone || read->answer->q_us != served->q_us) {
            return false;
        }
    }
    return true;
}

/* Whether a value may be another one than was served, as it reaches back too far. */
static bool value_is_beyond(const struct parity *parity, uint32_t item)
{
    bool lacks = !parity->range.is_whole &&
                 parity_reach_lacks(parity->plan, &parity->run, item, parity->range.since_us);
    return lacks || parity_reach_folded(parity->plan, &parity->run, item, &parity->record,
                                        parity->told.place.began_us);
}

static void items_compare(struct parity *parity)
{
    struct parity_answer *told = &parity->told;
    service_compute(&parity->run, 0, 1);
    for (uint32_t i = 0; i < told->record->item_count; i++) {
        struct answer answer;
        struct served_text *again = &told->again[i];
        service_answer(&parity->run, 0, 0, i, &answer);
        *again = (struct served_text){.size = 0};
        if (answer.kind != VALUE_NULL) {
            again->data = answer_text(&answer, parity->text[i], &again->size);
        }
        told->status[i] = answer.status;
        told->is_null[i] = answer.kind == VALUE_NULL;
        told->outcome[i] = item_compare(&told->record->item[i], &answer, *again);
        if (told->outcome[i] != PARITY_equal && value_is_beyond(parity, i)) {
            told->outcome[i] = PARITY_missing;
        }
    }
}

static void entry_tell(struct parity *parity, const struct entry *entry, parity_visit *visit,
                       void *context)
{
    struct parity_answer *told = &parity->told;
    uint32_t at = 0;
    enum result result =
        served_record_decode(parity->bytes + entry->bytes, entry->size, &at, &parity->record);
    ASSERT(result == RESULT_OK);
    told->record = &parity->record;
    told->place = entry->place;
    told->nth = entry->nth;
    told->service = entry->service;
    if (entry->service >= 0) {
        run_aim(parity, entry);
    }
    if (entry->service < 0 || !rows_are_reached(parity, entry) ||
        !request_aim(&parity->run, &parity->record)) {
        items_miss(told);
    } else {
        items_compare(parity);
    }
    visit(context, told);
}

/* Entries from first to end - 1; where their rows do not fit the memory, half of them at a time. */
static enum result entries_run(struct parity *parity, struct mirror_history *history,
                               uint32_t first, uint32_t end, parity_visit *visit, void *context,
                               char error[PARITY_ERROR_SIZE_MAX])
{
    uint32_t read_first = parity->entry[first].read_first;
    uint32_t read_end =
        end < parity->entry_count ? parity->entry[end].read_first : parity->read_count;
    enum result result =
        mirror_history_read(history, &parity->read[read_first], read_end - read_first, error);
    if (result == RESULT_NO_SPACE && end - first > 1) {
        uint32_t middle = first + (end - first) / 2;
        result = entries_run(parity, history, first, middle, visit, context, error);
        return result == RESULT_OK
                   ? entries_run(parity, history, middle, end, visit, context, error)
                   : result;
    }
    for (uint32_t i = first; result == RESULT_OK && i < end; i++) {
        entry_tell(parity, &parity->entry[i], visit, context);
    }
    return result;
}

static void added_forget(struct parity *parity)
{
    parity->entry_count = 0;
    parity->read_count = 0;
    parity->answer_count = 0;
    parity->bytes_used = 0;
}

enum result parity_run(struct parity *parity, parity_visit *visit, void *context,
                       char error[PARITY_ERROR_SIZE_MAX])
{
    const struct mirror_history_options options = {.directory = parity->options.directory,
                                                   .plan = parity->plan,
                                                   .mode = HISTORY_KNOWN,
                                                   .thread_count = parity->options.thread_count,
                                                   .memory_bytes = parity->options.memory_bytes,
                                                   .log_only = parity->options.log_only,
                                                   .stop_asked = parity->options.stop_asked,
                                                   .stop_context = parity->options.stop_context};
    struct mirror_history *history = NULL;
    if (parity->entry_count == 0) {
        return RESULT_OK;
    }
    enum result result = mirror_history_open(&options, &history, error);
    if (result == RESULT_OK) {
        parity->range = *mirror_history_range(history);
        result = entries_run(parity, history, 0, parity->entry_count, visit, context, error);
    }
    mirror_history_close(history);
    added_forget(parity);
    return result;
}
