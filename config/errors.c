#include "config/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/node.h"

static void error_push(struct config *config, const char *file, uint32_t line, uint32_t column,
                       const char *format, va_list arguments) __attribute__((format(printf, 5, 0)));

static void error_push(struct config *config, const char *file, uint32_t line, uint32_t column,
                       const char *format, va_list arguments)
{
    uint32_t index = config->error_count++;
    if (index >= CONFIG_ERRORS_MAX) {
        return;
    }
    struct config_error *error = &config->error[index];
    snprintf(error->file, sizeof(error->file), "%s", file);
    error->line = line;
    error->column = column;
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    for (char *c = error->text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?'; /* A quoted value must not move the reader's cursor. */
        }
    }
}

void error_at(struct config *config, const struct node *node, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error_push(config, node->file, node->line, node->column, format, arguments);
    va_end(arguments);
}

void error_inside(struct config *config, const struct node *scalar, uint32_t character,
                  const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error_push(config, scalar->file, scalar->line, node_column_of(scalar, character), format,
               arguments);
    va_end(arguments);
}

void error_in_file(struct config *config, const char *file, uint32_t line, uint32_t column,
                   const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error_push(config, file, line, column, format, arguments);
    va_end(arguments);
}

static int error_compare(const void *left, const void *right)
{
    const struct config_error *a = left;
    const struct config_error *b = right;
    int order = strcmp(a->file, b->file);
    if (order == 0 && a->line != b->line) {
        order = a->line < b->line ? -1 : 1;
    }
    if (order == 0 && a->column != b->column) {
        order = a->column < b->column ? -1 : 1;
    }
    return order != 0 ? order : strcmp(a->text, b->text);
}

void error_sort(struct config *config)
{
    uint32_t kept =
        config->error_count < CONFIG_ERRORS_MAX ? config->error_count : CONFIG_ERRORS_MAX;
    qsort(config->error, kept, sizeof(config->error[0]), error_compare);
}
