/* Values of a training set that is CSV (RFC 4180). */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "dataplane/feature/answer.h"

/* In quotes where it needs them, and where it is empty: nothing at all is null. */
void train_csv_text(FILE *out, const char *text, uint32_t size);
void train_csv_answer(FILE *out, const struct answer *answer);
