/* Steps and constants of a program that is being built: what is there already is not made again.
 * Each returns the column that has the value, or COLUMN_NONE where there is no room. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/program_inside.h"

#define COLUMN_NONE UINT16_MAX

/* active: the column of the rows in which the step matters. An argument may be COLUMN_NONE. */
uint16_t program_emit(struct program *program, struct program_step step, uint16_t active);
/* A step whose value is a new string of so many bytes in each row. */
uint16_t program_emit_string(struct program *program, struct program_step step, uint16_t active,
                             uint32_t size);
uint16_t program_emit_constant(struct program *program, struct expression_type type, bool is_null,
                               int64_t value);
uint16_t program_emit_text(struct program *program, const char *text, uint32_t size);
