#include "dataplane/feature/service.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/derive.h"

struct expression_type service_feature_type(const struct plan *plan, uint32_t view, uint32_t place)
{
    const struct plan_view *v = &plan->view[view];
    uint32_t base_count = (uint32_t)v->aggregate_count * v->window_count;
    if (place >= base_count) {
        return v->derived_program.output_type[place - base_count];
    }
    return derive_type_of(&v->aggregate[place / v->window_count], &plan->stream[v->stream].schema);
}

/* Place of the entity among the service's; SERVICE_ENTITIES_MAX: there are too many. */
static uint16_t entity_place(const struct plan *plan, struct plan_service *service, uint16_t view)
{
    for (uint16_t e = 0; e < service->entity_count; e++) {
        if (strcmp(plan->view[service->entity[e]].entity, plan->view[view].entity) == 0) {
            return e;
        }
    }
    if (service->entity_count == SERVICE_ENTITIES_MAX) {
        return SERVICE_ENTITIES_MAX;
    }
    service->entity[service->entity_count] = view;
    return service->entity_count++;
}

enum result service_finish(const struct plan *plan, struct plan_service *service)
{
    service->entity_count = 0;
    for (uint32_t i = 0; i < service->read_count; i++) {
        struct plan_service_read *read = &service->read[i];
        read->feature = (uint16_t)(plan->view[read->view].feature_first + read->place);
        read->entity = entity_place(plan, service, read->view);
        if (read->entity == SERVICE_ENTITIES_MAX) {
            return RESULT_NO_SPACE;
        }
    }
    return program_finish(&service->program) == RESULT_OK ? RESULT_OK : RESULT_UNSUPPORTED;
}

static uint64_t print_number(uint64_t print, uint64_t number)
{
    return XXH3_64bits_withSeed(&number, sizeof(number), print);
}

static uint64_t print_text(uint64_t print, const char *text, uint64_t size)
{
    return XXH3_64bits_withSeed(text, size, print_number(print, size));
}

static uint64_t print_type(uint64_t print, struct expression_type type)
{
    return print_number(print, (uint64_t)type.kind << 32 | (uint64_t)type.size << 8 | type.scale);
}

/* Member by member: program.print has the padding between them too, which differs from one process
 * to the next. */
static uint64_t print_program(uint64_t print, const struct program *program)
{
    for (uint32_t i = 0; i < program->input_count; i++) {
        print = print_type(print_number(print, program->input[i]), program->input_type[i]);
    }
    for (uint32_t i = 0; i < program->constant_count; i++) {
        print = print_number(print, (uint64_t)program->constant[i]);
        print = print_number(print_type(print, program->constant_type[i]),
                             program->constant_null >> i & 1);
    }
    for (uint32_t i = 0; i < program->step_count; i++) {
        const struct program_step *step = &program->step[i];
        print = print_number(print, (uint64_t)step->target << 48 | (uint64_t)step->a << 32 |
                                        (uint64_t)step->b << 16 | step->c);
        print = print_number(print, (uint64_t)step->code << 16 | step->active);
        print = print_number(print, (uint64_t)step->immediate);
    }
    for (uint32_t i = 0; i < program->output_count; i++) {
        print = print_type(print_number(print, program->output[i]), program->output_type[i]);
    }
    return print_text(print, program->string, program->string_size);
}

static uint64_t print_read(uint64_t print, const struct plan *plan,
                           const struct plan_service_read *read)
{
    const struct plan_view *view = &plan->view[read->view];
    print = print_number(print, view->fingerprint);
    print = print_program(print, &view->derived_program);
    print = print_number(print, (uint64_t)view->ttl_us << 1 | view->leading_newest);
    print = print_number(print, (uint64_t)view->session_late_us);
    for (uint32_t i = 0; i < plan_source_count(view); i++) {
        const struct plan_stream *stream = &plan->stream[plan_source_stream(view, i)];
        print = print_number(print, (uint64_t)stream->history_us);
    }
    return print_number(print, (uint64_t)read->place << 16 | read->item);
}

static uint64_t print_item(uint64_t print, const struct plan_service_item *item)
{
    const struct plan_default *otherwise = &item->otherwise;
    print = print_text(print, item->name, strlen(item->name));
    print = print_number(print, (uint64_t)item->source << 1 | item->is_computed);
    print = print_number(print, (uint64_t)item->max_age_us);
    if (!otherwise->given) {
        return print_number(print, 0);
    }
    print = print_number(print_type(print, otherwise->type), 1);
    return otherwise->type.kind == TYPE_string ? print_text(print, otherwise->text, otherwise->size)
                                               : print_number(print, (uint64_t)otherwise->word);
}

uint64_t service_fingerprint(const struct plan *plan, const struct plan_service *service)
{
    uint64_t print = print_text(service->version, service->name, strlen(service->name));
    print = print_program(print, &service->program);
    for (uint32_t i = 0; i < service->read_count; i++) {
        print = print_read(print, plan, &service->read[i]);
    }
    for (uint32_t i = 0; i < service->item_count; i++) {
        print = print_item(print, &service->item[i]);
    }
    for (uint32_t i = 0; i < service->request_count; i++) {
        const struct schema_field *field = &service->request[i];
        print = print_text(print, field->name, strlen(field->name));
        print = print_number(print, (uint64_t)field->type << 32 | (uint64_t)field->size << 8 |
                                        field->scale);
    }
    return print;
}

