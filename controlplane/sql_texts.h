/* The expressions of definitions as SQL, kept by where they stand: gathered while the files are
 * read, when they are trees, and looked up when statements are written. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "controlplane/buffer.h"

struct sql_text {
    enum config_site site;
    uint16_t owner;
    uint16_t index;
    enum result result;          /* Of both; not OK: there is no text. */
    struct expression_type type; /* Of value. */
    uint64_t fields;             /* Bit f: field f of the stream is named: of WHERE, AGGREGATE. */
    uint64_t value_at;           /* Into texts.text; sizes 0: there is none. */
    uint64_t value_size;
    uint64_t where_at;
    uint64_t where_size;
};

struct sql_texts {
    struct sql_text *item; /* Owned. */
    uint32_t count;
    uint32_t capacity;
    bool failed;    /* The heap refused. */
    bool unordered; /* Of definitions with errors: not told in their order. */
    struct buffer text;
    char *room; /* Owned. */
};

void sql_texts_init(struct sql_texts *texts);
void sql_texts_deinit(struct sql_texts *texts);

/* A config_expression_tell; context: struct sql_texts. */
void sql_texts_tell(void *context, const struct config *config,
                    const struct config_expression *expression);

/* Of definitions without errors. NULL: no expression stands there. */
const struct sql_text *sql_texts_find(const struct sql_texts *texts, enum config_site site,
                                      uint32_t owner, uint32_t index);

void sql_texts_value(const struct sql_texts *texts, const struct sql_text *text,
                     struct buffer *out);
void sql_texts_where(const struct sql_texts *texts, const struct sql_text *text,
                     struct buffer *out);
