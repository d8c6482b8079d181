#include "config/view_expression.h"

#include <stdlib.h>
#include <string.h>

#include "config/errors.h"
#include "config/scalar.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"

/* Where names are looked for. */
struct names {
    struct view_reader *reader;
    const struct node *scalar;
    uint32_t at;
    const char *text;
    bool told; /* What is wrong was reported, here or where the field is defined. */
};

struct expression_type expression_type_of_field(const struct schema_field *field)
{
    struct expression_type type = {.kind = TYPE_number, .scale = field->scale};
    switch (field->type) {
    case FIELD_TYPE_u64:
        type.kind = TYPE_unsigned;
        break;
    case FIELD_TYPE_bool:
        type.kind = TYPE_bool;
        break;
    case FIELD_TYPE_timestamp:
        type.kind = TYPE_time;
        break;
    case FIELD_TYPE_string:
        type.kind = TYPE_string;
        type.size = field->size;
        break;
    case FIELD_TYPE_u8:
    case FIELD_TYPE_u16:
    case FIELD_TYPE_u32:
    case FIELD_TYPE_i8:
    case FIELD_TYPE_i16:
    case FIELD_TYPE_i32:
    case FIELD_TYPE_i64:
    case FIELD_TYPE_f64:
    case FIELD_TYPE_decimal:
        break;
    case FIELD_TYPE_COUNT:
        UNREACHABLE();
    }
    return type;
}

static bool field_resolve(void *context, const char *name, uint32_t size, uint16_t *out_input,
                          struct expression_type *out_type)
{
    struct names *names = context;
    const struct schema *schema = names->reader->schema;
    char text[NAME_SIZE_MAX] = "";
    memcpy(text, name, size < NAME_SIZE_MAX ? size : NAME_SIZE_MAX - 1);
    uint32_t character = names->at + (uint32_t)(name - names->text);
    int field = schema_field_find(schema, name, size);
    if (field < 0) {
        names->told = true;
        return view_field_find(names->reader, names->scalar, character, text) >= 0;
    }
    if ((names->reader->fields_broken >> field & 1) != 0) {
        names->told = true;
        return false;
    }
    if (!view_field_same(names->reader, names->scalar, character, (uint32_t)field)) {
        names->told = true;
        return false;
    }
    *out_input = (uint16_t)field;
    *out_type = expression_type_of_field(&schema->field[field]);
    return true;
}

bool view_expression_check(struct view_reader *reader, const struct node *scalar, uint32_t at,
                           struct expression *expression, enum type_kind wanted)
{
    struct names names = {.reader = reader, .scalar = scalar, .at = at, .text = expression->text};
    if (reader->schema == NULL) {
        return false; /* Told where the source is named. */
    }
    if (expression_check(expression, field_resolve, &names, wanted) == RESULT_OK) {
        return true;
    }
    if (!names.told) {
        call_report(reader->config, scalar, at, expression);
    }
    return false;
}

int view_expression_field(const struct expression *expression)
{
    const struct expression_node *root = &expression->node[expression->root];
    return root->operation == OPERATION_input ? (int)root->input : -1;
}

void view_expression_tell(struct view_reader *reader, enum config_site site, uint32_t index,
                          const struct expression *value, const struct expression *where)
{
    struct config *config = reader->config;
    /* What a view reads of further streams is the same by name. */
    if (config->tell != NULL && reader->first == NULL) {
        const struct config_expression told = {
            .site = site,
            .owner = (uint16_t)reader->index,
            .index = (uint16_t)index,
            .value = value,
            .where = where,
        };
        config->tell(config->tell_context, config, &told);
    }
}

/* A hash of text without what has no meaning: spaces outside strings. */
static uint64_t print_of(const struct expression *expression, uint64_t print)
{
    char text[EXPRESSION_SIZE_MAX];
    uint32_t size = 0;
    bool quoted = false;
    const struct expression_node *root = &expression->node[expression->root];
    for (uint32_t i = root->at; i < (uint32_t)root->at + root->size; i++) {
        char c = expression->text[i];
        quoted ^= c == '\'';
        bool space = c == ' ' || c == '\t' || c == '\n';
        if (quoted || !space) {
            text[size++] = c;
        } else if (size > 0 && text[size - 1] != ' ') {
            text[size++] = ' ';
        }
    }
    return XXH3_64bits_withSeed(text, size, print);
}

static uint64_t print_nonzero(uint64_t print)
{
    return print == 0 ? 1 : print;
}

static struct plan_stream *stream_of(struct view_reader *reader)
{
    return &reader->config->plan.stream[reader->view->stream];
}

/* The literal of a LIKE or REGEXP: where it stands. */
static const struct expression_node *literal_of(const struct expression *expression, uint32_t node)
{
    return &expression->node[expression->argument[expression->node[node].argument_first + 1]];
}

/* Refuses what no REGEXP may be; false after reporting. */
static bool patterns_read(struct view_reader *reader, const struct node *scalar, uint32_t at,
                          const struct expression *expression)
{
    struct regex_error error;
    for (uint32_t i = 0; i < expression->node_count; i++) {
        const struct expression_node *node = &expression->node[i];
        if (node->operation != OPERATION_regexp || !node->checked) {
            continue;
        }
        const struct expression_node *text =
            &expression->node[expression->argument[node->argument_first]];
        const struct expression_node *literal = literal_of(expression, i);
        if (text->operation != OPERATION_input) {
            error_inside(reader->config, scalar, at + text->at,
                         "REGEXP looks at a string field alone; LIKE looks at any string");
            return false;
        }
        if (!regex_from_text(expression->string + literal->literal.string.offset,
                             literal->literal.string.size, NULL, &error)) {
            error_inside(reader->config, scalar, at + literal->at, "REGEXP, at its byte %u: %s",
                         error.at + 1, error.why);
            return false;
        }
    }
    return true;
}

