/* What was done and found, for the lines at the end. */
#pragma once

#include <stdint.h>

struct tally {
#define TALLY(name) uint64_t name;
#include "tests/simulation/tally.def"
#undef TALLY
};

void tally_add(struct tally *sum, const struct tally *one);
/* For people. */
void tally_print(const struct tally *tally);
/* A line `name value` for each, for who adds them up. */
void tally_print_plain(const struct tally *tally);
