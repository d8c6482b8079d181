/* An answer: the value of one feature of one entity at one time, and what there is to know about
 * it. Printing is here too, so that every protocol prints alike. */
#pragma once

#include <stdint.h>

#include "dataplane/feature/plan.h"

/* Names as Feast has them. */
enum answer_status {
    ANSWER_PRESENT,
    ANSWER_NULL_VALUE,
    ANSWER_NOT_FOUND,
    ANSWER_OUTSIDE_MAX_AGE,
};

#define ANSWER_FLAG_APPROXIMATE 0x01u
#define ANSWER_FLAG_PARTIAL     0x02u

enum value_kind {
    VALUE_NULL,
    VALUE_NUMBER,
    VALUE_DOUBLE,
    VALUE_BOOL,
    VALUE_STRING,
    VALUE_LIST, /* Text: a JSON array or object. */
};

/* 256-bit two's complement, least significant word first: wide enough for any sum. */
#define WIDE_WORDS 4u

struct wide {
    uint64_t word[WIDE_WORDS];
};

struct answer {
    enum answer_status status;
    uint8_t flags;
    enum value_kind kind;
    uint8_t scale;      /* VALUE_NUMBER: digits after the point. */
    struct wide number; /* VALUE_NUMBER: the value times 10^scale. VALUE_BOOL: 0 or 1. */
    double real;        /* VALUE_DOUBLE */
    const char *text;   /* VALUE_STRING and VALUE_LIST: borrowed, see the reader. */
    uint32_t text_size;
    int64_t start_us; /* Effective window [start, end); INT64_MIN: from the beginning. */
    int64_t end_us;
    int64_t newest_us; /* Newest event of the row; INT64_MIN: none. */
    int64_t q_us;
    uint32_t shard;
    uint64_t lsn; /* The row's last record. */
};

#define ANSWER_TEXT_SIZE_MAX (STRING_SIZE_MAX + 1)
#define ANSWER_LIST_SIZE_MAX 16384u

/* Writes the value as every protocol prints it: integers and decimals exactly, doubles in the
 * shortest form that reads back to the same bits, bools true or false, strings as they are.
 * Returns the length (no NUL is written); 0 for null. out holds ANSWER_TEXT_SIZE_MAX bytes. Not for
 * lists. */
uint32_t answer_format(const struct answer *answer, char *out);

/* The same text without copying what is text already: *out_size bytes, in the answer or in space
 * (ANSWER_TEXT_SIZE_MAX bytes). */
const char *answer_text(const struct answer *answer, char *space, uint32_t *out_size);

/* "PRESENT", "NULL_VALUE", ... */
const char *answer_status_name(enum answer_status status);
/* "", "APPROXIMATE", "PARTIAL", "APPROXIMATE|PARTIAL". */
const char *answer_flags_name(uint8_t flags);
