/* Registers for the values of a program, each until its last use. */
#include "dataplane/base/hash.h"
#include "dataplane/feature/program_inside.h"

/* Columns that a step reads, unused ones as inputs 0. */
static void step_reads(const struct program_step *step, uint16_t out[4])
{
    out[0] = step->a;
    out[1] = step->b;
    out[2] = step->c;
    out[3] = step->active == PROGRAM_ALWAYS ? 0 : step->active;
}

enum result program_finish(struct program *program)
{
    uint16_t last[PROGRAM_STEPS_MAX]; /* Step that reads a value last. */
    uint16_t place[PROGRAM_STEPS_MAX];
    uint64_t free_registers = UINT64_MAX;
    uint16_t reads[4];
    for (uint16_t i = 0; i < program->step_count; i++) {
        last[i] = i;
        step_reads(&program->step[i], reads);
        for (uint32_t r = 0; r < 4; r++) {
            if (reads[r] >= PROGRAM_FIRST_VALUE) {
                last[reads[r] - PROGRAM_FIRST_VALUE] = i;
            }
        }
    }
    for (uint32_t i = 0; i < program->output_count; i++) {
        if (program->output[i] >= PROGRAM_FIRST_VALUE) {
            last[program->output[i] - PROGRAM_FIRST_VALUE] = PROGRAM_STEPS_MAX;
        }
    }
    for (uint16_t i = 0; i < program->step_count; i++) {
        struct program_step *step = &program->step[i];
        uint16_t *const read[4] = {&step->a, &step->b, &step->c, &step->active};
        if (free_registers == 0) {
            return RESULT_NO_SPACE;
        }
        /* Taken before what is read is freed: no step writes what it reads. */
        place[i] = (uint16_t)__builtin_ctzll(free_registers);
        free_registers &= free_registers - 1;
        for (uint32_t r = 0; r < 4; r++) {
            if (*read[r] < PROGRAM_FIRST_VALUE || *read[r] == PROGRAM_ALWAYS) {
                continue;
            }
            uint16_t value = (uint16_t)(*read[r] - PROGRAM_FIRST_VALUE);
            *read[r] = (uint16_t)(PROGRAM_FIRST_VALUE + place[value]);
            if (last[value] == i) {
                free_registers |= UINT64_C(1) << place[value];
            }
        }
        if (last[i] == i) {
            free_registers |= UINT64_C(1) << place[i]; /* Nothing needs it. */
        }
        step->target = (uint16_t)(PROGRAM_FIRST_VALUE + place[i]);
    }
    for (uint32_t i = 0; i < program->output_count; i++) {
        if (program->output[i] >= PROGRAM_FIRST_VALUE) {
            program->output[i] =
                (uint16_t)(PROGRAM_FIRST_VALUE + place[program->output[i] - PROGRAM_FIRST_VALUE]);
        }
    }
    program->print = 0;
    program->print = XXH3_64bits(program, sizeof(*program)) | 1;
    return RESULT_OK;
}
