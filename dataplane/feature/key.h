/* Keys: the identity of an entity as bytes, and as text.
 *
 * One part: an integer or bool is its value as 8 bytes little-endian (sign-extended), a string its
 * bytes without padding. Several parts: each one as u16 length and bytes. In text a key is
 * `<entity>:<id>`, split at the first ':'; parts of a composite are joined by '|', with '%' and '|'
 * percent-encoded. A null part has no key. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/burst.h"
#include "dataplane/feature/plan.h"

/* Whether the view's key in events of a stream is one number: it stands in the column of the first
 * of plan_key_fields(). */
static inline bool key_has_column(const struct plan_view *view, const struct schema *schema,
                                  uint32_t stream)
{
    return view->key_count == 1 &&
           schema->field[plan_key_fields(view, stream)[0]].type != FIELD_TYPE_string;
}

/* Writes the key of event for the view; returns its size, or 0 when a part is null. out holds
 * view->key_size_max bytes. */
uint32_t key_of_event(const struct plan_view *view, const struct burst *burst, uint32_t event,
                      uint8_t *out);

/* The same of an event as a producer writes it, a block of schema->block_size bytes of the stream
 * (an index): what it steers by. 0 also when a part breaks its type. */
uint32_t key_of_block(const struct plan_view *view, uint32_t stream, const struct schema *schema,
                      const uint8_t *block, uint8_t *out);

/* Parses the id part (after "entity:"). Returns the size of the key or 0 when the text is no key of
 * the view's type (then nothing can have it). out holds KEY_SIZE_MAX bytes. */
uint32_t key_parse(const struct plan *plan, const struct plan_view *view, const char *id,
                   uint32_t size, uint8_t *out);

/* The same as of the number's digits, of a view whose key is one number; is_unsigned: it is a
 * uint64_t. */
uint32_t key_of_number(const struct plan *plan, const struct plan_view *view, int64_t number,
                       bool is_unsigned, uint8_t *out);

/* Writes `<entity>:<id>` without NUL, returns its length; out_size of 3 * KEY_SIZE_MAX + 64 always
 * suffices. */
uint32_t key_format(const struct plan *plan, const struct plan_view *view, const uint8_t *key,
                    uint32_t key_size, char *out, uint32_t out_size);
