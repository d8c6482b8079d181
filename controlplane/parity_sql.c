#include "controlplane/parity_sql.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/definitions.h"
#include "controlplane/mirror_history.h"
#include "controlplane/parity_sql_inside.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/key.h"
#include "drivers/cpu.h"
#include "drivers/memory.h"

#define HISTORY_BYTES (1 * GIB)
/* Answers of one pass over the logs; an answer has some 140 bytes. */
#define ANSWERS_MAX UINT64_C(1000000)

static int failed(const char *why)
{
    (void)fprintf(stderr, "freshet parity --sql: %s\n", why);
    return VERB_EXIT_FAILED;
}

/* Keys of a view, and their reads at all moments: key by key, moment by moment. */
struct batch {
    uint32_t key_count;
    uint32_t moment_count;
    const char **id;
    uint8_t (*key)[KEY_SIZE_MAX];
    struct history_read *read;
    struct answer *answer;
};

static void batch_free(struct batch *batch)
{
    heap_free(batch->id);
    heap_free(batch->key);
    heap_free(batch->read);
    heap_free(batch->answer);
}

static bool batch_alloc(struct batch *batch, uint32_t keys, uint32_t moments, uint32_t features)
{
    uint64_t reads = (uint64_t)keys * moments;
    *batch = (struct batch){.key_count = keys, .moment_count = moments};
    batch->id = heap_alloc(keys * sizeof(*batch->id));
    batch->key = heap_alloc(keys * sizeof(*batch->key));
    batch->read = heap_alloc(reads * sizeof(*batch->read));
    batch->answer = heap_alloc(reads * features * sizeof(*batch->answer));
    return batch->id != NULL && batch->key != NULL && batch->read != NULL && batch->answer != NULL;
}

static void batch_fill(const struct parity_sql *parity, struct batch *batch,
                       const struct parity_moment *moment)
{
    const struct plan *plan = &parity->config->plan;
    for (uint32_t k = 0; k < batch->key_count; k++) {
        const char *id = batch->id[k];
        uint32_t size =
            key_parse(plan, &plan->view[parity->view], id, (uint32_t)strlen(id), batch->key[k]);
        for (uint32_t m = 0; m < batch->moment_count; m++) {
            uint64_t at = (uint64_t)k * batch->moment_count + m;
            batch->read[at] = (struct history_read){
                .view = (uint16_t)parity->view,
                .key_size = (uint16_t)size,
                .key = batch->key[k],
                .time = READ_AT,
                .at_us = moment[m].at_us,
                .known_us = moment[m].known_us,
                .feature_count = parity->feature_count,
                .feature = parity->feature,
                .answer = &batch->answer[at * parity->feature_count],
            };
        }
    }
}

/* Keys from `first` on, at all moments: Freshet's answers, then SQL's. */
static enum result batch_compare(struct parity_sql *parity, struct mirror_history *history,
                                 struct batch *batch, struct parity_moment *moment,
                                 char error[PARITY_ERROR_SIZE_MAX])
{
    char why[MIRROR_HISTORY_ERROR_SIZE_MAX];
    batch_fill(parity, batch, moment);
    enum result result =
        mirror_history_read(history, batch->read, batch->key_count * batch->moment_count, why);
    if (result != RESULT_OK) {
        (void)snprintf(error, PARITY_ERROR_SIZE_MAX, "%s", why);
        return result;
    }
    for (uint32_t m = 0; m < batch->moment_count && result == RESULT_OK; m++) {
        moment[m].key_count = batch->key_count;
        moment[m].id = batch->id;
        moment[m].read = &batch->read[m];
        moment[m].read_stride = batch->moment_count;
        result = parity_sql_moment(parity, &moment[m], error);
    }
    return result;
}

