/* What no definition can break alone: rules between views and streams. */
#include <string.h>

#include "config/errors.h"
#include "config/loader.h"
#include "config/scalar.h"
#include "config/suggest.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/row.h"
#include "dataplane/feature/service.h"

/* Parts of a key that mean the same bytes and the same text. */
enum key_class { KEY_UNSIGNED, KEY_SIGNED, KEY_BOOL, KEY_STRING };

static const char *const key_class_names[] = {"unsigned integer", "signed integer", "bool",
                                              "string"};

static enum key_class key_class_of(enum field_type type)
{
    switch (type) {
    case FIELD_TYPE_u8:
    case FIELD_TYPE_u16:
    case FIELD_TYPE_u32:
    case FIELD_TYPE_u64:
        return KEY_UNSIGNED;
    case FIELD_TYPE_bool:
        return KEY_BOOL;
    case FIELD_TYPE_string:
        return KEY_STRING;
    case FIELD_TYPE_i8:
    case FIELD_TYPE_i16:
    case FIELD_TYPE_i32:
    case FIELD_TYPE_i64:
    case FIELD_TYPE_f64:
    case FIELD_TYPE_decimal:
    case FIELD_TYPE_timestamp:
    case FIELD_TYPE_COUNT:
        break;
    }
    return KEY_SIGNED;
}

static enum key_class part_class(const struct plan *plan, const struct plan_view *view,
                                 uint32_t part)
{
    return key_class_of(plan->stream[view->stream].schema.field[view->key_field[part]].type);
}

/* One entity, one key type: compares with the first view of the same entity. */
static void entity_check(struct loader *loader, uint32_t index)
{
    struct config *config = loader->config;
    const struct plan_view *view = &config->plan.view[index];
    for (uint32_t i = 0; i < index && loader->view_usable[index]; i++) {
        const struct plan_view *other = &config->plan.view[i];
        if (!loader->view_usable[i] || strcmp(view->entity, other->entity) != 0) {
            continue;
        }
        const struct node *here = loader->view_key_node[index];
        const struct node *there = loader->view_key_node[i];
        if (view->key_count != other->key_count) {
            error_at(config, here,
                     "entity `%s` has %u key fields here and %u at %s:%u:%u; one entity "
                     "has one key type",
                     view->entity, view->key_count, other->key_count, there->file, there->line,
                     there->column);
            return;
        }
        for (uint32_t part = 0; part < view->key_count; part++) {
            enum key_class mine = part_class(&config->plan, view, part);
            enum key_class first = part_class(&config->plan, other, part);
            if (mine != first) {
                error_at(config, here,
                         "entity `%s` has a key of type %s here and %s at %s:%u:%u; one "
                         "entity has one key type",
                         view->entity, key_class_names[mine], key_class_names[first], there->file,
                         there->line, there->column);
                return;
            }
        }
        return;
    }
}

static void shard_by_read(struct loader *loader, uint32_t index)
{
    struct config *config = loader->config;
    struct plan_stream *stream = &config->plan.stream[index];
    const struct node *entity = loader->stream_shard_by_node[index];
    if (entity == NULL || !scalar_is(config, entity, "`shard_by`")) {
        return;
    }
    struct suggest suggest = suggest_for(entity->text);
    for (uint32_t i = 0; i < config->plan.view_count; i++) {
        const struct plan_view *view = &config->plan.view[i];
        if (!plan_view_reads(view, index) || !loader->view_usable[i]) {
            continue;
        }
        if (strcmp(view->entity, entity->text) == 0) {
            stream->shard_by = (int16_t)i;
            return;
        }
        suggest_try(&suggest, view->entity);
    }
    char near[SUGGEST_TEXT_SIZE_MAX];
    error_at(config, entity,
             "`shard_by` is `%.64s`; the entity of a view of this stream is allowed%s",
             entity->text, suggest_text(&suggest, near));
}

static void views_per_stream_check(struct loader *loader)
{
    struct config *config = loader->config;
    uint32_t count[STREAMS_MAX] = {0};
    for (uint32_t i = 0; i < config->plan.view_count; i++) {
        const struct plan_view *view = &config->plan.view[i];
        for (uint32_t s = 0; loader->view_usable[i] && s < plan_source_count(view); s++) {
            uint32_t stream = plan_source_stream(view, s);
            if (++count[stream] == VIEWS_PER_STREAM_MAX + 1) {
                error_at(config, loader->view_node[i],
                         "stream `%s` feeds more than %d views; at most "
                         "that many are allowed",
                         config->plan.stream[stream].schema.name, VIEWS_PER_STREAM_MAX);
            }
        }
    }
}

void across_check(struct loader *loader)
{
    for (uint32_t i = 0; i < loader->config->plan.view_count; i++) {
        entity_check(loader, i);
    }
    for (uint32_t i = 0; i < loader->config->plan.stream_count; i++) {
        shard_by_read(loader, i);
    }
    views_per_stream_check(loader);
}

