/* What a label's word says, as text. */
#include <string.h>

#include "controlplane/label_inside.h"
#include "dataplane/feature/exact.h"
#include "dataplane/feature/exact_format.h"

uint32_t label_integer_format(__int128 value, uint32_t scale, bool is_unsigned,
                              char out[LABEL_NUMBER_SIZE_MAX])
{
    struct wide wide = wide_from_i128(value);
    if (is_unsigned) {
        const uint64_t words[2] = {(uint64_t)value, (uint64_t)(value >> 64)};
        wide = wide_from_words(words, 2);
    }
    return exact_format_wide(wide, scale, out);
}

static uint32_t text_copy(const char *text, char *out)
{
    memcpy(out, text, strlen(text));
    return (uint32_t)strlen(text);
}

static uint32_t double_format(double value, char *out)
{
    bool is_negative_zero = value == 0 && __builtin_signbit(value) != 0;
    if (__builtin_isfinite(value) && !is_negative_zero) {
        return exact_format_double(value, out);
    }
    return text_copy(is_negative_zero         ? "-0"
                     : __builtin_isnan(value) ? "nan"
                     : value > 0              ? "inf"
                                              : "-inf",
                     out);
}

uint32_t label_word_format(enum label_type type, int64_t word, char out[LABEL_NUMBER_SIZE_MAX])
{
    double real;
    switch (type) {
    case LABEL_DOUBLE:
        memcpy(&real, &word, sizeof(real));
        return double_format(real, out);
    case LABEL_BOOL:
        return text_copy(word != 0 ? "true" : "false", out);
    case LABEL_UNSIGNED:
        return label_integer_format((uint64_t)word, 0, true, out);
    case LABEL_INTEGER:
    case LABEL_TIME:
    case LABEL_TEXT:
        break;
    }
    return label_integer_format(word, 0, false, out);
}

const char *label_cell_text(const struct label_column *column, const struct label_cell *cell,
                            char space[LABEL_NUMBER_SIZE_MAX], uint32_t *out_size)
{
    *out_size = cell->size;
    if (cell->text != NULL || column->type == LABEL_TEXT) {
        return cell->text;
    }
    *out_size = label_word_format(column->type, cell->word, space);
    return space;
}
