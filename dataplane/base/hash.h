/* The three hashes of a key. All are XXH3-64 (xxhash 0.8, inline), so any producer can compute the
 * one that it needs.
 *
 * owner: seed 0, published; its top 12 bits name the vshard (DESIGN of the map: 4096 vshards).
 * table: seeded by a per-process secret, so nobody outside can aim at one bucket.
 * home:  of the producer id, picks the shard that accepts a lane.
 * slot:  Redis Cluster's CRC16 of the key text, for cluster clients.
 */
#pragma once

#include <stdint.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define VSHARD_BITS  12
#define VSHARD_COUNT (1u << VSHARD_BITS)

/* hash_owner() of a number's 8 bytes: what most keys are, without a call. Source: xxhash 0.8,
 * XXH3_len_4to8_64b() with seed 0; the constant is of its secret's bytes 8 to 23. */
static inline uint64_t hash_owner_word(uint64_t word)
{
    const uint64_t prime = UINT64_C(0x9fb21c651e98df25);
    uint64_t hash = (word >> 32 | word << 32) ^ UINT64_C(0xc73ab174c5ecd5a2);
    hash ^= (hash << 49 | hash >> 15) ^ (hash << 24 | hash >> 40);
    hash *= prime;
    hash ^= (hash >> 35) + sizeof(word);
    hash *= prime;
    return hash ^ hash >> 28;
}

static inline uint64_t hash_owner(const void *key, uint32_t size)
{
    uint64_t word;
    if (size != sizeof(word)) {
        return XXH3_64bits(key, size);
    }
    __builtin_memcpy(&word, key, sizeof(word));
    return hash_owner_word(word);
}

static inline uint32_t hash_vshard(uint64_t owner_hash)
{
    return (uint32_t)(owner_hash >> (64 - VSHARD_BITS));
}

/* The one of shard_count shards that owns a key: 4096 vshards in equal runs. */
static inline uint32_t hash_shard(uint64_t owner_hash, uint32_t shard_count)
{
    return hash_vshard(owner_hash) * shard_count >> VSHARD_BITS;
}

static inline uint64_t hash_table(const void *key, uint32_t size, uint64_t secret)
{
    return XXH3_64bits_withSeed(key, size, secret);
}

/* Low 32 bits of XXH3-64 (seed 0) over the producer id's 8 little-endian bytes. */
static inline uint32_t hash_producer(uint64_t producer)
{
    return (uint32_t)XXH3_64bits(&producer, sizeof(producer));
}

/* Home shard of a lane. shard_count > 0. */
static inline uint32_t hash_home(uint64_t producer, uint16_t lane, uint32_t shard_count)
{
    return (uint32_t)(((uint64_t)hash_producer(producer) + lane) % shard_count);
}

/* CRC16/XMODEM of text, honouring {hash tags}, modulo 16384. Source: Redis Cluster specification,
 * section "Keys distribution model". */
uint16_t hash_redis_slot(const char *text, uint32_t size);
