#include "dataplane/feature/program_emit.h"

#include <string.h>

/* Codes that fault: equal ones in different places are not the same. They stand first. */
static bool code_has_faults(enum program_code code)
{
    return code <= PROGRAM_string_upper;
}

/* Whether rows that are active in `inner` are so in `outer`. Active conditions are made from those
 * around them, which are their first argument. */
static bool active_covers(const struct program *program, uint16_t outer, uint16_t inner)
{
    while (outer != inner && outer != PROGRAM_ALWAYS) {
        if (inner < PROGRAM_FIRST_VALUE || inner == PROGRAM_ALWAYS) {
            return false;
        }
        const struct program_step *step = &program->step[inner - PROGRAM_FIRST_VALUE];
        if (step->code != PROGRAM_mask_and && step->code != PROGRAM_mask_possible &&
            step->code != PROGRAM_mask_open) {
            return false;
        }
        inner = step->a;
    }
    return true;
}

uint16_t program_emit(struct program *program, struct program_step step, uint16_t active)
{
    if (step.a == COLUMN_NONE || step.b == COLUMN_NONE || step.c == COLUMN_NONE) {
        return COLUMN_NONE;
    }
    step.active = code_has_faults((enum program_code)step.code) ? active : PROGRAM_ALWAYS;
    for (uint32_t i = 0; i < program->step_count; i++) {
        struct program_step *same = &program->step[i];
        if (same->code != step.code || same->a != step.a || same->b != step.b ||
            same->c != step.c || same->immediate != step.immediate) {
            continue;
        }
        if (active_covers(program, step.active, same->active)) {
            same->active = step.active; /* Needed in more rows than before. */
        }
        if (active_covers(program, same->active, step.active)) {
            return same->target;
        }
    }
    if (program->step_count == PROGRAM_STEPS_MAX) {
        return COLUMN_NONE;
    }
    step.target = (uint16_t)(PROGRAM_FIRST_VALUE + program->step_count);
    program->step[program->step_count++] = step;
    return step.target;
}

uint16_t program_emit_string(struct program *program, struct program_step step, uint16_t active,
                             uint32_t size)
{
    uint32_t before = program->step_count;
    uint16_t column = program_emit(program, step, active);
    if (program->step_count > before) {
        if (program->row_bytes + size > PROGRAM_STRINGS_MAX) {
            return COLUMN_NONE;
        }
        program->row_bytes = (uint16_t)(program->row_bytes + size);
    }
    return column;
}

uint16_t program_emit_constant(struct program *program, struct expression_type type, bool is_null,
                               int64_t value)
{
    for (uint32_t i = 0; i < program->constant_count; i++) {
        bool null = (program->constant_null >> i & 1) != 0;
        if (program->constant_type[i].kind == type.kind && program->constant[i] == value &&
            null == is_null && type.kind != TYPE_string) {
            return (uint16_t)(PROGRAM_FIRST_CONSTANT + i);
        }
    }
    if (program->constant_count == PROGRAM_CONSTANTS_MAX) {
        return COLUMN_NONE;
    }
    uint32_t at = program->constant_count++;
    program->constant_type[at] = type;
    program->constant[at] = value;
    program->constant_null |= (uint64_t)is_null << at;
    return (uint16_t)(PROGRAM_FIRST_CONSTANT + at);
}

uint16_t program_emit_text(struct program *program, const char *text, uint32_t size)
{
    const struct expression_type type = {.kind = TYPE_string, .size = (uint16_t)size};
    for (uint32_t i = 0; i < program->constant_count; i++) {
        uint64_t known = (uint64_t)program->constant[i];
        if (program->constant_type[i].kind == TYPE_string &&
            (program->constant_null >> i & 1) == 0 && known >> 32 == size &&
            memcmp(program->string + (known & UINT32_MAX), text, size) == 0) {
            return (uint16_t)(PROGRAM_FIRST_CONSTANT + i);
        }
    }
    if (program->string_size + size > PROGRAM_STRINGS_MAX) {
        return COLUMN_NONE;
    }
    uint16_t column = program_emit_constant(program, type, false,
                                            (int64_t)(program->string_size | (uint64_t)size << 32));
    if (column != COLUMN_NONE) {
        memcpy(program->string + program->string_size, text, size);
        program->string_size = (uint16_t)(program->string_size + size);
    }
    return column;
}
