#include "controlplane/csv.h"

#include <string.h>

#include "drivers/memory.h"

void csv_mark_take(FILE *in)
{
    static const char mark[] = "\xef\xbb\xbf";
    int taken = 0;
    int c = getc_unlocked(in);
    while (c == (unsigned char)mark[taken] && mark[taken] != '\0') {
        taken++;
        c = getc_unlocked(in);
    }
    bool is_whole = mark[taken] == '\0';
    if (c != EOF) {
        (void)ungetc(c, in);
    }
    while (!is_whole && taken > 0) {
        (void)ungetc((unsigned char)mark[--taken], in);
    }
}

int csv_first_character(FILE *in, struct csv_place *place)
{
    int c;
    csv_mark_take(in);
    do {
        c = getc_unlocked(in);
        place->line += c == '\n';
        place->column = c == '\n' ? 1 : place->column + (c == ' ' || c == '\t');
    } while (c == ' ' || c == '\t' || c == '\r' || c == '\n');
    if (c != EOF) {
        (void)ungetc(c, in);
    }
    return c;
}

void csv_open(struct csv *csv, FILE *in, struct csv_place place)
{
    memset(csv, 0, sizeof(*csv));
    csv->in = in;
    csv->place = place;
}

void csv_close(struct csv *csv)
{
    heap_free(csv->record);
    csv->record = NULL;
    csv->capacity = 0;
}

static int character_take(struct csv *csv)
{
    int c = getc_unlocked(csv->in);
    if (c == '\n') {
        csv->place.line++;
        csv->place.column = 1;
    } else if (c != EOF && (c & 0xc0) != 0x80) { /* No second byte of a character. */
        csv->place.column++;
    }
    return c;
}

/* Whether the next character is this one: it is taken then. */
static bool character_is(struct csv *csv, int wanted)
{
    int c = getc_unlocked(csv->in);
    if (c != EOF) {
        (void)ungetc(c, csv->in);
    }
    return c == wanted && character_take(csv) == wanted;
}

static bool character_put(struct csv *csv, int c)
{
    if (csv->size == csv->capacity) {
        uint32_t capacity = csv->capacity == 0 ? 4096 : 2 * csv->capacity;
        char *record = capacity > CSV_RECORD_MAX ? NULL : heap_realloc(csv->record, capacity);
        if (record == NULL) {
            return false;
        }
        csv->record = record;
        csv->capacity = capacity;
    }
    csv->record[csv->size++] = (char)c;
    return true;
}

/* What stands between quotes; the first one was taken. */
static enum csv_step quoted_take(struct csv *csv, struct csv_place open)
{
    for (;;) {
        int c = character_take(csv);
        if (c == EOF) {
            csv->wrong = open;
            return CSV_OPEN_QUOTE;
        }
        if (c == '"' && !character_is(csv, '"')) {
            return CSV_RECORD;
        }
        if (!character_put(csv, c)) {
            return CSV_BYTES;
        }
    }
}

/* The rest of a value up to its comma or the end of the line, which *out_end is (or EOF). */
static enum csv_step bare_take(struct csv *csv, int *out_end)
{
    for (;;) {
        int c = character_take(csv);
        bool ends = c == ',' || c == '\n' || c == EOF || (c == '\r' && character_is(csv, '\n'));
        if (ends) {
            *out_end = c == ',' ? ',' : '\n';
            return CSV_RECORD;
        }
        if (!character_put(csv, c)) {
            return CSV_BYTES;
        }
    }
}

/* One value and what ends it. Text behind a closing quote is noted in csv->wrong. */
static enum csv_step value_take(struct csv *csv, int *out_end)
{
    struct csv_value *value = &csv->value[csv->count];
    *value = (struct csv_value){.start = csv->size, .place = csv->place};
    enum csv_step step = CSV_RECORD;
    bool quoted = character_is(csv, '"');
    if (quoted) {
        step = quoted_take(csv, value->place);
    }
    uint32_t size = csv->size;
    struct csv_place behind = csv->place;
    if (step == CSV_RECORD) {
        step = bare_take(csv, out_end);
    }
    if (quoted && csv->size > size && csv->wrong.line == 0) {
        csv->wrong = behind;
    }
    value->size = csv->size - value->start;
    csv->count++;
    return step;
}

enum csv_step csv_next(struct csv *csv)
{
    int c = getc_unlocked(csv->in);
    csv->size = 0;
    csv->count = 0;
    csv->wrong = (struct csv_place){0};
    if (c == EOF) {
        return CSV_END;
    }
    (void)ungetc(c, csv->in);
    for (int end = ','; end == ',';) {
        if (csv->count == CSV_VALUES_MAX) {
            csv->wrong = csv->place;
            return CSV_VALUES;
        }
        enum csv_step step = value_take(csv, &end);
        if (step != CSV_RECORD) {
            csv->wrong = step == CSV_OPEN_QUOTE ? csv->wrong : csv->value[csv->count - 1].place;
            return step;
        }
    }
    return csv->wrong.line == 0 ? CSV_RECORD : CSV_BEHIND_QUOTE;
}

enum csv_step csv_record_next(struct csv *csv, uint32_t column_count)
{
    enum csv_step step;
    bool blank;
    do {
        step = csv_next(csv);
        blank = step == CSV_RECORD && csv->count == 1 && csv->value[0].size == 0;
    } while (blank && column_count > 1);
    return step;
}

const char *csv_step_format(enum csv_step step, char out[CSV_ERROR_SIZE_MAX])
{
    out[0] = '\0';
    switch (step) {
    case CSV_BEHIND_QUOTE:
        (void)snprintf(out, CSV_ERROR_SIZE_MAX,
                       "text behind a closing quote; a comma or the end of the line is allowed "
                       "there, and a quote inside quotes stands twice");
        break;
    case CSV_OPEN_QUOTE:
        (void)snprintf(out, CSV_ERROR_SIZE_MAX, "the quote that begins here is not closed");
        break;
    case CSV_VALUES:
        (void)snprintf(out, CSV_ERROR_SIZE_MAX,
                       "more than %d values in a record; no more are allowed", CSV_VALUES_MAX);
        break;
    case CSV_BYTES:
        (void)snprintf(out, CSV_ERROR_SIZE_MAX,
                       "a record of more than %u bytes; no more are allowed", CSV_RECORD_MAX);
        break;
    case CSV_RECORD:
    case CSV_END:
        break;
    }
    return out;
}
