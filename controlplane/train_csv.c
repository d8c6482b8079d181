#include "controlplane/train_csv.h"

#include <stdbool.h>
#include <string.h>

void train_csv_text(FILE *out, const char *text, uint32_t size)
{
    bool quotes = size == 0 || memchr(text, ',', size) != NULL || memchr(text, '"', size) != NULL ||
                  memchr(text, '\n', size) != NULL || memchr(text, '\r', size) != NULL;
    if (!quotes) {
        (void)fwrite(text, 1, size, out);
        return;
    }
    (void)fputc('"', out);
    for (uint32_t i = 0; i < size; i++) {
        if (text[i] == '"') {
            (void)fputc('"', out);
        }
        (void)fputc(text[i], out);
    }
    (void)fputc('"', out);
}

void train_csv_answer(FILE *out, const struct answer *answer)
{
    char space[ANSWER_TEXT_SIZE_MAX];
    uint32_t size = 0;
    if (answer->kind == VALUE_STRING || answer->kind == VALUE_LIST) {
        train_csv_text(out, answer->text, answer->text_size);
    } else if (answer->kind != VALUE_NULL) {
        size = answer_format(answer, space);
        train_csv_text(out, space, size);
    }
}
