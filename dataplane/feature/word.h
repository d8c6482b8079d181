/* Words of rows. A published row is an array of uint64_t that one writer changes while readers copy
 * it under the row's sequence lock; so every store is atomic, and every copy by a reader too. On
 * x86 both are plain moves.
 *
 * The sequence lock without stand-alone fences (which ThreadSanitizer cannot follow):
 *   writer: version odd (relaxed), words (release W1), version even (release W2);
 *   reader: version (acquire, pairs with W2), words (acquire, each pairs with W1), version again.
 * A reader that saw a word of a later write has therefore also seen that write's odd version, or a
 * later one, when it looks at the version again: it retries. Source: Boehm, "Can seqlocks get along
 * with programming language memory models?", MSPC 2012, section 4. */
#pragma once

#include <stdint.h>

/* Owner only: its own earlier stores need no order. */
static inline uint64_t word_load(const uint64_t *word)
{
    return *word;
}

/* Release W1, pairs with the acquire in word_load_shared(). */
static inline void word_store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Acquire, pairs with release W1 in word_store(). */
static inline uint64_t word_load_shared(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void words_store(uint64_t *target, const uint64_t *source, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        word_store(&target[i], source[i]);
    }
}

/* Like memmove, in words; both inside rows of the caller. */
static inline void words_move(uint64_t *target, const uint64_t *source, uint32_t count)
{
    if (target < source) {
        for (uint32_t i = 0; i < count; i++) {
            word_store(&target[i], source[i]);
        }
    } else if (target > source) {
        for (uint32_t i = count; i-- > 0;) {
            word_store(&target[i], source[i]);
        }
    }
}
