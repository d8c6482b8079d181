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

static void constants_enter(const struct program *program, struct program_space *space,
                            uint32_t rows)
{
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

/* Field by field: a compound literal would be made elsewhere and copied. */
static void step_enter(const struct program_step *step, struct program_space *space,
                       struct program_run *run)
{
    enum null_of null = codes[step->code].null;
    run->run = codes[step->code].run;
    run->space = space;
    run->target = &space->column[step->target];
    run->column_a = &space->column[step->a];
    run->column_b = &space->column[step->b];
    run->column_c = &space->column[step->c];
    run->condition = step->active == PROGRAM_ALWAYS ? NULL : &space->column[step->active];
    run->out = space->value[step->target - PROGRAM_FIRST_VALUE];
    run->immediate = step->immediate;
    run->null_own = null == NULL_OF_OWN;
    run->null_b = null == NULL_OF_BOTH ? UINT64_MAX : 0;
}

void program_enter(const struct program *program, struct program_space *space, uint32_t rows)
{
    memset(space->fault, 0, sizeof(space->fault));
    space->pattern = NULL;
    if (space->entered == program && space->entered_print == program->print &&
        program->print != 0 && space->entered_rows >= rows) {
        return;
    }
    space->entered = program;
    space->entered_print = program->print;
    space->entered_rows = rows;
    constants_enter(program, space, rows);
    for (uint32_t i = 0; i < program->step_count; i++) {
        step_enter(&program->step[i], space, &space->run[i]);
    }
}

static inline void step_run(struct program_run *run, uint32_t rows, uint64_t all)
{
    run->a = run->column_a->value;
    run->b = run->column_b->value;
    run->c = run->column_c->value;
    run->rows = rows;
    run->active = run->condition == NULL ? all : run->condition->mask & all;
    if (!run->null_own) {
        run->target->null = run->column_a->null | (run->column_b->null & run->null_b);
    }
    run->run(run);
    run->target->mask &= ~run->target->null;
}

void program_run(const struct program *program, struct program_space *space, uint32_t rows)
{
    ASSERT(rows > 0 && rows <= PROGRAM_ROWS);
    uint64_t all = rows == PROGRAM_ROWS ? UINT64_MAX : (UINT64_C(1) << rows) - 1;
    space->text_used = 0;
    for (uint32_t i = 0; i < program->step_count; i++) {
        step_run(&space->run[i], rows, all);
    }
}