int service_find(const struct plan *plan, const char *name, uint32_t size)
{
    for (uint32_t i = 0; i < plan->service_count; i++) {
        const char *known = plan->service[i].name;
        if (strlen(known) == size && memcmp(known, name, size) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static const struct answer *read_of(const struct service_run *run, uint32_t read, uint32_t row)
{
    return &run->answer[run->base[read] + row * run->step[read]];
}

static void default_take(const struct plan_service_item *item, struct answer *answer)
{
    const struct plan_default *otherwise = &item->otherwise;
    if (answer->kind != VALUE_NULL || !otherwise->given) {
        return;
    }
    if (otherwise->type.kind == TYPE_string) {
        answer->kind = VALUE_STRING;
        answer->text = otherwise->text;
        answer->text_size = otherwise->size;
    } else {
        derive_value(answer, otherwise->type, otherwise->word);
    }
}

static bool too_old(const struct answer *answer, int64_t max_age_us)
{
    return max_age_us > 0 && answer->status != ANSWER_NOT_FOUND && answer->newest_us != INT64_MIN &&
           (__int128)answer->q_us - answer->newest_us > max_age_us;
}

/* What is answered for a read, and computed with. */
static void read_answer_of(const struct service_run *run, uint32_t read, uint32_t row,
                           struct answer *out_answer)
{
    *out_answer = *read_of(run, read, row);
    uint32_t index = run->service->read[read].item;
    if (index == SERVICE_ITEM_NONE) {
        return;
    }
    const struct plan_service_item *item = &run->service->item[index];
    if (too_old(out_answer, item->max_age_us)) {
        out_answer->status = ANSWER_OUTSIDE_MAX_AGE;
        out_answer->kind = VALUE_NULL;
    }
    default_take(item, out_answer);
}

/* Fills a column of the program; false: the row's value is null. */
static bool input_word(const struct service_run *run, uint32_t input, uint32_t row,
                       int64_t *out_word)
{
    const struct program *program = &run->service->program;
    uint32_t number = program->input[input];
    if (number >= SERVICE_INPUT_REQUEST) {
        uint32_t field = number - SERVICE_INPUT_REQUEST;
        *out_word = run->request[field];
        return (run->request_null >> field & 1) == 0;
    }
    struct answer answer;
    read_answer_of(run, number, row, &answer);
    return derive_word(&answer, program->input_type[input], out_word);
}

void service_compute(struct service_run *run, uint32_t first, uint32_t count)
{
    const struct program *program = &run->service->program;
    struct program_space *space = run->space;
    ASSERT(count <= PROGRAM_ROWS);
    if (program->output_count == 0) {
        return;
    }
    program_enter(program, space, count);
    for (uint32_t i = 0; i < program->input_count; i++) {
        uint64_t null = 0;
        for (uint32_t r = 0; r < count; r++) {
            bool there = input_word(run, i, first + r, &space->string[i][r]);
            null |= (uint64_t)!there << r;
        }
        space->column[i] = (struct program_column){.value = space->string[i], .null = null};
    }
    program_run(program, space, count);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* When and from what a value was computed. */
static void inputs_gather(const struct service_run *run, uint64_t inputs, uint32_t row,
                          struct answer *answer)
{
    const struct program *program = &run->service->program;
    bool any = false;
    for (uint64_t rest = inputs; rest != 0; rest &= rest - 1) {
        uint32_t number = program->input[__builtin_ctzll(rest)];
        if (number >= SERVICE_INPUT_REQUEST) {
            continue;
        }
        const struct answer *input = read_of(run, number, row);
        answer->flags |= input->flags;
        answer->start_us = any ? least(answer->start_us, input->start_us) : input->start_us;
        answer->end_us = any ? most(answer->end_us, input->end_us) : input->end_us;
        answer->q_us = any ? most(answer->q_us, input->q_us) : input->q_us;
        if (!any || input->newest_us > answer->newest_us) {
            answer->newest_us = input->newest_us;
            answer->shard = input->shard;
            answer->lsn = input->lsn;
        }
        any = true;
    }
    if (!any) { /* Of the request alone. */
        const struct answer *other = read_of(run, 0, row);
        answer->start_us = other->q_us;
        answer->end_us = other->q_us;
        answer->q_us = other->q_us;
    }
}

void service_answer(const struct service_run *run, uint32_t first, uint32_t row, uint32_t item,
                    struct answer *out_answer)
{
    const struct plan_service_item *asked = &run->service->item[item];
    if (!asked->is_computed) {
        read_answer_of(run, asked->source, row, out_answer);
        return;
    }
    const struct program *program = &run->service->program;
    const struct program_column *column = &run->space->column[program->output[asked->source]];
    *out_answer = (struct answer){.status = ANSWER_NULL_VALUE, .newest_us = INT64_MIN};
    inputs_gather(run, asked->inputs, row, out_answer);
    if ((column->null >> (row - first) & 1) == 0) {
        struct expression_type type = program->output_type[asked->source];
        derive_value(out_answer, type, program_column_word(column, type, row - first));
        out_answer->status = ANSWER_PRESENT;
    }
    default_take(asked, out_answer);
}
