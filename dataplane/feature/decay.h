/* Sums in which a value halves with each half-life, in integers: the same everywhere, no libm. */
#pragma once

#include <stdint.h>

#include "dataplane/feature/answer.h"

/* Binary digits after the point of a decayed sum. */
#define DECAY_BITS 122u

/* sum * 2^DECAY_BITS * 2^(-age / half_life), within 2^-31 of it, rounded down; 0 from DECAY_BITS
 * half-lives on. An age below 0 weighs as 0 does. |sum| < 2^127, half_life_us > 0. */
struct wide decay_weigh(__int128 sum, int64_t age_us, int64_t half_life_us);
