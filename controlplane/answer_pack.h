/* Answers in few bytes, one behind another, for whoever keeps many: status, kind, value and the
 * caller's flags. Where a window began, and what record was the last, is left out.
 *
 *   u8  status | flags
 *   u8  kind | words << 4     words: of a number, as many as its sign needs
 *   u8  scale
 *       number: words * u64, least significant first; double: f64; bool: u8;
 *       string, list: u32 size, bytes
 *
 * Numbers are little-endian. Bytes that were not packed here are damage, never more. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "controlplane/buffer.h"
#include "dataplane/feature/answer.h"

#define ANSWER_PACK_FLAGS      0xfcu /* That a caller may use. */
#define ANSWER_PACK_HEAD_BYTES 3u    /* Before a value. */

/* Words of a number that tell it: the others repeat its sign. */
uint32_t answer_pack_words(const struct wide *number);

void answer_pack(const struct answer *answer, uint8_t flags, struct buffer *out);
/* The same at `at`, where answer_pack_room() has place; returns what is behind it. */
uint8_t *answer_pack_at(const struct answer *answer, uint8_t flags, uint8_t *at);
uint64_t answer_pack_room(const struct answer *answer);
/* The answer at `at`, its text borrowed; returns what is behind it. NULL: there is none before
 * `end`. */
const uint8_t *answer_unpack(const uint8_t *at, const uint8_t *end, struct answer *out_answer,
                             uint8_t *out_flags);
/* The same, of an answer whose value nobody asks for. */
const uint8_t *answer_pack_pass(const uint8_t *at, const uint8_t *end,
                                enum answer_status *out_status, uint8_t *out_flags);

/* Of a packed answer whose head is there. */
static inline enum answer_status answer_pack_status(const uint8_t *at)
{
    return (enum answer_status)(at[0] & ~ANSWER_PACK_FLAGS);
}

static inline enum value_kind answer_pack_kind(const uint8_t *at)
{
    return (enum value_kind)(at[1] & 15);
}

/* All of the head but status and flags: answers whose forms are the same are packed alike. */
static inline uint16_t answer_pack_form(const uint8_t *at)
{
    uint16_t form;
    memcpy(&form, at + 1, sizeof(form));
    return form;
}

/* The form of numbers of so many words; words 0: of another kind. */
static inline uint16_t answer_pack_form_of(enum value_kind kind, uint32_t words, uint8_t scale)
{
    const uint8_t head[ANSWER_PACK_HEAD_BYTES] = {0, (uint8_t)((uint32_t)kind | words << 4), scale};
    return answer_pack_form(head);
}
