/* About how many different values: HyperLogLog registers, one byte each.
 *
 * Small sets stay exact: up to SKETCH_WORDS hashes as they are, in the room that the registers
 * would take. Which of the two a set is follows from the set alone, so merging is commutative and
 * associative bit by bit. The estimate uses additions, multiplications, divisions and square roots
 * of IEEE 754 only, no libm: it is the same everywhere. Source: Ertl, "New cardinality estimation
 * algorithms for HyperLogLog sketches", 2017, algorithm 6 (improved raw estimator); standard error
 * 1.04 / sqrt(SKETCH_REGISTERS) = 2.3 %. */
#pragma once

#include <stdint.h>

#define SKETCH_BITS      11u
#define SKETCH_REGISTERS (1u << SKETCH_BITS)
#define SKETCH_WORDS     (SKETCH_REGISTERS / 8u)
#define SKETCH_RANK_MAX  (64u - SKETCH_BITS + 1u)

/* Of a value's words. */
uint64_t sketch_hash(const uint64_t *value, uint32_t words);

/* Registers are SKETCH_WORDS words of a row, so they are written word by word. */
void sketch_add_hash(uint64_t *registers, uint64_t hash);
void sketch_merge(uint64_t *target, const uint64_t *source);
uint64_t sketch_estimate(const uint64_t *registers);
