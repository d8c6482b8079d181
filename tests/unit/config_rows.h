/* Rows of a definition text and all that is said about it: what the config tests are made of. */
#pragma once

#include "dataplane/base/units.h"
#include "tests/support/unit.h"

/* A stream that most rows need, ten lines; views and appliances stand before or after it. */
#define STREAM_S                                                                                   \
    "streams:\n"                                                                                   \
    "  s:\n"                                                                                       \
    "    id: 1\n"                                                                                  \
    "    time: t\n"                                                                                \
    "    fields:\n"                                                                                \
    "      t: {type: timestamp}\n"                                                                 \
    "      u: {type: u64}\n"                                                                       \
    "      n: {type: i32, optional: true}\n"                                                       \
    "      x: {type: decimal, scale: 2}\n"                                                         \
    "      w: {type: string, size: 8}\n"

struct config_row {
    const char *sentence;
    const char *text;
    const char *errors; /* One line each; "" : taken. */
};

/* A program of one test, which loads every row's text and compares all that is said about it.
 * sentence: its name. */
int config_rows_main(const char *sentence, const struct config_row *rows, size_t count);
