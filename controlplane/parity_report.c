/* freshet parity report: all recorded answers of a data directory, computed again. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/inspect.h"
#include "controlplane/json_text.h"
#include "controlplane/parity_verb.h"
#include "controlplane/verb.h"

static const char *value_shown(bool is_null, const char *value)
{
    return is_null ? "null" : value;
}

static void differences_print(const struct parity_sum *sum)
{
    for (uint32_t i = 0; i < sum->shown; i++) {
        const struct parity_difference *difference = &sum->difference[i];
        char moment[INSPECT_TIME_SIZE_MAX];
        printf("\n#%" PRIu64 " %s %s, answered %s: served %s %s, by the mirror %s %s\n",
               difference->nth, difference->service, difference->item,
               inspect_time_format(difference->moment_us, moment),
               answer_status_name(difference->served_status),
               value_shown(difference->served_null, difference->served),
               answer_status_name(difference->status),
               value_shown(difference->null, difference->again));
    }
}

static void item_print(const struct parity_item_sum *item)
{
    uint64_t checked =
        item->count[PARITY_equal] + item->count[PARITY_mismatch] + item->count[PARITY_extra];
    printf("  %-40s %10" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64, item->name, checked,
           item->count[PARITY_mismatch], item->count[PARITY_missing], item->count[PARITY_extra]);
    if (item->numbers > 0) {
        printf("  %-9.3g %.3g", parity_smape(item), item->error_max);
    }
    printf("\n");
    for (uint32_t i = 1; i < PARITY_ERRORS; i++) {
        if (item->error[i] > 0) {
            printf("  %40s %10" PRIu64 " differ by %s\n", "", item->error[i], parity_error_name(i));
        }
    }
}

static void report_print(const struct parity_sum *sum, const struct served_reader_report *files)
{
    printf("%" PRIu64 " answers in %" PRIu64 " files", sum->answers, files->files);
    if (files->torn_files > 0) {
        printf(", %" PRIu64 " of them torn by a crash", files->torn_files);
    }
    if (files->damaged > 0) {
        printf("; %" PRIu64 " places are damaged", files->damaged);
    }
    printf("\n");
    for (uint32_t i = 0; i < sum->service_count; i++) {
        const struct parity_service_sum *service = &sum->service[i];
        printf("\n%s@%u: %" PRIu64 " answers%s\n", service->name, service->version,
               service->answers,
               service->is_gone ? ", of a definition that is gone, or another by now" : "");
        printf("  %-40s %10s %9s %9s %9s  %-9s %s\n", "value", "checked", "mismatch", "missing",
               "extra", "smape", "greatest");
        for (uint32_t v = 0; v < service->item_count; v++) {
            item_print(&service->item[v]);
        }
    }
    differences_print(sum);
}

static json_t *count(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *item_json(const struct parity_item_sum *item)
{
    json_t *object = json_pack(
        "{s:s, s:o, s:o, s:o, s:o}", "name", item->name, "checked",
        count(item->count[PARITY_equal] + item->count[PARITY_mismatch] + item->count[PARITY_extra]),
        "mismatch", count(item->count[PARITY_mismatch]), "missing",
        count(item->count[PARITY_missing]), "extra", count(item->count[PARITY_extra]));
    if (item->numbers > 0) {
        json_t *errors = json_object();
        for (uint32_t i = 0; i < PARITY_ERRORS; i++) {
            (void)json_object_set_new(errors, parity_error_name(i), count(item->error[i]));
        }
        (void)json_object_set_new(object, "numbers",
                                  json_pack("{s:o, s:f, s:f, s:o}", "count", count(item->numbers),
                                            "smape", parity_smape(item), "greatest",
                                            item->error_max, "errors", errors));
    }
    return object;
}

static json_t *service_json(const struct parity_service_sum *service)
{
    json_t *items = json_array();
    for (uint32_t i = 0; i < service->item_count; i++) {
        (void)json_array_append_new(items, item_json(&service->item[i]));
    }
    return json_pack("{s:s, s:i, s:b, s:o, s:o}", "service", service->name, "version",
                     (int)service->version, "gone", service->is_gone, "answers",
                     count(service->answers), "values", items);
}

static json_t *text_json(bool is_null, const char *text)
{
    return is_null ? json_null() : json_text(text);
}

static json_t *difference_json(const struct parity_difference *difference)
{
    return json_pack("{s:o, s:s, s:s, s:s, s:o, s:s, s:o, s:s, s:I}", "nth", count(difference->nth),
                     "service", difference->service, "value", difference->item, "outcome",
                     parity_outcome_name(difference->outcome), "served",
                     text_json(difference->served_null, difference->served), "served_status",
                     answer_status_name(difference->served_status), "mirror",
                     text_json(difference->null, difference->again), "mirror_status",
                     answer_status_name(difference->status), "moment_us",
                     (json_int_t)difference->moment_us);
}

static uint64_t checked_values(const struct parity_sum *sum)
{
    return sum->values[PARITY_equal] + sum->values[PARITY_mismatch] + sum->values[PARITY_extra];
}

static int report_print_json(const struct parity_sum *sum, const struct served_reader_report *files,
                             int exit_code)
{
    json_t *services = json_array();
    json_t *differences = json_array();
    for (uint32_t i = 0; i < sum->service_count; i++) {
        (void)json_array_append_new(services, service_json(&sum->service[i]));
    }
    for (uint32_t i = 0; i < sum->shown; i++) {
        (void)json_array_append_new(differences, difference_json(&sum->difference[i]));
    }
    json_t *object = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "answers", count(sum->answers),
        "checked", count(checked_values(sum)), "mismatch", count(sum->values[PARITY_mismatch]),
        "missing", count(sum->values[PARITY_missing]), "extra", count(sum->values[PARITY_extra]),
        "files", count(files->files), "torn_files", count(files->torn_files), "damaged",
        count(files->damaged), "services", services, "differences", differences);
    return inspect_object_print(object, exit_code);
}

static void sum_visit(void *context, const struct parity_answer *answer)
{
    parity_sum_add(context, answer);
}

/* Computes what is there; a batch of records whenever one is full. */
static enum result answers_check(struct parity_source *source, struct parity_sum *sum)
{
    const struct served_record *record;
    enum result result;
    while ((result = served_reader_next(source->reader, &record)) == RESULT_OK) {
        uint32_t size;
        const uint8_t *bytes = served_reader_bytes(source->reader, &size);
        struct served_place place = served_reader_place(source->reader);
        result = parity_add(source->parity, record, bytes, size, &place);
        if (result == RESULT_NO_SPACE) {
            result = parity_run(source->parity, sum_visit, sum, source->error);
            if (result == RESULT_OK) {
                result = parity_add(source->parity, record, bytes, size, &place);
            }
        }
        if (result != RESULT_OK) {
            return result;
        }
    }
    result = result == RESULT_NOT_FOUND ? RESULT_OK : result;
    return result == RESULT_OK ? parity_run(source->parity, sum_visit, sum, source->error) : result;
}