static enum result keys_compare(struct parity_sql *parity, struct mirror_history *history,
                                const struct parity_keys *keys, struct parity_moment *moment,
                                uint32_t moment_count, char error[PARITY_ERROR_SIZE_MAX])
{
    uint64_t answers_per_key = (uint64_t)moment_count * parity->feature_count;
    uint64_t fit = ANSWERS_MAX / answers_per_key;
    uint32_t step = fit == 0 ? 1 : fit < keys->count ? (uint32_t)fit : keys->count;
    const char *id = keys->texts.data;
    enum result result = RESULT_OK;
    for (uint32_t first = 0; first < keys->count && result == RESULT_OK; first += step) {
        uint32_t left = keys->count - first;
        struct batch batch;
        if (!batch_alloc(&batch, left < step ? left : step, moment_count, parity->feature_count)) {
            (void)snprintf(error, PARITY_ERROR_SIZE_MAX, "the machine gave no memory");
            result = RESULT_NO_MEMORY;
        } else {
            for (uint32_t k = 0; k < batch.key_count; k++) {
                batch.id[k] = id;
                id += strlen(id) + 1;
            }
            result = batch_compare(parity, history, &batch, moment, error);
        }
        batch_free(&batch);
    }
    return result;
}

/* Moments, with what is known at them. As true: everything, times around those of events. As known:
 * what records before T had made, at T and at such times, and the end; of an export that is not
 * whole, only what comes before the limit: the first T of what it lacks. */
static enum result moments_draw(struct parity_sql *parity, const int64_t *at_us, int64_t limit_us,
                                struct parity_moment *out, uint32_t *out_count,
                                char error[PARITY_ERROR_SIZE_MAX])
{
    const struct parity_sql_options *options = parity->options;
    bool is_known = parity->events == PARITY_EVENTS_APPLIED;
    uint32_t times = (uint32_t)options->times;
    int64_t us[PARITY_MOMENTS_MAX];
    int64_t known_us[PARITY_MOMENTS_MAX];
    uint32_t count = 0;
    uint32_t known_count = 0;
    *out_count = 0;
    enum result result = parity_mirror_moments(&parity->mirror, parity->view, PARITY_EVENTS_TRUE,
                                               times, options->seed, us, &count, error);
    if (result == RESULT_OK && is_known) {
        result = parity_mirror_moments(&parity->mirror, parity->view, PARITY_EVENTS_APPLIED, times,
                                       options->seed, known_us, &known_count, error);
    }
    count = at_us != NULL && !is_known && count > 1 ? 1 : count;
    for (uint32_t i = 0; i < count && result == RESULT_OK; i++) {
        bool is_end = !is_known || i + 1 >= known_count;
        if (is_end && !parity->export.is_whole) {
            break;
        }
        int64_t known = is_end ? INT64_MAX : known_us[i];
        bool at_known = !is_end && i % 2 == 0;
        if (!is_end && known > limit_us) {
            continue;
        }
        parity->moments_known += is_end ? 0 : 1;
        out[(*out_count)++] = (struct parity_moment){.at_us = at_us != NULL ? *at_us
                                                              : at_known    ? known
                                                                            : us[i],
                                                     .known_us = known};
    }
    return result;
}

static enum result view_compare(struct parity_sql *parity, struct mirror_history *history,
                                uint32_t view, const int64_t *at_us,
                                char error[PARITY_ERROR_SIZE_MAX])
{
    const struct parity_sql_options *options = parity->options;
    struct parity_moment moment[PARITY_MOMENTS_MAX];
    struct parity_keys keys;
    uint32_t moment_count = 0;
    int64_t limit_us = INT64_MAX;
    parity_sql_features(parity, view);
    if (parity->feature_count == 0) {
        return RESULT_OK;
    }
    enum result result = parity_mirror_draw(&parity->mirror, view, parity->events, options->keys,
                                            options->seed, &keys, error);
    if (result == RESULT_NOT_FOUND) { /* Nothing of it came yet. */
        (void)fprintf(stderr, "freshet parity --sql: %s\n", error);
        return RESULT_OK;
    }
    if (result != RESULT_OK) {
        return result;
    }
    uint32_t corrected =
        parity_corrected_take(&parity->corrected, &parity->config->plan, view, &keys);
    if (corrected > 0) {
        (void)fprintf(stderr,
                      "freshet parity --sql: view `%s`: %" PRIu32
                      " keys have corrected events, which an export has as they came: left out\n",
                      parity->config->plan.view[view].name, corrected);
    }
    if (parity->events == PARITY_EVENTS_APPLIED) {
        result = parity_mirror_known(&parity->mirror, view, parity->known, &limit_us, error);
    }
    result = result == RESULT_OK
                 ? moments_draw(parity, at_us, limit_us, moment, &moment_count, error)
                 : result;
    if (result == RESULT_OK && keys.count > 0 && moment_count > 0) {
        result = keys_compare(parity, history, &keys, moment, moment_count, error);
    }
    buffer_deinit(&keys.texts);
    return result;
}

