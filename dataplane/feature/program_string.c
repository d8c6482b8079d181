/* Strings: words of address and size. What is made here lives until the block ends. Characters are
 * those of UTF-8; bytes that are none count as one each that begins one. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/program_inside.h"

/* As memcmp() has it, the shorter first. */
static int compare(int64_t a, int64_t b)
{
    uint32_t size_a = string_word_size(a);
    uint32_t size_b = string_word_size(b);
    uint32_t size = size_a < size_b ? size_a : size_b;
    int order = size == 0 ? 0 : memcmp(string_word_text(a), string_word_text(b), size);
    return order != 0 ? order : (size_a > size_b) - (size_a < size_b);
}

static bool row_is_null(const struct program_column *column, uint32_t row)
{
    return (column->null >> row & 1) != 0;
}

/* Place for a string of the row's block; NULL: it does not fit, which is a fault. */
static char *text_take(struct program_run *run, uint32_t row, uint32_t size)
{
    struct program_space *space = run->space;
    if (size > STRING_SIZE_MAX || space->text_used + size > sizeof(space->text)) {
        program_fault(run, PROGRAM_FAULT_overflow, UINT64_C(1) << row);
        return NULL;
    }
    char *text = space->text + space->text_used;
    space->text_used += size;
    return text;
}

static void compare_rows(struct program_run *run, enum program_code code)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < run->rows; i++) {
        if (row_is_null(run->target, i)) {
            continue;
        }
        int order = compare(run->a[i], run->b[i]);
        bool holds = code == PROGRAM_string_equal  ? order == 0
                     : code == PROGRAM_string_less ? order < 0
                                                   : order <= 0;
        rows |= (uint64_t)holds << i;
    }
    run->target->mask = rows;
}

static bool begins_character(char byte)
{
    return ((uint8_t)byte & 0xc0) != 0x80;
}

/* Bytes of the first count characters of text. */
static uint32_t characters_size(const char *text, uint32_t size, uint32_t count)
{
    uint32_t at = 0;
    while (at < size && count > 0) {
        at++;
        while (at < size && !begins_character(text[at])) {
            at++;
        }
        count--;
    }
    return at;
}

static int64_t length_of(int64_t word)
{
    const char *text = string_word_text(word);
    int64_t count = 0;
    for (uint32_t i = 0; i < string_word_size(word); i++) {
        count += begins_character(text[i]) ? 1 : 0;
    }
    return count;
}

static int64_t part_of(int64_t word, int64_t immediate)
{
    const char *text = string_word_text(word);
    uint32_t size = string_word_size(word);
    uint32_t skipped =
        characters_size(text, size, (uint32_t)((uint64_t)immediate & UINT32_MAX) - 1);
    uint32_t taken =
        characters_size(text + skipped, size - skipped, (uint32_t)((uint64_t)immediate >> 32));
    return string_word(text + skipped, taken);
}

static void case_row(struct program_run *run, uint32_t row, bool upper)
{
    run->out[row] = 0;
    if (row_is_null(run->target, row)) {
        return;
    }
    uint32_t size = string_word_size(run->a[row]);
    const char *from = string_word_text(run->a[row]);
    char *text = text_take(run, row, size);
    if (text == NULL) {
        return;
    }
    char first = upper ? 'a' : 'A';
    for (uint32_t i = 0; i < size; i++) {
        bool changes = from[i] >= first && from[i] <= (char)(first + 25);
        text[i] = changes ? (char)(from[i] ^ 0x20) : from[i];
    }
    run->out[row] = string_word(text, size);
}

void program_step_string_like(struct program_run *run)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < run->rows; i++) {
        if (!row_is_null(run->target, i)) {
            bool likes = like_matches(string_word_text(run->a[i]), string_word_size(run->a[i]),
                                      string_word_text(run->b[i]), string_word_size(run->b[i]));
            rows |= (uint64_t)likes << i;
        }
    }
    run->target->mask = rows;
}

void program_step_string_equal(struct program_run *run)
{
    compare_rows(run, PROGRAM_string_equal);
}

void program_step_string_less(struct program_run *run)
{
    compare_rows(run, PROGRAM_string_less);
}

void program_step_string_less_equal(struct program_run *run)
{
    compare_rows(run, PROGRAM_string_less_equal);
}

void program_step_string_length(struct program_run *run)
{
    EACH_ROW
    {
        run->out[i] = row_is_null(run->target, i) ? 0 : length_of(run->a[i]);
    }
}

void program_step_string_part(struct program_run *run)
{
    EACH_ROW
    {
        run->out[i] = row_is_null(run->target, i) ? 0 : part_of(run->a[i], run->immediate);
    }
}

void program_step_string_lower(struct program_run *run)
{
    EACH_ROW
    {
        case_row(run, i, /* upper= */ false);
    }
}

void program_step_string_upper(struct program_run *run)
{
    EACH_ROW
    {
        case_row(run, i, /* upper= */ true);
    }
}

static void extreme_rows(struct program_run *run, bool least)
{
    for (uint32_t i = 0; i < run->rows; i++) {
        bool second = row_is_null(run->column_a, i);
        if (!second && !row_is_null(run->column_b, i)) {
            int order = compare(run->b[i], run->a[i]);
            second = least ? order < 0 : order > 0;
        }
        run->out[i] = second ? run->b[i] : run->a[i];
    }
    run->target->null = run->column_a->null & run->column_b->null;
}

void program_step_string_least(struct program_run *run)
{
    extreme_rows(run, true);
}

void program_step_string_greatest(struct program_run *run)
{
    extreme_rows(run, false);
}

void program_step_string_join(struct program_run *run)
{
    for (uint32_t i = 0; i < run->rows; i++) {
        run->out[i] = 0;
        if (row_is_null(run->target, i)) {
            continue;
        }
        uint32_t left = string_word_size(run->a[i]);
        uint32_t right = string_word_size(run->b[i]);
        char *text = text_take(run, i, left + right);
        if (text == NULL) {
            continue;
        }
        if (left > 0) {
            memcpy(text, string_word_text(run->a[i]), left);
        }
        if (right > 0) {
            memcpy(text + left, string_word_text(run->b[i]), right);
        }
        run->out[i] = string_word(text, left + right);
    }
}

/* Greedy with one place to go back to: the newest %. */
bool like_matches(const char *text, uint32_t size, const char *pattern, uint32_t pattern_size)
{
    uint32_t at = 0;
    uint32_t p = 0;
    uint32_t back_pattern = UINT32_MAX; /* Behind the newest %. */
    uint32_t back_at = 0;
    for (;;) {
        if (p < pattern_size && pattern[p] == '%') {
            back_pattern = ++p;
            back_at = at;
            continue;
        }
        if (at == size && p == pattern_size) {
            return true;
        }
        if (at < size && p < pattern_size && pattern[p] == '_') {
            p++;
            at += characters_size(text + at, size - at, 1);
            continue;
        }
        bool escaped = p + 1 < pattern_size && pattern[p] == '\\';
        uint32_t literal = p + (escaped ? 1 : 0);
        if (at < size && p < pattern_size && pattern[literal] == text[at]) {
            p = literal + 1;
            at++;
            continue;
        }
        if (back_pattern == UINT32_MAX || back_at >= size) {
            return false;
        }
        back_at += characters_size(text + back_at, size - back_at, 1);
        at = back_at;
        p = back_pattern;
    }
}