static int report_run(struct parity_source *source, bool json)
{
    struct parity_sum sum = {0};
    struct served_reader_report files;
    enum result result = answers_check(source, &sum);
    if (result == RESULT_OK && sum.failed) {
        result = RESULT_NO_MEMORY;
    }
    int exit_code;
    if (result != RESULT_OK) {
        exit_code = parity_failed(source, "parity report", result);
    } else {
        served_reader_report_read(source->reader, &files);
        bool good = sum.values[PARITY_mismatch] == 0 && sum.values[PARITY_extra] == 0;
        bool checked = checked_values(&sum) > 0 || sum.answers == 0;
        exit_code = good && checked ? VERB_EXIT_OK : VERB_EXIT_FAILED;
        if (json) {
            exit_code = report_print_json(&sum, &files, exit_code);
        } else {
            report_print(&sum, &files);
        }
        if (!checked) {
            (void)fprintf(stderr,
                          "freshet parity report: none of %" PRIu64 " answers could be "
                          "computed again: the mirror does not go back so far, or their "
                          "definitions are gone\n",
                          sum.answers);
        }
    }
    parity_sum_deinit(&sum);
    return exit_code;
}

int parity_report_verb(int argc, char **argv)
{
    const char *data = NULL;
    bool json = false;
    const struct verb_option option[] = {
        {"data", "DIR", VERB_OPTION_TEXT, &data,
         "the data directory; else that of the definitions"},
        {"json", NULL, VERB_OPTION_FLAG, &json, "one JSON object on stdout"},
    };
    const struct verb_usage usage = {
        .name = "parity report",
        .arguments = "FILE...",
        .description =
            "Computes every recorded answer of a data directory again from its mirror, also "
            "beside\n"
            "a running appliance, and compares status and value, byte for byte. Prints by value\n"
            "how many were checked, differ (mismatch), cannot be computed again (missing: the\n"
            "mirror does not go back so far, or the definition is gone), or were served where the\n"
            "mirror has none (extra); of numbers how far apart they were. Exit code 1 when\n"
            "something differs, or none of them could be computed again.\n",
        .option = option,
        .option_count = ARRAY_COUNT(option),
        .argument_min = 1,
        .argument_max = VERB_ARGUMENTS_MAX,
    };
    struct parity_source source;
    int exit_code;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    exit_code = parity_source_open(&source, usage.name, &argv[1], (uint32_t)argc - 1, data, json);
    if (exit_code == VERB_EXIT_OK) {
        exit_code = report_run(&source, json);
        parity_source_close(&source);
    }
    return exit_code;
}
