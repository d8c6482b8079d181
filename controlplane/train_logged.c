#include "controlplane/train_logged.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/logged_index.h"
#include "controlplane/train_spool.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/exact.h"
#include "drivers/memory.h"

#define NUMBER_SIZE_MAX 64u
#define DIGITS_MAX      80u /* Of 255 bits, with sign and point, and a 0 before it. */

struct train_logged {
    const char *directory;
    int64_t within_us;
    struct served_reader *reader;
    struct logged_index index;
    struct logged_key key;
};

enum result train_logged_open(struct train *train, const char *directory, int64_t within_us)
{
    struct train_logged *logged = heap_alloc_lines(sizeof(*logged));
    if (logged == NULL) {
        return train_fail(train, "no memory");
    }
    train->logged = logged;
    logged->directory = directory;
    logged->within_us = within_us;
    enum result result = served_reader_open(directory, &logged->reader);
    if (result == RESULT_OK) {
        result =
            logged_index_open(logged->reader, &train->config->plan, train->service, &logged->index);
    }
    if (result != RESULT_OK) {
        return train_fail(train, "%s: %s", directory,
                          result == RESULT_SYSTEM ? strerror(errno) : result_name(result));
    }
    struct served_reader_report report;
    served_reader_report_read(logged->reader, &report);
    if (report.damaged > 0) {
        (void)fprintf(stderr,
                      "freshet train: %" PRIu64 " places in files of served answers are damaged, "
                      "and what they had is left out; see freshet verify\n",
                      report.damaged);
    }
    uint64_t part[] = {train->identity, (uint64_t)within_us, logged->index.count,
                       logged->index.print};
    train->identity = XXH3_64bits(part, sizeof(part));
    return RESULT_OK;
}

void train_logged_close(struct train_logged *logged)
{
    if (logged != NULL) {
        logged_index_close(&logged->index);
        served_reader_close(logged->reader);
        heap_free(logged);
    }
}

/* Keys of a row by entity, and its time: of views that are asked at different times the last. */
static int64_t key_make(const struct train *train, const struct train_part *part, uint32_t row)
{
    const struct history_read *read = &part->read[(uint64_t)row * train->view_count];
    int64_t time_us = INT64_MIN;
    logged_key_init(&train->logged->key);
    for (uint32_t e = 0; e < train->service->entity_count; e++) {
        uint32_t v = 0;
        while (train->view[v].entity != e) {
            v++;
        }
        logged_key_add(&train->logged->key, read[v].key, read[v].key_size);
    }
    for (uint32_t v = 0; v < train->view_count; v++) {
        time_us = read[v].known_us > time_us ? read[v].known_us : time_us;
    }
    return time_us;
}

/* A number and its digits behind the point. False: it is none, or wider than numbers are. */
static bool number_read(struct served_text text, struct answer *answer)
{
    const struct wide ten = wide_from_u64(10);
    bool negative = text.size > 0 && text.data[0] == '-';
    struct wide magnitude = wide_from_u64(0);
    bool point = false;
    answer->scale = 0;
    if (text.size > DIGITS_MAX) {
        return false;
    }
    for (uint32_t i = negative ? 1 : 0; i < text.size; i++) {
        unsigned int digit = (unsigned int)(text.data[i] - '0');
        if (text.data[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (digit > 9) {
            return false;
        }
        magnitude = wide_add(wide_multiply(&magnitude, &ten), wide_from_u64(digit));
        answer->scale = (uint8_t)(answer->scale + point);
    }
    answer->number = negative ? wide_negate(magnitude) : magnitude;
    return true;
}

static bool double_read(struct served_text text, double *out_real)
{
    char copy[NUMBER_SIZE_MAX];
    char *end;
    if (text.size >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    *out_real = strtod(copy, &end);
    return text.size > 0 && *end == '\0';
}

/* The answer that was printed so. False: the text is none of its kind. */
static bool answer_of(const struct served_item *item, struct answer *answer)
{
    *answer = (struct answer){
        .status = item->status, .flags = item->flags, .kind = item->kind, .newest_us = INT64_MIN};
    switch (item->kind) {
    case VALUE_NULL:
        return true;
    case VALUE_NUMBER:
        return number_read(item->text, answer);
    case VALUE_DOUBLE:
        return double_read(item->text, &answer->real);
    case VALUE_BOOL:
        answer->number.word[0] = served_text_is(item->text, "true") ? 1 : 0;
        return answer->number.word[0] == 1 || served_text_is(item->text, "false");
    case VALUE_STRING:
    case VALUE_LIST:
        answer->text = item->text.data;
        answer->text_size = item->text.size;
        return true;
    }
    return false;
}

/* The record's value of that name; NULL: its definition had none. */
static const struct served_item *item_find(const struct served_record *record, const char *name,
                                           uint32_t place)
{
    if (place < record->item_count && served_text_is(record->item[place].name, name)) {
        return &record->item[place];
    }
    for (uint32_t i = 0; i < record->item_count; i++) {
        if (served_text_is(record->item[i].name, name)) {
            return &record->item[i];
        }
    }
    return NULL;
}

enum result train_logged_spool(struct train *train, const struct train_part *part, uint32_t row,
                               struct buffer *values)
{
    struct train_logged *logged = train->logged;
    const struct served_record *record = NULL;
    int64_t time_us = key_make(train, part, row);
    enum result result = logged_index_find(&logged->index, &logged->key, time_us,
                                           sub_clamped(time_us, logged->within_us), &record);
    if (result != RESULT_OK && result != RESULT_NOT_FOUND) {
        return train_fail(train, "%s: %s", logged->directory,
                          result == RESULT_SYSTEM ? strerror(errno) : result_name(result));
    }
    result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < train->service->item_count; i++) {
        const char *name = train->service->item[i].name;
        const struct served_item *item = record == NULL ? NULL : item_find(record, name, i);
        struct answer answer = {.status = ANSWER_NOT_FOUND, .newest_us = INT64_MIN};
        if (item != NULL && !answer_of(item, &answer)) {
            return train_fail(train, "%s: a recorded value of `%s` is `%.*s`, which is none",
                              logged->directory, name,
                              item->text.size < NUMBER_SIZE_MAX ? (int)item->text.size
                                                                : (int)NUMBER_SIZE_MAX,
                              item->text.data);
        }
        train_spool_add(values, &answer, record != NULL && i == 0 ? TRAIN_SPOOL_JOINED : 0);
    }
    return result;
}

json_t *train_logged_json(const struct train *train)
{
    const struct train_logged *logged = train->logged;
    struct served_reader_report report;
    served_reader_report_read(logged->reader, &report);
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "answers", (json_int_t)logged->index.count,
                     "of_other_versions", (json_int_t)logged->index.passed_over, "labels_joined",
                     (json_int_t)train->sums.joined, "damaged_places", (json_int_t)report.damaged,
                     "within_us", (json_int_t)logged->within_us);
}
