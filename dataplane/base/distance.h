/* How far two words are apart, for "did you mean": edits (insert, remove, replace one byte, swap
 * neighbours) from one to the other, letters of ASCII without case. Source: optimal string
 * alignment distance. */
#pragma once

#include <stdint.h>

#define DISTANCE_SIZE_MAX 255u /* Longer words are not compared. */

/* Edits from a to b, neither NUL-terminated; UINT32_MAX when one is longer than
 * DISTANCE_SIZE_MAX. */
uint32_t distance_edits(const char *a, uint32_t a_size, const char *b, uint32_t b_size);
