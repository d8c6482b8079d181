/* Strings of a column chunk, each once: pages name them by their numbers. It is given up when there
 * are too many, or long ones. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/buffer.h"
#include "controlplane/parquet_writer.h"

#define PARQUET_DICTIONARY_MAX      4096u
#define PARQUET_DICTIONARY_TEXT_MAX 256u /* Bytes of one. */

struct parquet_dictionary {
    uint32_t count;
    struct buffer texts; /* As PLAIN has them: what its page holds. */
    uint32_t place[PARQUET_DICTIONARY_MAX];
    uint16_t slot[2 * PARQUET_DICTIONARY_MAX]; /* By hash: number plus one; 0: free. */
};

void parquet_dictionary_clear(struct parquet_dictionary *dictionary);
void parquet_dictionary_deinit(struct parquet_dictionary *dictionary);
/* The string's number; the next one when it is new. False: it is not taken. */
bool parquet_dictionary_find(struct parquet_dictionary *dictionary,
                             const struct parquet_string *string, uint16_t *out_number);
/* The string of a number; valid until the next find. */
struct parquet_string parquet_dictionary_at(const struct parquet_dictionary *dictionary,
                                            uint16_t number);