/* view: -1: all. */
static enum result events_compare(struct parity_sql *parity, enum parity_events events, int view,
                                  const int64_t *at_us, char error[PARITY_ERROR_SIZE_MAX])
{
    const struct plan *plan = &parity->config->plan;
    uint16_t cores[CPU_COUNT_MAX];
    struct mirror_history *history;
    const struct mirror_history_options options = {
        .directory = parity->options->data,
        .plan = plan,
        .mode = events == PARITY_EVENTS_TRUE ? HISTORY_TRUE : HISTORY_KNOWN,
        .thread_count = cpu_list(cores),
        .memory_bytes = HISTORY_BYTES,
    };
    char why[MIRROR_HISTORY_ERROR_SIZE_MAX];
    enum result result = mirror_history_open(&options, &history, why);
    if (result != RESULT_OK) {
        (void)snprintf(error, PARITY_ERROR_SIZE_MAX, "%s", why);
        return result;
    }
    const struct mirror_range *range = mirror_history_range(history);
    parity->events = events;
    parity->mirror.first_lsn = range->kept_lsn;
    parity_corrected_free(&parity->corrected);
    result = parity_corrected_load(parity->options->data, range->store_id, plan, &parity->corrected,
                                   error);
    bool is_possible = parity->export.is_whole || events == PARITY_EVENTS_APPLIED;
    if (result == RESULT_OK && events == PARITY_EVENTS_APPLIED) {
        const struct parity_known_options known = {.directory = parity->options->data,
                                                   .plan = plan,
                                                   .export = &parity->export,
                                                   .first_lsn = range->kept_lsn};
        result = parity_known_open(&known, &parity->known, error);
    }
    for (uint32_t v = 0; v < plan->view_count && result == RESULT_OK && is_possible; v++) {
        if (view < 0 || (uint32_t)view == v) {
            result = view_compare(parity, history, v, at_us, error);
        }
    }
    parity_known_close(parity->known);
    parity->known = NULL;
    mirror_history_close(history);
    return result;
}

static int parity_compare(struct parity_sql *parity, int view, const int64_t *at_us)
{
    const struct plan *plan = &parity->config->plan;
    char error[PARITY_ERROR_SIZE_MAX];
    uint64_t count_bytes = plan->feature_count * sizeof(*parity->count);
    parity->count = heap_alloc(count_bytes);
    if (parity->count == NULL || parity->texts.failed) {
        return failed("the machine gave no memory");
    }
    memset(parity->count, 0, count_bytes);
    parity->differences = json_array();
    const struct duckdb_options cores = {.threads = 0};
    enum result result =
        parity_export_check(parity->options->data, parity->options->export, &parity->export, error);
    if (result == RESULT_OK && !parity->export.is_whole) {
        (void)fprintf(stderr,
                      "freshet parity --sql: %s: moments before its end are compared, as known\n",
                      parity->export.lacks);
    }
    result = result == RESULT_OK
                 ? parity_mirror_open(&parity->mirror, parity->options->export, plan, &cores, error)
                 : result;
    if (result == RESULT_OK) {
        result = events_compare(parity, PARITY_EVENTS_APPLIED, view, at_us, error);
        result = result == RESULT_OK
                     ? events_compare(parity, PARITY_EVENTS_TRUE, view, at_us, error)
                     : result;
        parity_corrected_free(&parity->corrected);
        parity_mirror_close(&parity->mirror);
    }
    int exit_code = result == RESULT_OK ? parity_sql_print(parity) : failed(error);
    json_decref(parity->differences);
    return exit_code;
}