/* Bytes of the worst row, also where the plan's own figures stop at their limits. */
static uint64_t worst_row_bytes(const struct plan_view *view)
{
    uint64_t words = (uint64_t)view->cells_max * view->cell_words;
    if (view->exact_us > 0) {
        words += ((uint64_t)row_singles_most(view) + 1) * view->single_words;
    }
    return (row_head_lines(view, view->key_size_max) + div_ceil(words, LINE_WORDS)) *
           CACHE_LINE_BYTES;
}

/* A window of events whose events are too large; NULL: none is. */
static const struct plan_window *window_too_large(const struct plan_view *view)
{
    for (uint32_t i = 0; i < view->window_count; i++) {
        if (view->window[i].kind == WINDOW_EVENTS &&
            view->window[i].events > RUN_WORDS_MAX / view->single_words) {
            return &view->window[i];
        }
    }
    return NULL;
}

static void finish_report(struct loader *loader, int index)
{
    struct config *config = loader->config;
    const struct node *at = loader->view_node[index < 0 ? 0 : index];
    if (config->plan.feature_count == FEATURES_MAX) {
        error_at(config, at,
                 "all views together have more than %d features; use fewer windows or "
                 "aggregates",
                 FEATURES_MAX);
    } else if (index >= 0 && window_too_large(&config->plan.view[index]) != NULL) {
        const struct plan_view *view = &config->plan.view[index];
        error_at(config, at,
                 "view `%s`: window `%s` keeps whole events, of %u bytes here; at most %u are "
                 "allowed",
                 at->text, window_too_large(view)->name, view->single_words * 8,
                 RUN_WORDS_MAX / view->single_words);
    } else if (index >= 0 && config->plan.view[index].run_count == RUNS_MAX) {
        error_at(config, at,
                 "view `%s` needs more than %d runs (lists, categories, different values, "
                 "quantiles, sessions, windows of events); split it into two views",
                 at->text, RUNS_MAX);
    } else {
        error_at(config, at,
                 "view `%s` needs more than %d accumulators, or %d for one category; use fewer "
                 "aggregates, or split it into two views",
                 at->text, ACCUMULATORS_MAX, RUN_PARTS_MAX);
    }
}

static void services_finish(struct loader *loader)
{
    struct plan *plan = &loader->config->plan;
    for (uint32_t i = 0; i < plan->service_count; i++) {
        enum result result = service_finish(plan, &plan->service[i]);
        if (result == RESULT_NO_SPACE) {
            error_at(loader->config, loader->service_node[i],
                     "service `%s` reads more than %d entities; split it", plan->service[i].name,
                     SERVICE_ENTITIES_MAX);
        } else if (result != RESULT_OK) {
            error_at(loader->config, loader->service_node[i],
                     "the values of service `%s` need more than %u values at a time; split the "
                     "longest, or use fewer",
                     plan->service[i].name, PROGRAM_REGISTERS_MAX);
        }
    }
}

/* What only the compiled plan shows. */
void across_finish(struct loader *loader)
{
    struct config *config = loader->config;
    int index = -1;
    enum result result = plan_finish(&config->plan, &index);
    if (result == RESULT_UNSUPPORTED) {
        error_at(config, loader->view_node[index],
                 "the expressions on stream `%s` need more than %u values at a time; split the "
                 "longest, or use fewer",
                 config->plan.stream[config->plan.view[index].stream].schema.name,
                 PROGRAM_REGISTERS_MAX);
        return;
    }
    if (result != RESULT_OK) {
        finish_report(loader, index);
        return;
    }
    for (uint32_t i = 0; i < config->plan.view_count; i++) {
        uint64_t worst = worst_row_bytes(&config->plan.view[i]);
        if (config->plan.view[i].key_size_max > ROW_KEY_SIZE_MAX) {
            error_at(config, loader->view_key_node[i],
                     "a key of view `%s` could have %u bytes; at most %u are allowed: make a "
                     "string shorter",
                     config->plan.view[i].name, config->plan.view[i].key_size_max,
                     ROW_KEY_SIZE_MAX);
        }
        if (worst > ROW_SIZE_MAX) {
            error_at(config, loader->view_node[i],
                     "a row of view `%s` could grow beyond %llu KiB; "
                     "use a coarser `ladder`, shorter windows, fewer aggregates, or a smaller "
                     "`raw_cap`",
                     config->plan.view[i].name, (unsigned long long)(ROW_SIZE_MAX / KIB));
        } else if (config->plan.view[i].cells_max >= ROW_CELLS_MAX) {
            error_at(config, loader->view_node[i],
                     "a row of view `%s` could have %u tiles, more than %u; use a coarser "
                     "`ladder`, or shorter windows",
                     config->plan.view[i].name, config->plan.view[i].cells_max, ROW_CELLS_MAX - 1);
        }
    }
    services_finish(loader);
}
