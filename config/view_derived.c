/* `derived:` of a view: expressions over its own features. */
#include <stdlib.h>
#include <string.h>

#include "config/errors.h"
#include "config/scalar.h"
#include "config/suggest.h"
#include "config/view_expression.h"
#include "dataplane/feature/derive.h"

/* Where names are looked for, and what was found. */
struct names {
    struct view_reader *reader;
    const struct node *scalar;
    const char *text;
    bool told;
};

void view_feature_name(const struct plan_view *view, uint32_t aggregate, uint32_t window,
                       char out[FEATURE_NAME_SIZE_MAX])
{
    const struct plan_window *w = &view->window[window];
    size_t size = strlen(view->aggregate[aggregate].name);
    memcpy(out, view->aggregate[aggregate].name, size);
    out[size] = '\0';
    if (w->kind != WINDOW_LIFETIME) {
        out[size] = '_';
        memcpy(out + size + 1, w->name, strlen(w->name) + 1);
    }
}

static bool feature_resolve(void *context, const char *name, uint32_t size, uint16_t *out_input,
                            struct expression_type *out_type)
{
    struct names *names = context;
    const struct plan_view *view = names->reader->view;
    static _Thread_local char known[AGGREGATES_MAX * WINDOWS_MAX][FEATURE_NAME_SIZE_MAX];
    char wanted[FEATURE_NAME_SIZE_MAX] = "";
    memcpy(wanted, name, size < sizeof(wanted) ? size : sizeof(wanted) - 1);
    struct suggest suggest = suggest_for(wanted);
    for (uint32_t a = 0; a < view->aggregate_count; a++) {
        for (uint32_t w = 0; w < view->window_count; w++) {
            uint32_t index = a * view->window_count + w;
            view_feature_name(view, a, w, known[index]);
            if (strlen(known[index]) == size && memcmp(known[index], name, size) == 0) {
                const struct plan_aggregate *aggregate = &view->aggregate[a];
                if (aggregate->field == FIELD_NONE && aggregate->kind != AGGREGATE_count) {
                    names->told = true; /* Where the aggregate stands. */
                    return false;
                }
                *out_input = (uint16_t)index;
                *out_type = derive_type_of(aggregate, names->reader->schema);
                if (aggregate_is_list(aggregate)) {
                    names->told = true;
                    error_inside(names->reader->config, names->scalar,
                                 (uint32_t)(name - names->text),
                                 "`%.80s` is a list; expressions take single values", wanted);
                    return false;
                }
                return true;
            }
            suggest_try(&suggest, known[index]);
        }
    }
    char near[SUGGEST_TEXT_SIZE_MAX];
    names->told = true;
    error_inside(names->reader->config, names->scalar, (uint32_t)(name - names->text),
                 "`%.80s` is no feature of view `%s`%s", wanted, view->name,
                 suggest_text(&suggest, near));
    return false;
}

static bool name_is_free(struct view_reader *reader, const struct node *item, const char *name)
{
    const struct plan_view *view = reader->view;
    char known[FEATURE_NAME_SIZE_MAX];
    for (uint32_t a = 0; a < view->aggregate_count; a++) {
        for (uint32_t w = 0; w < view->window_count; w++) {
            view_feature_name(view, a, w, known);
            if (strcmp(known, name) == 0) {
                error_at(reader->config, item->key,
                         "`%s` is the name of aggregate `%s` over a window; rename one", name,
                         view->aggregate[a].name);
                return false;
            }
        }
    }
    return true;
}

static void derived_read(struct view_reader *reader, const struct node *item,
                         struct expression *expression)
{
    struct plan_view *view = reader->view;
    struct plan_derived *derived = &view->derived[view->derived_count];
    struct names names = {.reader = reader, .scalar = item, .text = item->text};
    uint32_t place;
    if (!scalar_read_name(reader->config, item->key, "a derived feature's name", derived->name) ||
        !name_is_free(reader, item, derived->name) ||
        !scalar_is(reader->config, item, "a derived feature")) {
        return;
    }
    if (expression_parse(item->text, (uint32_t)item->size, expression, NULL) != RESULT_OK ||
        expression_check(expression, feature_resolve, &names, TYPE_null) != RESULT_OK) {
        if (!names.told) {
            call_report(reader->config, item, 0, expression);
        }
        return;
    }
    if (!call_check_at_read(reader->config, item, expression)) {
        return;
    }
    if (program_add(&view->derived_program, NULL, expression, NULL, &place) != RESULT_OK) {
        error_at(reader->config, item,
                 "the derived features of view `%s` are too much with this one: at most %u "
                 "operations, %u literals and %u inputs are allowed in all of them",
                 view->name, PROGRAM_STEPS_MAX, PROGRAM_CONSTANTS_MAX, PROGRAM_INPUTS_MAX);
        return;
    }
    derived->inputs = program_inputs_of(&view->derived_program, expression);
    if (derived->inputs == 0) {
        error_at(reader->config, item,
                 "`%s` reads no feature, so it is the same for everyone; name at least one",
                 derived->name);
        return;
    }
    view_expression_tell(reader, CONFIG_SITE_DERIVED, view->derived_count, expression, NULL);
    view->derived_count++;
}

void view_derived_read(struct view_reader *reader, const struct node *map)
{
    if (map->kind == NODE_BROKEN || reader->schema == NULL) {
        return;
    }
    if (map->kind != NODE_MAP || map->size == 0) {
        error_at(reader->config, map, "`derived` is a map of names, as share: sum_1h / sum_1d");
        return;
    }
    if (map->size > DERIVED_MAX) {
        error_at(reader->config, map->key, "%u derived features; at most %d are allowed", map->size,
                 DERIVED_MAX);
        return;
    }
    struct expression *expression = malloc(sizeof(*expression));
    if (expression == NULL) {
        error_at(reader->config, map->key, "the machine gave no memory for it");
        return;
    }
    uint32_t before = reader->config->error_count;
    for (const struct node *item = map->first; item != NULL; item = item->next) {
        if (reader->config->error_count == before) {
            derived_read(reader, item, expression);
        }
    }
    free(expression);
}
