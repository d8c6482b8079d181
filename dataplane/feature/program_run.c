#include "dataplane/feature/program.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/program_inside.h"

enum null_of { NULL_OF_FIRST, NULL_OF_BOTH, NULL_OF_OWN };

static const struct {
    void (*run)(struct program_run *run);
    enum null_of null;
} codes[] = {
#define PROGRAM_CODE(name, null) {program_step_##name, NULL_OF_##null},
#include "dataplane/feature/program_codes.def"
#undef PROGRAM_CODE
};

void program_enter(const struct program *program, struct program_space *space, uint32_t rows)
{
    memset(space->fault, 0, sizeof(space->fault));
    space->pattern = NULL;
    for (uint32_t i = 0; i < program->constant_count; i++) {
        int64_t value = program->constant[i];
        bool null = (program->constant_null >> i & 1) != 0;
        if (program->constant_type[i].kind == TYPE_string && !null) {
            value = string_word(program->string + ((uint64_t)value & UINT32_MAX),
                                (uint32_t)((uint64_t)value >> 32));
        }
        for (uint32_t row = 0; row < rows; row++) {
            space->constant[i][row] = value;
        }
        space->column[PROGRAM_FIRST_CONSTANT + i] =
            (struct program_column){.value = space->constant[i],
                                    .mask = value != 0 && !null ? UINT64_MAX : 0,
                                    .null = null ? UINT64_MAX : 0};
    }
    for (uint32_t i = 0; i < PROGRAM_REGISTERS_MAX; i++) {
        space->column[PROGRAM_FIRST_VALUE + i].value = space->value[i];
    }
}

static void step_run(const struct program_step *step, struct program_space *space, uint32_t rows,
                     uint64_t all)
{
    struct program_run run = {
        .space = space,
        .target = &space->column[step->target],
        .column_a = &space->column[step->a],
        .column_b = &space->column[step->b],
        .column_c = &space->column[step->c],
        .a = space->column[step->a].value,
        .b = space->column[step->b].value,
        .c = space->column[step->c].value,
        .out = space->value[step->target - PROGRAM_FIRST_VALUE],
        .immediate = step->immediate,
        .rows = rows,
        .active = step->active == PROGRAM_ALWAYS ? all : space->column[step->active].mask & all};
    if (codes[step->code].null != NULL_OF_OWN) {
        bool both = codes[step->code].null == NULL_OF_BOTH;
        run.target->null = run.column_a->null | (both ? run.column_b->null : 0);
    }
    codes[step->code].run(&run);
    run.target->mask &= ~run.target->null;
}

void program_run(const struct program *program, struct program_space *space, uint32_t rows)
{
    ASSERT(rows > 0 && rows <= PROGRAM_ROWS);
    uint64_t all = rows == PROGRAM_ROWS ? UINT64_MAX : (UINT64_C(1) << rows) - 1;
    space->text_used = 0;
    for (uint32_t i = 0; i < program->step_count; i++) {
        step_run(&program->step[i], space, rows, all);
    }
}
