/* Corrections that a file asks for. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/correct.h"
#include "controlplane/csv.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

char *correct_text_copy(const char *text, uint64_t size)
{
    char *copy = heap_alloc(size + 1);
    if (copy != NULL) {
        memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}

bool correct_list_add(struct correct_list *list, const struct correct_item *item)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 16 : 2 * list->capacity;
        struct correct_item *grown = heap_realloc(list->item, capacity * sizeof(*grown));
        if (grown == NULL) {
            heap_free(item->event);
            return false;
        }
        list->item = grown;
        list->capacity = capacity;
    }
    list->item[list->count++] = *item;
    return true;
}

void correct_list_free(struct correct_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        heap_free(list->item[i].event);
        heap_free((void *)(uintptr_t)list->item[i].was.data);
        heap_free((void *)(uintptr_t)list->item[i].is.data);
    }
    heap_free(list->item);
    *list = (struct correct_list){0};
}

static enum result fail(char error[CORRECT_ERROR_SIZE_MAX], const char *name, uint64_t line,
                        const char *why)
{
    (void)snprintf(error, CORRECT_ERROR_SIZE_MAX, "%.200s:%" PRIu64 ": %.200s", name, line, why);
    return RESULT_INVALID;
}

/* The greatest number of this name; 0: none has it. */
static uint64_t number_max(const char *name)
{
    static const struct {
        const char *name;
        uint64_t max;
    } known[] = {{"producer", UINT64_MAX},
                 {"incarnation", UINT32_MAX},
                 {"lane", UINT16_MAX},
                 {"sequence", UINT64_MAX},
                 {"place", UINT16_MAX}};
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (strcmp(known[i].name, name) == 0) {
            return known[i].max;
        }
    }
    return 0;
}

static void number_set(struct correct_item *item, const char *name, uint64_t value)
{
    switch (name[0]) {
    case 'i':
        item->incarnation = (uint32_t)value;
        break;
    case 'l':
        item->lane = (uint16_t)value;
        break;
    case 's':
        item->sequence = value;
        break;
    default:
        if (strcmp(name, "place") == 0) {
            item->place = (uint16_t)value;
        } else {
            item->producer = value;
        }
    }
}

static bool number_read(const char *text, uint64_t max, uint64_t *out_value)
{
    char *end;
    errno = 0;
    *out_value = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *out_value <= max;
}

/* What of an item was given. */
struct given {
    bool action;
    bool producer;
    bool incarnation;
    bool sequence;
};

/* Takes one named value; NULL: it is fine, else what is wrong. */
static const char *value_take(struct correct_item *item, struct given *given, const char *name,
                              const char *text)
{
    uint64_t value;
    uint64_t max = number_max(name);
    if (strcmp(name, "action") == 0) {
        item->replaces = strcmp(text, "replace") == 0;
        given->action = item->replaces || strcmp(text, "retract") == 0;
        return given->action ? NULL : "`action` is retract or replace";
    }
    if (max == 0) {
        return "known are action, producer, incarnation, lane, sequence, place, event";
    }
    if (text[0] == '\0' && (strcmp(name, "lane") == 0 || strcmp(name, "place") == 0)) {
        return NULL;
    }
    if (!number_read(text, max, &value)) {
        return "producer, incarnation, lane, sequence and place are numbers without a sign";
    }
    number_set(item, name, value);
    given->producer = given->producer || strcmp(name, "producer") == 0;
    given->incarnation = given->incarnation || strcmp(name, "incarnation") == 0;
    given->sequence = given->sequence || strcmp(name, "sequence") == 0;
    return NULL;
}

static const char *item_end(const struct correct_item *item, const struct given *given)
{
    if (!given->action) {
        return "`action` is needed: retract or replace";
    }
    if (!given->producer || !given->incarnation || !given->sequence) {
        return "producer, incarnation and sequence are needed: who sent the event";
    }
    if (item->replaces != (item->event != NULL)) {
        return item->replaces ? "`event` is needed: what it should have been"
                              : "`event` is for replace; retract takes none";
    }
    return NULL;
}

/* Behind the string that begins at text. */
static const char *string_end(const char *text)
{
    for (text++; *text != '"' && *text != '\0'; text++) {
        text += *text == '\\' && text[1] != '\0' ? 1 : 0;
    }
    return *text == '"' ? text + 1 : text;
}

/* The text of the member `event` of a line that is a good object; NULL: it has none, or there is no
 * memory. As it stands there: numbers are read from their digits, never through a double. */
static char *event_text(const char *line)
{
    static const char name[] = "\"event\"";
    const char *begin = NULL;
    uint32_t depth = 0;
    for (const char *at = line; *at != '\0';) {
        if (*at == '"') {
            const char *end = string_end(at);
            bool ours = depth == 1 && (size_t)(end - at) == strlen(name) &&
                        memcmp(at, name, strlen(name)) == 0;
            at = end + strspn(end, " \t");
            begin = ours && *at == ':' ? at + 1 + strspn(at + 1, " \t") : begin;
            continue;
        }
        depth += *at == '{' || *at == '[' ? 1 : 0;
        depth -= *at == '}' || *at == ']' ? 1 : 0;
        at++;
        if (begin != NULL && at > begin && depth == 1) {
            return correct_text_copy(begin, (uint64_t)(at - begin));
        }
    }
    return NULL;
}