static int options_check(const struct verb_usage *usage, struct parity_sql *parity,
                         struct parity_sql_options *options)
{
    const struct plan *plan = &parity->config->plan;
    int64_t at_us = 0;
    int view = -1;
    if (options->data == NULL) {
        options->data = parity->config->options.data_directory;
    }
    if (options->data[0] == '\0') {
        return verb_usage_error(usage, "the definitions name no data.directory; --data says which "
                                       "one");
    }
    if (options->view != NULL) {
        view = plan_view_find(plan, options->view, (uint32_t)strlen(options->view), 0);
        if (view < 0) {
            return verb_usage_error(usage, "--view `%s` is no view of the definitions",
                                    options->view);
        }
    }
    if (options->at != NULL && !verb_time_read(options->at, &at_us)) {
        return verb_usage_error(usage, VERB_TIME_WRONG, "at", options->at);
    }
    return parity_compare(parity, view, options->at == NULL ? NULL : &at_us);
}

int parity_sql_verb(int argc, char **argv)
{
    struct parity_sql_options options = {.keys = 1000, .times = 8, .seed = 1};
    const struct verb_option option[] = {
        {"export", "DIR", VERB_OPTION_TEXT, &options.export,
         "where `freshet export` put the mirror as Parquet"},
        {"data", "DIR", VERB_OPTION_TEXT, &options.data,
         "the data directory; that of the definitions without it"},
        {"view", "NAME", VERB_OPTION_TEXT, &options.view, "only this view"},
        {"keys", "N", VERB_OPTION_NUMBER, &options.keys,
         "keys of each view, drawn by --seed; 1000 without it"},
        {"times", "N", VERB_OPTION_NUMBER, &options.times,
         "moments of each view, 1 to 64, drawn by --seed; 8 without it"},
        {"at", "TIME", VERB_OPTION_TEXT, &options.at, "at that time instead"},
        {"seed", "N", VERB_OPTION_NUMBER, &options.seed, "another draw; 1 without it"},
        {"json", NULL, VERB_OPTION_FLAG, &options.json, "one JSON object on stdout"},
    };
    const struct verb_usage usage = {
        .name = "parity --sql",
        .arguments = "FILE... --export DIR",
        .description =
            "Computes features of some keys at some moments twice: from the mirror of the data\n"
            "directory, by the code that serves, and by the SQL of the definitions, which DuckDB\n"
            "runs over the exported mirror. Exit 1 where one of them differs.\n",
        .option = option,
        .option_count = ARRAY_COUNT(option),
        .argument_min = 1,
        .argument_max = VERB_ARGUMENTS_MAX,
    };
    int exit_code;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    if (options.export == NULL) {
        return verb_usage_error(&usage,
                                "--export is needed: where `freshet export` put the mirror");
    }
    if (options.times < 1 || options.times > PARITY_MOMENTS_MAX || options.keys < 1 ||
        options.keys > UINT32_MAX) {
        return verb_usage_error(&usage, "--times takes 1 to %u, and --keys 1 or more",
                                PARITY_MOMENTS_MAX);
    }
    struct parity_sql *parity = heap_alloc(sizeof(*parity));
    if (parity == NULL) {
        return failed("the machine gave no memory");
    }
    *parity = (struct parity_sql){.options = &options};
    sql_texts_init(&parity->texts);
    exit_code = definitions_load_telling(&argv[1], (uint32_t)argc - 1, options.json, sql_texts_tell,
                                         &parity->texts, &parity->config);
    if (exit_code == VERB_EXIT_OK) {
        exit_code = options_check(&usage, parity, &options);
        definitions_free(parity->config);
    }
    sql_texts_deinit(&parity->texts);
    heap_free(parity->count);
    heap_free(parity);
    return exit_code;
}
