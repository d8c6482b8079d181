#include "dataplane/base/checksum.h"

#include <immintrin.h>
#include <string.h>

#include "dataplane/base/assert.h"

#define STREAM_COUNT       3u
#define STREAM_LONG_BYTES  1024u
#define STREAM_SHORT_BYTES 128u
#define REGISTER_BITS      32u

/* What 1024, or 128, zero bytes make of the register 1 << i: the columns of a matrix. A test
 * finds them again bit by bit. */
static const uint32_t zeros_long[32] = {
    0xfe314258, 0xf98ef241, 0xf6f19273, 0xe80f5217, 0xd5f2d2df, 0xae09d34f, 0x59ffd06f, 0xb3ffa0de,
    0x6213374d, 0xc4266e9a, 0x8da0abc5, 0x1ead217b, 0x3d5a42f6, 0x7ab485ec, 0xf5690bd8, 0xef3e6141,
    0xdb90b473, 0xb2cd1e17, 0x60764adf, 0xc0ec95be, 0x84355d8d, 0x0d86cdeb, 0x1b0d9bd6, 0x361b37ac,
    0x6c366f58, 0xd86cdeb0, 0xb535cb91, 0x6f87e1d3, 0xdf0fc3a6, 0xbbf3f1bd, 0x720b958b, 0xe4172b16,
};
static const uint32_t zeros_short[32] = {
    0x6992cea2, 0xd3259d44, 0xa3a74c79, 0x42a2ee03, 0x8545dc06, 0x0f67cefd, 0x1ecf9dfa, 0x3d9f3bf4,
    0x7b3e77e8, 0xf67cefd0, 0xe915a951, 0xd7c72453, 0xaa623e57, 0x51280a5f, 0xa25014be, 0x414c5f8d,
    0x8298bf1a, 0x00dd08c5, 0x01ba118a, 0x03742314, 0x06e84628, 0x0dd08c50, 0x1ba118a0, 0x37423140,
    0x6e846280, 0xdd08c500, 0xbffdfcf1, 0x7a178f13, 0xf42f1e26, 0xedb24abd, 0xde88e38b, 0xb8fdb1e7,
};

/* The register after zero bytes: matrix times vector, four columns at a time. */
static uint32_t checksum_skip_zeros(const uint32_t column[REGISTER_BITS], uint32_t crc)
{
    __m128i vector = _mm_set1_epi32((int)crc);
    __m128i bits = _mm_set_epi32(8, 4, 2, 1);
    __m128i sum = _mm_setzero_si128();
    for (uint32_t i = 0; i < REGISTER_BITS; i += 4) {
        __m128i set = _mm_cmpeq_epi32(_mm_and_si128(vector, bits), bits);
        __m128i four = _mm_loadu_si128((const __m128i *)(const void *)(column + i));
        sum = _mm_xor_si128(sum, _mm_and_si128(set, four));
        bits = _mm_slli_epi32(bits, 4);
    }
    sum = _mm_xor_si128(sum, _mm_unpackhi_epi64(sum, sum));
    sum = _mm_xor_si128(sum, _mm_shuffle_epi32(sum, 1));
    return (uint32_t)_mm_cvtsi128_si32(sum);
}

static inline uint64_t word_at(const uint8_t *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof(word));
    return word;
}

/* Three streams of size bytes that lie one after another. */
static uint32_t checksum_streams(uint32_t crc, const uint8_t *data, uint32_t size,
                                 const uint32_t column[REGISTER_BITS])
{
    uint64_t first = crc, second = 0, third = 0;
    for (uint32_t i = 0; i < size; i += 8) {
        first = _mm_crc32_u64(first, word_at(data + i));
        second = _mm_crc32_u64(second, word_at(data + size + i));
        third = _mm_crc32_u64(third, word_at(data + 2 * size + i));
    }
    uint32_t both = checksum_skip_zeros(column, (uint32_t)first) ^ (uint32_t)second;
    return checksum_skip_zeros(column, both) ^ (uint32_t)third;
}

uint32_t checksum_crc32c(uint32_t crc, const void *data, uint64_t size)
{
    ASSERT(data != NULL || size == 0);
    const uint8_t *at = data;
    uint32_t sum = ~crc;
    for (; size >= STREAM_COUNT * STREAM_LONG_BYTES; size -= STREAM_COUNT * STREAM_LONG_BYTES) {
        sum = checksum_streams(sum, at, STREAM_LONG_BYTES, zeros_long);
        at += STREAM_COUNT * STREAM_LONG_BYTES;
    }
    for (; size >= STREAM_COUNT * STREAM_SHORT_BYTES; size -= STREAM_COUNT * STREAM_SHORT_BYTES) {
        sum = checksum_streams(sum, at, STREAM_SHORT_BYTES, zeros_short);
        at += STREAM_COUNT * STREAM_SHORT_BYTES;
    }
    for (; size >= 8; size -= 8, at += 8) {
        sum = (uint32_t)_mm_crc32_u64(sum, word_at(at));
    }
    for (; size > 0; size--, at++) {
        sum = _mm_crc32_u8(sum, *at);
    }
    return ~sum;
}

uint32_t checksum_crc32c_around(const void *data, uint64_t size, uint32_t offset)
{
    static const uint8_t zeros[sizeof(uint32_t)];
    const uint64_t from = offset + sizeof(zeros);
    uint32_t crc = checksum_crc32c(0, data, offset);
    crc = checksum_crc32c(crc, zeros, sizeof(zeros));
    return checksum_crc32c(crc, (const uint8_t *)data + from, size - from);
}
