#include "dataplane/base/siphash.h"

#include <immintrin.h>

#include "dataplane/base/assert.h"

#define ROUNDS_PER_WORD  2
#define ROUNDS_AT_END    4
#define END_MARK         0xffu
#define WORD_BYTES       8u
#define SIZE_SHIFT       56 /* The last word's top byte is the size, modulo 256. */
#define LANES_ATTRIBUTES __attribute__((target("avx2"), always_inline))

/* "somepseudorandomlygeneratedbytes" */
static const uint64_t initial[4] = {0x736f6d6570736575, 0x646f72616e646f6d, 0x6c7967656e657261,
                                    0x7465646279746573};

struct sip {
    uint64_t v0, v1, v2, v3;
};

/* The same for four inputs: lane i of each vector is input i. */
struct sip_lanes {
    __m256i v0, v1, v2, v3;
};

static void siphash_check(uint32_t size, uint32_t hole)
{
    ASSERT(hole == SIPHASH_NO_HOLE || hole % WORD_BYTES == 0);
    ASSERT(hole == SIPHASH_NO_HOLE || size >= WORD_BYTES);
    ASSERT(hole == SIPHASH_NO_HOLE || hole <= size - WORD_BYTES);
}

static inline uint64_t word_at(const uint8_t *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof(word));
    return word;
}

/* What is left behind the last whole word, under the size. */
static inline uint64_t last_word_of(const uint8_t *data, uint32_t size)
{
    uint64_t word = (uint64_t)size << SIZE_SHIFT;
    const uint8_t *rest = data + (size & ~(WORD_BYTES - 1));
    for (uint32_t i = 0; i < size % WORD_BYTES; i++) {
        word |= (uint64_t)rest[i] << (8 * i);
    }
    return word;
}

static inline uint64_t rotate(uint64_t word, uint32_t bits)
{
    return (word << bits) | (word >> (64 - bits));
}

static inline void sip_round(struct sip *sip)
{
    sip->v0 += sip->v1;
    sip->v2 += sip->v3;
    sip->v1 = rotate(sip->v1, 13) ^ sip->v0;
    sip->v3 = rotate(sip->v3, 16) ^ sip->v2;
    sip->v0 = rotate(sip->v0, 32);
    sip->v2 += sip->v1;
    sip->v0 += sip->v3;
    sip->v1 = rotate(sip->v1, 17) ^ sip->v2;
    sip->v3 = rotate(sip->v3, 21) ^ sip->v0;
    sip->v2 = rotate(sip->v2, 32);
}

static inline void sip_add(struct sip *sip, uint64_t word)
{
    sip->v3 ^= word;
    for (int i = 0; i < ROUNDS_PER_WORD; i++) {
        sip_round(sip);
    }
    sip->v0 ^= word;
}

