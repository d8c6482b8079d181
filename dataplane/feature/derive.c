#include "dataplane/feature/derive.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/exact.h"

struct expression_type derive_type_of(const struct plan_aggregate *aggregate,
                                      const struct schema *schema)
{
    struct expression_type type = {.kind = TYPE_double};
    enum aggregate_kind kind = aggregate->kind;
    bool value = kind == AGGREGATE_min || kind == AGGREGATE_max || kind == AGGREGATE_first ||
                 kind == AGGREGATE_last || kind == AGGREGATE_quantile;
    if (aggregate_is_list(aggregate)) {
        type.kind = TYPE_null;
        return type;
    }
    if (kind == AGGREGATE_count || kind == AGGREGATE_distinct ||
        kind == AGGREGATE_approx_distinct) {
        type.kind = TYPE_number;
        return type;
    }
    if (aggregate->field == FIELD_NONE) {
        return type; /* Of a definition that is wrong: what it would be is not known. */
    }
    const struct schema_field *field = &schema->field[aggregate->field];
    if ((!value && kind != AGGREGATE_sum && kind != AGGREGATE_sumsq) ||
        field->type == FIELD_TYPE_f64) {
        return type;
    }
    uint32_t scale = kind == AGGREGATE_sumsq ? 2u * field->scale : field->scale;
    if (scale > SCALE_MAX) {
        return type; /* Its digits do not fit: as a double. */
    }
    type = (struct expression_type){.kind = TYPE_number, .scale = (uint8_t)scale};
    if (value && field->type == FIELD_TYPE_string) {
        type = (struct expression_type){.kind = TYPE_string, .size = field->size};
    } else if (value && field->type == FIELD_TYPE_bool) {
        type.kind = TYPE_bool;
    } else if (value && field->type == FIELD_TYPE_timestamp) {
        type.kind = TYPE_time;
    } else if (value && field->type == FIELD_TYPE_u64) {
        type.kind = TYPE_unsigned;
    }
    return type;
}

/* The low word, when the number is no wider. */
static bool wide_fits(const struct wide *wide, bool is_unsigned, int64_t *out_value)
{
    uint64_t high = is_unsigned ? 0 : (uint64_t)((int64_t)wide->word[0] >> 63);
    *out_value = (int64_t)wide->word[0];
    return wide->word[1] == high && wide->word[2] == high && wide->word[3] == high;
}

bool derive_word(const struct answer *answer, struct expression_type type, int64_t *out_word)
{
    *out_word = 0;
    switch (answer->kind) {
    case VALUE_NULL:
        return false;
    case VALUE_BOOL:
        *out_word = (int64_t)answer->number.word[0];
        return true;
    case VALUE_STRING:
        *out_word = string_word(answer->text, answer->text_size);
        return true;
    case VALUE_DOUBLE:
        memcpy(out_word, &answer->real, sizeof(*out_word));
        return true;
    case VALUE_LIST: /* config/ lets none in. */
        return false;
    case VALUE_NUMBER:
        break;
    }
    if (type.kind == TYPE_double) {
        double real = exact_scaled(answer->number, answer->scale);
        memcpy(out_word, &real, sizeof(*out_word));
        return true;
    }
    return wide_fits(&answer->number, type.kind == TYPE_unsigned, out_word);
}

void derive_run(const struct plan_view *view, const struct answer *input,
                struct program_space *space)
{
    const struct program *program = &view->derived_program;
    program_enter(program, space, 1);
    for (uint32_t i = 0; i < program->input_count; i++) {
        int64_t *word = space->string[i];
        bool there = derive_word(&input[i], program->input_type[i], word);
        bool known = input[i].status != ANSWER_NOT_FOUND;
        /* What is wider than a number holds is null, and counts. */
        space->fault[PROGRAM_FAULT_overflow] +=
            known && !there && input[i].kind != VALUE_NULL ? 1 : 0;
        space->column[i] = (struct program_column){.value = word, .null = there ? 0 : 1};
    }
    program_run(program, space, 1);
}

void derive_value(struct answer *answer, struct expression_type type, int64_t word)
{
    switch (type.kind) {
    case TYPE_bool:
        answer->kind = VALUE_BOOL;
        answer->number = wide_from_u64((uint64_t)word);
        return;
    case TYPE_double:
        answer->kind = VALUE_DOUBLE;
        memcpy(&answer->real, &word, sizeof(answer->real));
        return;
    case TYPE_string:
        answer->kind = VALUE_STRING;
        answer->text = string_word_text(word);
        answer->text_size = string_word_size(word);
        return;
    case TYPE_unsigned:
        answer->kind = VALUE_NUMBER;
        answer->number = wide_from_u64((uint64_t)word);
        return;
    case TYPE_number:
    case TYPE_time:
        answer->kind = VALUE_NUMBER;
        answer->scale = type.scale;
        answer->number = wide_from_i64(word);
        return;
    case TYPE_null:
        break;
    }
    UNREACHABLE();
}

void derive_answer(const struct plan_view *view, uint32_t derived, const struct answer *input,
                   const struct program_space *space, struct answer *out_answer)
{
    const struct program *program = &view->derived_program;
    uint64_t rest = view->derived[derived].inputs;
    ASSERT(rest != 0);
    const struct answer *first = &input[__builtin_ctzll(rest)];
    *out_answer = (struct answer){.start_us = first->start_us,
                                  .end_us = first->end_us,
                                  .newest_us = first->newest_us,
                                  .q_us = first->q_us,
                                  .shard = first->shard,
                                  .lsn = first->lsn,
                                  .status = first->status};
    for (; rest != 0; rest &= rest - 1) {
        const struct answer *answer = &input[__builtin_ctzll(rest)];
        out_answer->flags |= answer->flags;
        out_answer->start_us =
            answer->start_us < out_answer->start_us ? answer->start_us : out_answer->start_us;
        out_answer->end_us =
            answer->end_us > out_answer->end_us ? answer->end_us : out_answer->end_us;
    }
    const struct program_column *column = &space->column[program->output[derived]];
    if ((column->null & 1) == 0) {
        struct expression_type type = program->output_type[derived];
        derive_value(out_answer, type, program_column_word(column, type, 0));
    }
    out_answer->status = out_answer->kind == VALUE_NULL ? ANSWER_NULL_VALUE : ANSWER_PRESENT;
}
