#include "controlplane/parity_sum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "drivers/memory.h"

#define NUMBER_SIZE_MAX 512u

static const struct {
    const char *name;
    double below;
} errors[PARITY_ERRORS] = {
    {"0", 0},         {"< 1e-12", 1e-12}, {"< 1e-9", 1e-9},  {"< 1e-6", 1e-6},
    {"< 1e-3", 1e-3}, {"< 0.1", 1e-1},    {">= 0.1", 1e300},
};

const char *parity_error_name(uint32_t index)
{
    ASSERT(index < PARITY_ERRORS);
    return errors[index].name;
}

double parity_smape(const struct parity_item_sum *item)
{
    return item->numbers == 0 ? 0 : item->error_sum / (double)item->numbers;
}

/* The text of a number; false: too long to be one. */
static bool number_read(struct served_text text, double *out_number)
{
    char copy[NUMBER_SIZE_MAX];
    if (text.size >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    char *end;
    *out_number = strtod(copy, &end);
    return end != copy && *end == '\0' && isfinite(*out_number);
}

static void error_add(struct parity_item_sum *item, double served, double again)
{
    double scale = (fabs(served) + fabs(again)) / 2;
    double error = scale > 0 ? fabs(served - again) / scale : 0;
    uint32_t class = 0;
    while (class + 1 < PARITY_ERRORS && (class == 0 ? error > 0 : error >= errors[class].below)) {
        class ++;
    }
    item->numbers++;
    item->error[class]++;
    item->error_sum += error;
    item->error_max = error > item->error_max ? error : item->error_max;
}

static void text_copy(char *out, uint32_t size_max, struct served_text text)
{
    uint32_t size = text.size < size_max ? text.size : size_max - 1;
    memcpy(out, text.data == NULL ? "" : text.data, size);
    out[size] = '\0';
}

static bool service_is(const struct parity_service_sum *service, const struct parity_answer *answer)
{
    const struct served_record *record = answer->record;
    return service->print == record->service_print && service->version == record->version &&
           service->item_count == record->item_count &&
           served_text_is(record->service, service->name);
}

static struct parity_service_sum *service_make(struct parity_sum *sum,
                                               const struct parity_answer *answer)
{
    const struct served_record *record = answer->record;
    struct parity_service_sum *services =
        heap_realloc(sum->service, (sum->service_count + 1) * sizeof(*services));
    if (services == NULL) {
        return NULL;
    }
    sum->service = services;
    struct parity_item_sum *items = heap_alloc((record->item_count + 1u) * sizeof(*items));
    if (items == NULL) {
        return NULL;
    }
    memset(items, 0, (record->item_count + 1u) * sizeof(*items));
    for (uint32_t i = 0; i < record->item_count; i++) {
        text_copy(items[i].name, sizeof(items[i].name), record->item[i].name);
    }
    struct parity_service_sum *service = &services[sum->service_count++];
    *service = (struct parity_service_sum){.version = record->version,
                                           .is_gone = answer->service < 0,
                                           .print = record->service_print,
                                           .item_count = record->item_count,
                                           .item = items};
    text_copy(service->name, sizeof(service->name), record->service);
    return service;
}

static struct parity_service_sum *service_of(struct parity_sum *sum,
                                             const struct parity_answer *answer)
{
    for (uint32_t i = 0; i < sum->service_count; i++) {
        if (service_is(&sum->service[i], answer)) {
            return &sum->service[i];
        }
    }
    return service_make(sum, answer);
}

static void difference_keep(struct parity_sum *sum, const struct parity_answer *answer,
                            uint32_t item)
{
    const struct served_record *record = answer->record;
    if (sum->shown == PARITY_SHOWN) {
        return;
    }
    struct parity_difference *kept = &sum->difference[sum->shown++];
    *kept = (struct parity_difference){.nth = answer->nth,
                                       .outcome = answer->outcome[item],
                                       .served_status = record->item[item].status,
                                       .status = answer->status[item],
                                       .served_null = record->item[item].kind == VALUE_NULL,
                                       .null = answer->is_null[item],
                                       .moment_us = record->moment_us};
    text_copy(kept->service, sizeof(kept->service), record->service);
    text_copy(kept->item, sizeof(kept->item), record->item[item].name);
    text_copy(kept->served, sizeof(kept->served), record->item[item].text);
    text_copy(kept->again, sizeof(kept->again), answer->again[item]);
}

static void item_add(struct parity_sum *sum, struct parity_item_sum *to,
                     const struct parity_answer *answer, uint32_t item)
{
    enum parity_outcome outcome = answer->outcome[item];
    const struct served_item *served = &answer->record->item[item];
    double number;
    double again;
    to->count[outcome]++;
    sum->values[outcome]++;
    if (outcome == PARITY_mismatch || outcome == PARITY_extra) {
        difference_keep(sum, answer, item);
    }
    bool is_number = served->kind == VALUE_NUMBER || served->kind == VALUE_DOUBLE;
    bool compared = outcome == PARITY_equal || outcome == PARITY_mismatch;
    if (is_number && compared && number_read(served->text, &number) &&
        number_read(answer->again[item], &again)) {
        error_add(to, number, again);
    }
}

void parity_sum_add(struct parity_sum *sum, const struct parity_answer *answer)
{
    struct parity_service_sum *service = service_of(sum, answer);
    if (service == NULL) {
        sum->failed = true;
        return;
    }
    sum->answers++;
    service->answers++;
    for (uint32_t i = 0; i < answer->record->item_count; i++) {
        item_add(sum, &service->item[i], answer, i);
    }
}

void parity_sum_deinit(struct parity_sum *sum)
{
    for (uint32_t i = 0; i < sum->service_count; i++) {
        heap_free(sum->service[i].item);
    }
    heap_free(sum->service);
    *sum = (struct parity_sum){0};
}