static const char *member_take(struct correct_item *item, struct given *given, const char *name,
                               json_t *value)
{
    char text[32];
    if (strcmp(name, "event") == 0) {
        return json_is_object(value) ? NULL : "`event` is an object";
    }
    if (json_is_integer(value)) {
        (void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return value_take(item, given, name, text);
    }
    return json_is_string(value) ? value_take(item, given, name, json_string_value(value))
                                 : "values are numbers, strings, and the object `event`";
}

static enum result json_line_read(const char *text, const char *name, uint64_t line,
                                  struct correct_list *list, char error[CORRECT_ERROR_SIZE_MAX])
{
    json_error_t why;
    struct correct_item item = {.line = line};
    struct given given = {0};
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    const char *wrong = json_is_object(object) ? NULL : "a JSON object on each line is wanted";
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        wrong = wrong == NULL ? member_take(&item, &given, key, value) : wrong;
    }
    json_decref(object);
    item.event = wrong == NULL ? event_text(text) : NULL;
    wrong = wrong == NULL ? item_end(&item, &given) : wrong;
    if (wrong != NULL) {
        heap_free(item.event);
        return fail(error, name, line, wrong);
    }
    return correct_list_add(list, &item) ? RESULT_OK : RESULT_NO_MEMORY;
}

static enum result json_read(FILE *in, const char *name, struct correct_list *list,
                             char error[CORRECT_ERROR_SIZE_MAX])
{
    char *text = NULL;
    size_t capacity = 0;
    uint64_t line = 0;
    enum result result = RESULT_OK;
    ssize_t size;
    while (result == RESULT_OK && (size = getline(&text, &capacity, in)) >= 0) {
        line++;
        if (strspn(text, " \t\r\n") != (size_t)size) {
            result = json_line_read(text, name, line, list, error);
        }
    }
    free(text);
    return result;
}

/* The values of a CSV record have no end of their own. */
static char *value_copy(const struct csv *csv, uint32_t value)
{
    return correct_text_copy(csv_text(csv, value), csv->value[value].size);
}

static enum result record_read(const struct csv *csv, char *const *column, uint32_t column_count,
                               const char *name, struct correct_list *list,
                               char error[CORRECT_ERROR_SIZE_MAX])
{
    struct correct_item item = {.line = csv->value[0].place.line};
    struct given given = {0};
    const char *wrong = csv->count == column_count ? NULL : "as many values as columns are wanted";
    for (uint32_t i = 0; wrong == NULL && i < column_count; i++) {
        char *text = value_copy(csv, i);
        if (text == NULL) {
            wrong = "no memory";
        } else if (strcmp(column[i], "event") == 0) {
            item.event = text[0] == '\0' ? NULL : text;
            text = text[0] == '\0' ? text : NULL;
        } else {
            wrong = value_take(&item, &given, column[i], text);
        }
        heap_free(text);
    }
    wrong = wrong == NULL ? item_end(&item, &given) : wrong;
    if (wrong != NULL) {
        heap_free(item.event);
        return fail(error, name, item.line, wrong);
    }
    return correct_list_add(list, &item) ? RESULT_OK : RESULT_NO_MEMORY;
}

#define COLUMNS_MAX 7u

static enum result csv_read(FILE *in, const char *name, struct csv_place place,
                            struct correct_list *list, char error[CORRECT_ERROR_SIZE_MAX])
{
    struct csv *csv = heap_alloc(sizeof(*csv));
    char *column[COLUMNS_MAX] = {NULL};
    char why[CSV_ERROR_SIZE_MAX];
    uint32_t count = 0;
    if (csv == NULL) {
        return RESULT_NO_MEMORY;
    }
    csv_open(csv, in, place);
    enum csv_step step = csv_next(csv);
    enum result result = RESULT_OK;
    if (step == CSV_RECORD && csv->count > COLUMNS_MAX) {
        result = fail(error, name, place.line,
                      "known are action, producer, incarnation, lane, sequence, place, event");
    }
    for (; result == RESULT_OK && step == CSV_RECORD && count < csv->count; count++) {
        column[count] = value_copy(csv, count);
        result = column[count] == NULL ? RESULT_NO_MEMORY : RESULT_OK;
    }
    while (result == RESULT_OK && step == CSV_RECORD &&
           (step = csv_record_next(csv, count)) == CSV_RECORD) {
        result = record_read(csv, column, count, name, list, error);
    }
    if (result == RESULT_OK && step != CSV_END) {
        result = fail(error, name, csv->wrong.line, csv_step_format(step, why));
    }
    for (uint32_t i = 0; i < COLUMNS_MAX; i++) {
        heap_free(column[i]);
    }
    csv_close(csv);
    heap_free(csv);
    return result;
}

enum result correct_list_read(FILE *in, const char *name, struct correct_list *list,
                              char error[CORRECT_ERROR_SIZE_MAX])
{
    struct csv_place place = {1, 1};
    (void)snprintf(error, CORRECT_ERROR_SIZE_MAX, "%.200s: no memory", name);
    int first = csv_first_character(in, &place);
    enum result result =
        first == '{' ? json_read(in, name, list, error) : csv_read(in, name, place, list, error);
    if (result == RESULT_OK && list->count == 0) {
        return fail(error, name, 1, "there is no correction in it");
    }
    return result;
}