/* Compiles patterns from number first on; false after reporting. */
static bool patterns_try(struct view_reader *reader, const struct node *scalar, uint32_t at,
                         uint32_t first)
{
    const struct pattern_table *table = &stream_of(reader)->patterns;
    char why[CONFIG_PATTERN_ERROR_MAX];
    for (uint32_t i = first; reader->config->pattern_try != NULL && i < table->count; i++) {
        if (!reader->config->pattern_try(table, i, 1, why)) {
            error_inside(reader->config, scalar, at, "the pattern '%.*s' cannot be compiled: %s",
                         table->pattern[i].size, table->text + table->pattern[i].text, why);
            return false;
        }
    }
    return true;
}

/* Puts an output into the stream's program; false after reporting. */
static bool output_add(struct view_reader *reader, const struct node *scalar, uint32_t at,
                       const struct expression *value, const struct expression *where,
                       struct plan_output output)
{
    struct plan_stream *stream = stream_of(reader);
    uint32_t place;
    uint32_t pattern_first = stream->patterns.count;
    if (!patterns_read(reader, scalar, at, value) ||
        (where != NULL && !patterns_read(reader, scalar, at, where))) {
        return false;
    }
    if (program_add(&stream->program, &stream->patterns, value, where, &place) != RESULT_OK) {
        error_inside(
            reader->config, scalar, at,
            "the expressions on stream `%s` are too much with this one: at most %u "
            "operations, %u literals, %u results and %d patterns are allowed in all its views",
            stream->schema.name, PROGRAM_STEPS_MAX, PROGRAM_CONSTANTS_MAX, PROGRAM_OUTPUTS_MAX,
            PATTERNS_MAX);
        return false;
    }
    stream->output[place] = output;
    return patterns_try(reader, scalar, at, pattern_first);
}

/* The column's type as a field has it. */
static struct schema_field field_of_type(const struct schema *schema,
                                         const struct expression *value)
{
    struct expression_type type = value->node[value->root].type;
    struct schema_field field = {.optional = true, .scale = type.scale, .size = 8};
    int same = view_expression_field(value);
    if (same >= 0) { /* It is printed as the field is, with or without `where`. */
        field = schema->field[same];
        field.optional = true;
        return field;
    }
    switch (type.kind) {
    case TYPE_bool:
        field.type = FIELD_TYPE_bool;
        break;
    case TYPE_unsigned:
        field.type = FIELD_TYPE_u64;
        break;
    case TYPE_time:
        field.type = FIELD_TYPE_timestamp;
        break;
    case TYPE_number:
        field.type = type.scale > 0 ? FIELD_TYPE_decimal : FIELD_TYPE_i64;
        break;
    case TYPE_null:
    case TYPE_double:
    case TYPE_string:
        UNREACHABLE();
    }
    return field;
}

int view_expression_add(struct view_reader *reader, const struct node *scalar, uint32_t at,
                        const struct expression *value, const struct expression *where,
                        uint64_t *out_print)
{
    struct schema *schema = &stream_of(reader)->schema;
    enum type_kind kind = value->node[value->root].type.kind;
    if (kind == TYPE_double) {
        error_inside(reader->config, scalar, at,
                     "a double cannot be aggregated exactly; say how many digits count, as "
                     "CAST(a / b AS decimal(6))");
        return -1;
    }
    if (kind == TYPE_string && view_expression_field(value) < 0) {
        error_inside(reader->config, scalar, at,
                     "a string that is computed cannot be aggregated; a field, with or without a "
                     "`where`, is allowed");
        return -1;
    }
    uint32_t field = (uint32_t)schema->field_count + schema->computed_count;
    if (field >= FIELDS_MAX) {
        error_inside(reader->config, scalar, at,
                     "stream `%s` has %u fields and computed inputs; at most %d are allowed",
                     schema->name, field + 1, FIELDS_MAX);
        return -1;
    }
    const struct plan_output output = {.place = (uint8_t)field};
    if (!output_add(reader, scalar, at, value, where, output)) {
        return -1;
    }
    schema->field[field] = field_of_type(schema, value);
    schema->computed_count++;
    *out_print = print_of(value, 0);
    *out_print = print_nonzero(where == NULL ? *out_print : print_of(where, *out_print));
    return (int)field;
}

void view_where_read(struct view_reader *reader, const struct node *scalar)
{
    if (!scalar_is(reader->config, scalar, "`where`")) {
        return;
    }
    struct expression *condition = malloc(sizeof(*condition));
    if (condition == NULL) {
        error_at(reader->config, scalar, "the machine gave no memory for it");
        return;
    }
    if (expression_parse(scalar->text, (uint32_t)scalar->size, condition, NULL) != RESULT_OK) {
        call_report(reader->config, scalar, 0, condition);
    } else if (view_expression_check(reader, scalar, 0, condition, TYPE_bool)) {
        const struct plan_output output = {.is_condition = true, .view = (uint16_t)reader->index};
        reader->view->filtered = output_add(reader, scalar, 0, condition, NULL, output);
        reader->view->where_print = print_nonzero(print_of(condition, 0));
        view_expression_tell(reader, CONFIG_SITE_WHERE, 0, condition, NULL);
    }
    free(condition);
}
