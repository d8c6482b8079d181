/* Numbers as text: wide integers exactly, doubles in the shortest form that reads back. */
#pragma once

#include <stdint.h>

#include "dataplane/feature/answer.h"

/* Writes value / 10^scale in decimal with exactly scale digits after the point; returns the length
 * (at most 80). */
uint32_t exact_format_wide(struct wide value, uint32_t scale, char *out);

/* Writes the shortest decimal that reads back to the same bits: plain notation when the decimal
 * exponent is -5..16, else d.ddde+XX; integers without a point. Returns the length (at most 26).
 * value is finite. Source: Steele and White, "How to print floating-point numbers accurately", PLDI
 * 1990, free-format algorithm, exact integers. */
uint32_t exact_format_double(double value, char *out);
