#include "controlplane/succession.h"

#include <stdio.h>
#include <string.h>

#include "controlplane/appliance.h"
#include "dataplane/feature/catalog.h"
#include "drivers/memory.h"

/* 1 MiB for each shard: some turns of what it takes. */
#define RING_LINES 16384u

static void error_first(const struct config *config, char error[SUCCESSION_ERROR_SIZE_MAX])
{
    const struct config_error *first = &config->error[0];
    if (first->line == 0) {
        (void)snprintf(error, SUCCESSION_ERROR_SIZE_MAX, "%.160s: %.340s", first->file,
                       first->text);
    } else {
        (void)snprintf(error, SUCCESSION_ERROR_SIZE_MAX, "%.160s:%u:%u: %.320s", first->file,
                       first->line, first->column, first->text);
    }
}

static enum result catalog_make(struct succession *succession)
{
    struct catalog *catalog = heap_alloc(sizeof(*catalog));
    succession->catalog = heap_alloc(CATALOG_BYTES_MAX);
    if (catalog == NULL || succession->catalog == NULL) {
        heap_free(catalog);
        return RESULT_NO_MEMORY;
    }
    catalog_of_plan(&succession->config->plan, catalog);
    succession->catalog_size = catalog_encode(catalog, succession->catalog, CATALOG_BYTES_MAX);
    heap_free(catalog);
    return RESULT_OK;
}

static enum result rings_make(struct succession *succession)
{
    uint32_t count = succession->appliance->shard_count;
    succession->ring = heap_alloc_lines(count * sizeof(struct ring));
    succession->ring_lines = heap_alloc_lines(count * ring_footprint(RING_LINES));
    if (succession->ring == NULL || succession->ring_lines == NULL) {
        return RESULT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        ring_init(&succession->ring[i], succession->ring_lines + i * ring_footprint(RING_LINES),
                  RING_LINES);
    }
    return RESULT_OK;
}

static void steps_make(struct succession *succession)
{
    const struct plan *plan = &succession->config->plan;
    for (uint32_t i = 0; i < succession->appliance->shard_count; i++) {
        const struct plan_step owners = {.plan = plan,
                                         .patterns = succession->patterns.set,
                                         .pattern_scratch = succession->patterns.scratch[i],
                                         .catalog = succession->catalog,
                                         .catalog_size = succession->catalog_size,
                                         .unrouted = true,
                                         .route_end = succession->view_first,
                                         .filling = &succession->ring[i],
                                         .part_first = succession->view_first};
        struct plan_step homes = owners;
        homes.unrouted = false;
        homes.route_end = plan->view_count;
        struct plan_step whole = homes;
        whole.catalog = NULL;
        whole.filling = NULL;
        whole.forwards_lsn = succession->routes_lsn;
        whole.part_first = VIEWS_MAX;
        struct plan_step given_up = owners;
        given_up.catalog = NULL;
        given_up.filling = NULL;
        given_up.given_up = true;
        succession->step[SUCCESSION_OWNERS][i] = owners;
        succession->step[SUCCESSION_HOMES][i] = homes;
        succession->step[SUCCESSION_WHOLE][i] = whole;
        succession->step[SUCCESSION_GIVEN_UP][i] = given_up;
    }
}

/* What the compiled plan needs beside itself. */
static enum result parts_make(struct succession *succession, char error[SUCCESSION_ERROR_SIZE_MAX])
{
    char why[PATTERN_ERROR_SIZE_MAX];
    enum result result =
        pattern_sets_open(&succession->config->plan, succession->appliance->shard_count + 1,
                          &succession->patterns, why);
    if (result != RESULT_OK) {
        (void)snprintf(error, SUCCESSION_ERROR_SIZE_MAX, "the patterns of a stream: %.400s", why);
        return result;
    }
    result = catalog_make(succession);
    result = result == RESULT_OK ? rings_make(succession) : result;
    if (result != RESULT_OK) {
        (void)snprintf(error, SUCCESSION_ERROR_SIZE_MAX, "no memory for another plan");
        return result;
    }
    steps_make(succession);
    return RESULT_OK;
}

enum result succession_open(struct appliance *appliance, const struct config_running *running,
                            const char *const *paths, uint32_t path_count,
                            struct succession **out_succession, uint32_t *out_error_count,
                            char error[SUCCESSION_ERROR_SIZE_MAX])
{
    *out_error_count = 0;
    enum result result = RESULT_NO_MEMORY;
    struct succession *succession = heap_alloc_lines(sizeof(*succession));
    if (succession != NULL) {
        succession->appliance = appliance;
        succession->view_first = running->plan->view_count;
        succession->config = heap_alloc(sizeof(*succession->config));
    }
    if (succession == NULL || succession->config == NULL) {
        (void)snprintf(error, SUCCESSION_ERROR_SIZE_MAX, "no memory for another plan");
        goto fail;
    }
    result = config_load_beside(running, paths, path_count, pattern_sets_try, &succession->texts,
                                succession->config);
    if (result != RESULT_OK) {
        *out_error_count = succession->config->error_count;
        error_first(succession->config, error);
        goto fail;
    }
    result = parts_make(succession, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    *out_succession = succession;
    return RESULT_OK;
fail:
    succession_close(succession);
    return result;
}

void succession_close(struct succession *succession)
{
    if (succession != NULL) {
        succession_rings_free(succession);
        pattern_sets_close(&succession->patterns);
        config_texts_free(&succession->texts);
        heap_free(succession->catalog);
        heap_free(succession->config);
        heap_free(succession);
    }
}

void succession_set(struct succession *succession, enum succession_stage stage)
{
    for (uint32_t i = 0; i < succession->appliance->shard_count; i++) {
        worker_step_set(succession->appliance->worker[i], &succession->step[stage][i]);
    }
}

bool succession_is_entered(const struct succession *succession, enum succession_stage stage)
{
    for (uint32_t i = 0; i < succession->appliance->shard_count; i++) {
        if (!worker_step_entered(succession->appliance->worker[i], &succession->step[stage][i])) {
            return false;
        }
    }
    return true;
}

void succession_rings_free(struct succession *succession)
{
    heap_free(succession->ring);
    heap_free(succession->ring_lines);
    succession->ring = NULL;
    succession->ring_lines = NULL;
}
