/* freshet check: what is wrong with definition files, else what their views cost. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "config/check.h"
#include "config/config.h"
#include "controlplane/definitions.h"
#include "controlplane/verb.h"
#include "drivers/memory.h"

static void size_print(const struct check_size *size, const char *label)
{
    printf("  %-14s %14" PRIu64 " %16" PRIu32 " %18" PRIu64 "\n", label, size->bytes_per_entity,
           size->cells_per_read, size->entities);
}

static void service_print(const struct plan *plan, const struct plan_service *service)
{
    printf("\nservice %s: version %u, %u features", service->name, service->version,
           service->item_count);
    for (uint32_t e = 0; e < service->entity_count; e++) {
        printf("%s%s", e == 0 ? ", entities " : ", ", plan->view[service->entity[e]].entity);
    }
    for (uint32_t i = 0; i < service->request_count; i++) {
        printf("%s%s", i == 0 ? ", request " : ", ", service->request[i].name);
    }
    printf("\n");
}

/* "stream web", "streams web, app" */
static void streams_print(const struct plan *plan, const struct plan_view *view)
{
    printf("stream%s ", view->other_count > 0 ? "s" : "");
    for (uint32_t i = 0; i < plan_source_count(view); i++) {
        printf("%s%s", i == 0 ? "" : ", ", plan->stream[plan_source_stream(view, i)].schema.name);
    }
}

static void check_print(const struct config *config, const struct check *check)
{
    static const char *const labels[CHECK_SIZES] = {"1 event", "100 events", "10,000 events"};
    printf("ok: %u streams, %u views, %u features, state.memory %" PRIu64 " MiB\n",
           config->plan.stream_count, config->plan.view_count, config->plan.feature_count,
           config->options.state_memory_bytes >> 20);
    for (uint32_t i = 0; i < check->view_count; i++) {
        const struct check_view *view = &check->view[i];
        printf("\nview %s: entity %s, ", view->name, view->entity);
        streams_print(&config->plan, &config->plan.view[i]);
        printf(", %u features, %u cache lines per event\n", view->feature_count,
               view->lines_per_event);
        printf("  %-14s %14s %16s %18s\n", "entity with", "bytes", "cells per read",
               "entities that fit");
        for (uint32_t size = 0; size < CHECK_SIZES; size++) {
            size_print(&view->at[size], labels[size]);
        }
        size_print(&view->worst, "at worst");
    }
    for (uint32_t i = 0; i < config->plan.service_count; i++) {
        service_print(&config->plan, &config->plan.service[i]);
    }
}

static json_t *size_json(const struct check_size *size)
{
    return json_pack("{s:o, s:I, s:I, s:I}", "events",
                     size->events == 0 ? json_null() : json_integer((json_int_t)size->events),
                     "bytes_per_entity", (json_int_t)size->bytes_per_entity, "cells_per_read",
                     (json_int_t)size->cells_per_read, "entities", (json_int_t)size->entities);
}

static json_t *streams_json(const struct plan *plan, const struct plan_view *view)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < plan_source_count(view); i++) {
        const struct plan_stream *stream = &plan->stream[plan_source_stream(view, i)];
        json_array_append_new(list, json_string(stream->schema.name));
    }
    return list;
}

static json_t *views_json(const struct plan *plan, const struct check *check)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < check->view_count; i++) {
        const struct check_view *view = &check->view[i];
        json_t *sizes = json_array();
        for (uint32_t size = 0; size < CHECK_SIZES; size++) {
            json_array_append_new(sizes, size_json(&view->at[size]));
        }
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:o, s:i, s:i, s:o, s:o}", "view", view->name,
                            "entity", view->entity, "stream", view->stream, "streams",
                            streams_json(plan, &plan->view[i]), "features",
                            (int)view->feature_count, "lines_per_event", (int)view->lines_per_event,
                            "sizes", sizes, "worst", size_json(&view->worst)));
    }
    return list;
}

static json_t *services_json(const struct plan *plan)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < plan->service_count; i++) {
        const struct plan_service *service = &plan->service[i];
        json_t *entities = json_array();
        json_t *request = json_array();
        for (uint32_t e = 0; e < service->entity_count; e++) {
            json_array_append_new(entities, json_string(plan->view[service->entity[e]].entity));
        }
        for (uint32_t f = 0; f < service->request_count; f++) {
            json_array_append_new(request, json_string(service->request[f].name));
        }
        json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:o, s:o}", "service", service->name,
                                              "version", (int)service->version, "features",
                                              (int)service->item_count, "entities", entities,
                                              "request", request));
    }
    return list;
}

/* Prints the object and gives it back; VERB_EXIT_FAILED when it could not be built or written. */
static int object_print(json_t *object, int exit_code)
{
    if (object == NULL || json_dumpf(object, stdout, JSON_INDENT(2)) != 0) {
        (void)fprintf(stderr, "freshet check: the report could not be written\n");
        exit_code = VERB_EXIT_FAILED;
    }
    printf("\n");
    json_decref(object);
    return exit_code;
}

static int check_report(const struct config *config, bool json)
{
    struct check *check = heap_alloc(sizeof(*check));
    if (check == NULL || check_compute(config, check) != RESULT_OK) {
        (void)fprintf(stderr, "freshet check: the machine gave no memory\n");
        heap_free(check);
        return VERB_EXIT_FAILED;
    }
    int exit_code = VERB_EXIT_OK;
    if (json) {
        exit_code = object_print(
            json_pack("{s:b, s:i, s:i, s:i, s:I, s:o, s:o}", "ok", 1, "streams",
                      (int)config->plan.stream_count, "views", (int)config->plan.view_count,
                      "features", (int)config->plan.feature_count, "memory_bytes",
                      (json_int_t)config->options.state_memory_bytes, "costs",
                      views_json(&config->plan, check), "services", services_json(&config->plan)),
            exit_code);
    } else {
        check_print(config, check);
    }
    heap_free(check);
    return exit_code;
}

int check_verb(int argc, char **argv)
{
    bool json = false;
    const struct verb_option option[] = {
        {"json", NULL, VERB_OPTION_FLAG, &json, "one JSON object on stdout"},
    };
    const struct verb_usage usage = {
        .name = "check",
        .arguments = "FILE...",
        .description =
            "Checks definition files (or folders of *.yaml) and prints every error as\n"
            "file:line:column, exit code 78. Without errors: per view the bytes that an\n"
            "entity takes, the cache lines that an event touches, the cells that a read\n"
            "visits, and how many entities fit state.memory; per service what it takes.\n",
        .option = option,
        .option_count = 1,
        .argument_min = 1,
        .argument_max = VERB_ARGUMENTS_MAX,
    };
    int exit_code;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    struct config *config;
    exit_code = definitions_load(&argv[1], (uint32_t)argc - 1, json, &config);
    if (exit_code == VERB_EXIT_OK) {
        exit_code = check_report(config, json);
        definitions_free(config);
    }
    return exit_code;
}