uint64_t siphash_tag(const struct siphash_key *key, const uint8_t *data, uint32_t size,
                     uint32_t hole)
{
    siphash_check(size, hole);
    struct sip sip = {initial[0] ^ key->word[0], initial[1] ^ key->word[1],
                      initial[2] ^ key->word[0], initial[3] ^ key->word[1]};
    for (uint32_t at = 0; at + WORD_BYTES <= size; at += WORD_BYTES) {
        sip_add(&sip, at == hole ? 0 : word_at(data + at));
    }
    sip_add(&sip, last_word_of(data, size));
    sip.v2 ^= END_MARK;
    for (int i = 0; i < ROUNDS_AT_END; i++) {
        sip_round(&sip);
    }
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

void siphash_four_scalar(const struct siphash_key *const key[SIPHASH_LANES],
                         const uint8_t *const data[SIPHASH_LANES], uint32_t size, uint32_t hole,
                         uint64_t out_tag[SIPHASH_LANES])
{
    for (uint32_t i = 0; i < SIPHASH_LANES; i++) {
        out_tag[i] = siphash_tag(key[i], data[i], size, hole);
    }
}

/* Rotations by 13, 17 and 21 have no instruction; by 16 and 32 a shuffle does it. */
LANES_ATTRIBUTES static inline __m256i lanes_rotate(__m256i lanes, int bits)
{
    return _mm256_or_si256(_mm256_slli_epi64(lanes, bits), _mm256_srli_epi64(lanes, 64 - bits));
}

LANES_ATTRIBUTES static inline __m256i lanes_rotate_32(__m256i lanes)
{
    return _mm256_shuffle_epi32(lanes, _MM_SHUFFLE(2, 3, 0, 1));
}

LANES_ATTRIBUTES static inline __m256i lanes_rotate_16(__m256i lanes)
{
    const __m256i order = _mm256_set_epi8(13, 12, 11, 10, 9, 8, 15, 14, 5, 4, 3, 2, 1, 0, 7, 6, 13,
                                          12, 11, 10, 9, 8, 15, 14, 5, 4, 3, 2, 1, 0, 7, 6);
    return _mm256_shuffle_epi8(lanes, order);
}

LANES_ATTRIBUTES static inline void lanes_round(struct sip_lanes *sip)
{
    sip->v0 = _mm256_add_epi64(sip->v0, sip->v1);
    sip->v2 = _mm256_add_epi64(sip->v2, sip->v3);
    sip->v1 = _mm256_xor_si256(lanes_rotate(sip->v1, 13), sip->v0);
    sip->v3 = _mm256_xor_si256(lanes_rotate_16(sip->v3), sip->v2);
    sip->v0 = lanes_rotate_32(sip->v0);
    sip->v2 = _mm256_add_epi64(sip->v2, sip->v1);
    sip->v0 = _mm256_add_epi64(sip->v0, sip->v3);
    sip->v1 = _mm256_xor_si256(lanes_rotate(sip->v1, 17), sip->v2);
    sip->v3 = _mm256_xor_si256(lanes_rotate(sip->v3, 21), sip->v0);
    sip->v2 = lanes_rotate_32(sip->v2);
}

LANES_ATTRIBUTES static inline void lanes_add(struct sip_lanes *sip, __m256i word)
{
    sip->v3 = _mm256_xor_si256(sip->v3, word);
    for (int i = 0; i < ROUNDS_PER_WORD; i++) {
        lanes_round(sip);
    }
    sip->v0 = _mm256_xor_si256(sip->v0, word);
}

LANES_ATTRIBUTES static inline __m256i lanes_of(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return _mm256_set_epi64x((long long)d, (long long)c, (long long)b, (long long)a);
}

LANES_ATTRIBUTES static inline struct sip_lanes
lanes_start(const struct siphash_key *const key[SIPHASH_LANES])
{
    __m256i low = lanes_of(key[0]->word[0], key[1]->word[0], key[2]->word[0], key[3]->word[0]);
    __m256i high = lanes_of(key[0]->word[1], key[1]->word[1], key[2]->word[1], key[3]->word[1]);
    return (struct sip_lanes){
        _mm256_xor_si256(low, _mm256_set1_epi64x((long long)initial[0])),
        _mm256_xor_si256(high, _mm256_set1_epi64x((long long)initial[1])),
        _mm256_xor_si256(low, _mm256_set1_epi64x((long long)initial[2])),
        _mm256_xor_si256(high, _mm256_set1_epi64x((long long)initial[3])),
    };
}

__attribute__((target("avx2"))) void
siphash_four_avx2(const struct siphash_key *const key[SIPHASH_LANES],
                  const uint8_t *const data[SIPHASH_LANES], uint32_t size, uint32_t hole,
                  uint64_t out_tag[SIPHASH_LANES])
{
    siphash_check(size, hole);
    const uint8_t *a = data[0], *b = data[1], *c = data[2], *d = data[3];
    struct sip_lanes sip = lanes_start(key);
    for (uint32_t at = 0; at + WORD_BYTES <= size; at += WORD_BYTES) {
        __m256i word = lanes_of(word_at(a + at), word_at(b + at), word_at(c + at), word_at(d + at));
        lanes_add(&sip, at == hole ? _mm256_setzero_si256() : word);
    }
    lanes_add(&sip, lanes_of(last_word_of(a, size), last_word_of(b, size), last_word_of(c, size),
                             last_word_of(d, size)));
    sip.v2 = _mm256_xor_si256(sip.v2, _mm256_set1_epi64x(END_MARK));
    for (int i = 0; i < ROUNDS_AT_END; i++) {
        lanes_round(&sip);
    }
    __m256i tag =
        _mm256_xor_si256(_mm256_xor_si256(sip.v0, sip.v1), _mm256_xor_si256(sip.v2, sip.v3));
    _mm256_storeu_si256((__m256i *)(void *)out_tag, tag);
}
