/* Files, folders and their merge; limits; what a definition becomes. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "config/check.h"
#include "config/config.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/row.h"
#include "dataplane/feature/text.h"
#include "dataplane/row_store.h"
#include "tests/support/unit.h"

#define TEXT_SIZE_MAX (5 * MIB)
#define FILES_MAX     8

/* One folder with files, one config, one growing text. */
struct place {
    char folder[64];
    char path[FILES_MAX][CONFIG_PATH_SIZE_MAX];
    uint32_t path_count;
    struct config *config;
    char *text;
    size_t size;
};

static const char stream_s[] =
    "streams:\n  s: {id: 1, time: t, fields: {t: {type: timestamp}, u: {type: u64}}}\n";

static int place_open(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    place->config = malloc(sizeof(*place->config));
    place->text = malloc(TEXT_SIZE_MAX);
    assert_non_null(place->config);
    assert_non_null(place->text);
    strcpy(place->folder, "/tmp/freshet_config_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    *state = place;
    return 0;
}

static int place_close(void **state)
{
    struct place *place = *state;
    for (uint32_t i = 0; i < place->path_count; i++) {
        (void)unlink(place->path[i]);
    }
    (void)rmdir(place->folder);
    free(place->text);
    free(place->config);
    free(place);
    return 0;
}

static const char *file_write(struct place *place, const char *name, const char *text)
{
    assert_true(place->path_count < FILES_MAX);
    char full[CONFIG_PATH_SIZE_MAX];
    (void)snprintf(full, sizeof(full), "%s/%s", place->folder, name);
    char *path = place->path[place->path_count++];
    memcpy(path, full, sizeof(full));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    return path;
}

static void add(struct place *place, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct place *place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(place->text + place->size, TEXT_SIZE_MAX - place->size, format, arguments);
    va_end(arguments);
    assert_true(size >= 0 && place->size + (size_t)size < TEXT_SIZE_MAX);
    place->size += (size_t)size;
}

static enum result load_added(struct place *place)
{
    enum result result = config_load_text("f", place->text, place->size, place->config);
    place->size = 0;
    return result;
}

/* The text of the first error; its place is checked where it matters. */
static void refused_with(struct place *place, const char *text)
{
    assert_int_equal(load_added(place), RESULT_INVALID);
    assert_true(place->config->error_count >= 1);
    assert_string_equal(place->config->error[0].text, text);
}

static void files_merge_by_top_level_key(void **state)
{
    struct place *place = *state;
    const char *paths[] = {
        file_write(place, "b.yaml",
                   "appliance: {shards: 3}\n"
                   "views:\n"
                   "  v: {entity: u, source: s, windows: [1h], "
                   "aggregates: {c: count()}}\n"),
        file_write(place, "a.yaml", stream_s),
        file_write(place, "c.yaml",
                   "appliance: {idle: sleep}\n"
                   "streams:\n  r: {id: 2, time: t, fields: {t: {type: timestamp}}}\n"),
    };
    assert_int_equal(config_load(paths, 3, place->config), RESULT_OK);
    assert_int_equal(place->config->plan.stream_count, 2);
    assert_int_equal(place->config->plan.view_count, 1);
    assert_string_equal(place->config->plan.stream[0].schema.name, "s");
    assert_int_equal(place->config->options.shards, 3);
    assert_int_equal(place->config->options.idle, CONFIG_IDLE_SLEEP);
}

static void a_folder_means_its_yaml_files_in_name_order(void **state)
{
    struct place *place = *state;
    (void)file_write(place, "20.yaml", stream_s);
    (void)file_write(place, "10.yaml",
                     "streams:\n  r: {id: 2, time: t, fields: {t: {type: timestamp}}}\n");
    (void)file_write(place, "notes.txt", "no: [yaml");
    (void)file_write(place, ".hidden.yaml", "no: [yaml");
    const char *paths[] = {place->folder};
    assert_int_equal(config_load(paths, 1, place->config), RESULT_OK);
    assert_int_equal(place->config->plan.stream_count, 2);
    assert_string_equal(place->config->plan.stream[0].schema.name, "r");
    assert_string_equal(place->config->plan.stream[1].schema.name, "s");
}

static void a_name_defined_twice_shows_both_places(void **state)
{
    struct place *place = *state;
    const char *paths[] = {file_write(place, "a.yaml", stream_s),
                           file_write(place, "b.yaml", stream_s)};
    char expected[2 * CONFIG_PATH_SIZE_MAX];
    assert_int_equal(config_load(paths, 2, place->config), RESULT_INVALID);
    assert_int_equal(place->config->error_count, 1);
    const struct config_error *error = &place->config->error[0];
    (void)snprintf(expected, sizeof(expected), "`s` is defined twice, first at %s:2:3; keep one",
                   paths[0]);
    assert_string_equal(error->text, expected);
    assert_string_equal(error->file, paths[1]);
    assert_int_equal(error->line, 2);
    assert_int_equal(error->column, 3);
}

static void what_cannot_be_read_is_an_error_of_the_file(void **state)
{
    struct place *place = *state;
    char missing[128];
    char longest[CONFIG_PATH_SIZE_MAX + 1];
    (void)snprintf(missing, sizeof(missing), "%s/missing.yaml", place->folder);
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    const char *paths[] = {missing, longest, place->folder};
    assert_int_equal(config_load(paths, 3, place->config), RESULT_INVALID);
    assert_int_equal(place->config->error_count, 3);
    assert_string_equal(place->config->error[0].text, "a folder without a *.yaml file");
    assert_string_equal(place->config->error[1].text,
                        "cannot be opened: No such file or directory");
    assert_string_equal(place->config->error[2].text, "a path of more than 255 bytes");
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(place->config->error[i].line, 0);
    }
}

static void no_file_at_all_is_an_error(void **state)
{
    struct place *place = *state;
    assert_int_equal(config_load(NULL, 0, place->config), RESULT_INVALID);
    assert_int_equal(place->config->error_count, 1);
}

static void a_file_above_4_mib_is_refused(void **state)
{
    struct place *place = *state;
    while (place->size <= 4 * MIB) {
        add(place, "# %080d\n", 0);
    }
    refused_with(place, "larger than 4 MiB; at most that is read");
}

static void a_file_of_too_many_values_is_refused(void **state)
{
    struct place *place = *state;
    add(place, "a: [");
    for (uint32_t i = 0; i < 265; i++) {
        add(place, "  [");
        for (uint32_t j = 0; j < 1000; j++) {
            add(place, "1,");
        }
        add(place, "],\n");
    }
    add(place, "  ]\n");
    refused_with(place, "too large: at most 262144 values are allowed");
}

static void too_many_entries_are_one_error(void **state)
{
    struct place *place = *state;
    add(place, "streams:\n");
    for (uint32_t i = 0; i < 2100; i++) {
        add(place, "  s%u: 1\n", i);
    }
    (void)load_added(place);
    uint32_t said = 0;
    for (uint32_t i = 0; i < place->config->error_count && i < CONFIG_ERRORS_MAX; i++) {
        said +=
            strcmp(place->config->error[i].text, "too many entries: at most 2048 are allowed") == 0;
    }
    assert_int_equal(said, 1);
}

static void errors_beyond_the_kept_ones_are_counted(void **state)
{
    struct place *place = *state;
    add(place, "%s", stream_s);
    add(place, "views:\n");
    for (uint32_t i = 0; i < 40; i++) {
        add(place, "  v%u: {a: 1, b: 1, c: 1, d: 1}\n", i);
    }
    assert_int_equal(load_added(place), RESULT_INVALID);
    assert_int_equal(place->config->error_count, 40 * 8);
    assert_string_not_equal(place->config->error[CONFIG_ERRORS_MAX - 1].text, "");
}

static void add_streams(struct place *place, uint32_t count)
{
    add(place, "streams:\n");
    for (uint32_t i = 0; i < count; i++) {
        add(place, "  s%u: {id: %u, time: t, fields: {t: {type: timestamp}, u: {type: u64}}}\n", i,
            i + 1);
    }
}

static void streams_up_to_their_limit_are_taken_and_one_more_is_not(void **state)
{
    struct place *place = *state;
    add_streams(place, STREAMS_MAX);
    assert_int_equal(load_added(place), RESULT_OK);
    add_streams(place, STREAMS_MAX + 1);
    refused_with(place, "129 streams; at most 128 are allowed");
}

static void add_enum(struct place *place, const char *name, uint32_t count)
{
    add(place, "      %s:\n        type: string\n        size: 256\n        enum: [", name);
    for (uint32_t i = 0; i < count; i++) {
        add(place, "%s%s%u", i == 0 ? "" : ", ", name, i);
    }
    add(place, "]\n");
}

static void enums_of_a_stream_have_their_limit_of_bytes(void **state)
{
    struct place *place = *state;
    static const char head[] =
        "streams:\n  s:\n    id: 1\n    time: t\n    fields:\n      t: {type: timestamp}\n";
    add(place, "%s", head);
    add_enum(place, "a", ENUM_VALUES_MAX);
    add_enum(place, "b", ENUM_VALUES_MAX);
    assert_int_equal(load_added(place), RESULT_OK);
    const struct schema *schema = &place->config->plan.stream[0].schema;
    for (uint32_t i = 0; i < ENUM_VALUES_MAX; i++) {
        char wanted[8];
        for (uint32_t f = 1; f < 3; f++) {
            (void)snprintf(wanted, sizeof(wanted), "%c%u", f == 1 ? 'a' : 'b', i);
            assert_string_equal(enum_text_at(&schema->enums, &schema->field[f], i), wanted);
        }
    }
    add(place, "%s", head);
    add_enum(place, "a", ENUM_VALUES_MAX);
    add_enum(place, "b", ENUM_VALUES_MAX);
    add_enum(place, "c", 1);
    refused_with(place,
                 "the enum values of all string fields here take more than 32768 bytes; make "
                 "fields shorter or allow fewer values");
}

static void add_views(struct place *place, uint32_t count, uint32_t stream_count)
{
    add(place, "views:\n");
    for (uint32_t i = 0; i < count; i++) {
        add(place, "  v%u: {entity: u, source: s%u, windows: [1h], aggregates: {c: count()}}\n", i,
            i % stream_count);
    }
}

static void views_up_to_their_limit_are_taken_and_one_more_is_not(void **state)
{
    struct place *place = *state;
    add_streams(place, 64);
    add_views(place, VIEWS_MAX, 64);
    assert_int_equal(load_added(place), RESULT_OK);
    add_streams(place, 65);
    add_views(place, VIEWS_MAX + 1, 65);
    refused_with(place, "1025 views; at most 1024 are allowed");
}

static void a_stream_feeds_sixteen_views_and_not_one_more(void **state)
{
    struct place *place = *state;
    add_streams(place, 1);
    add_views(place, VIEWS_PER_STREAM_MAX, 1);
    assert_int_equal(load_added(place), RESULT_OK);
    add_streams(place, 1);
    add_views(place, VIEWS_PER_STREAM_MAX + 1, 1);
    refused_with(place, "stream `s0` feeds more than 16 views; at most that many are allowed");
}

static void add_fields(struct place *place, uint32_t count, const char *spec)
{
    add(place, "streams:\n  s:\n    id: 1\n    time: t\n    fields:\n"
               "      t: {type: timestamp}\n      u: {type: u64}\n");
    for (uint32_t i = 0; i < count; i++) {
        add(place, "      f%u: {%s}\n", i, spec);
    }
}

static void sixty_four_fields_are_taken_and_one_more_is_not(void **state)
{
    struct place *place = *state;
    add_fields(place, FIELDS_MAX - 2, "type: u8");
    assert_int_equal(load_added(place), RESULT_OK);
    add_fields(place, FIELDS_MAX - 1, "type: u8");
    refused_with(place, "65 fields; at most 64 are allowed");
}

static void an_event_has_its_size_limit(void **state)
{
    struct place *place = *state;
    add_fields(place, 31, "type: string, size: 256");
    assert_int_equal(load_added(place), RESULT_OK);
    add_fields(place, 32, "type: string, size: 256");
    refused_with(place, "the fields of `s` take more than 8192 bytes; make strings shorter");
}

static void an_enum_has_sixty_four_values_and_not_one_more(void **state)
{
    struct place *place = *state;
    for (uint32_t count = ENUM_VALUES_MAX; count <= ENUM_VALUES_MAX + 1; count++) {
        add_fields(place, 0, "");
        add(place, "      e: {type: u8, enum: [0");
        for (uint32_t i = 1; i < count; i++) {
            add(place, ", %u", i);
        }
        add(place, "]}\n");
        if (count == ENUM_VALUES_MAX) {
            assert_int_equal(load_added(place), RESULT_OK);
        }
    }
    refused_with(place, "`enum` has 65 values; at most 64 are allowed");
}

static void a_view_has_thirty_two_aggregates_and_not_one_more(void **state)
{
    struct place *place = *state;
    for (uint32_t count = AGGREGATES_MAX; count <= AGGREGATES_MAX + 1; count++) {
        add(place,
            "%sviews:\n  v:\n    entity: u\n    source: s\n    windows: [1h]\n"
            "    aggregates:\n",
            stream_s);
        for (uint32_t i = 0; i < count; i++) {
            add(place, "      a%u: count()\n", i);
        }
        if (count == AGGREGATES_MAX) {
            assert_int_equal(load_added(place), RESULT_OK);
        }
    }
    refused_with(place, "33 aggregates; at most 32 are allowed");
}

static void a_view_has_its_limit_of_accumulators(void **state)
{
    struct place *place = *state;
    add_fields(place, AGGREGATES_MAX, "type: i32, optional: true");
    add(place, "views:\n  v:\n    entity: u\n    source: s\n    windows: [1h]\n    aggregates:\n");
    for (uint32_t i = 0; i < AGGREGATES_MAX; i++) {
        add(place, "      a%u: stddev_pop(f%u)\n", i, i);
    }
    refused_with(place, "view `v` needs more than 64 accumulators, or 16 for one category; use "
                        "fewer aggregates, or split "
                        "it into two views");
}

static void all_views_together_have_their_limit_of_features(void **state)
{
    struct place *place = *state;
    const uint32_t full = FEATURES_MAX / (WINDOWS_MAX * AGGREGATES_MAX);
    add_streams(place, 8);
    add(place, "views:\n");
    for (uint32_t view = 0; view <= full; view++) {
        add(place, "  v%u:\n    entity: u\n    source: s%u\n    windows: [1m", view, view % 8);
        for (uint32_t window = 2; window <= WINDOWS_MAX; window++) {
            add(place, ", %um", window);
        }
        add(place, "]\n    aggregates:\n");
        for (uint32_t i = 0; i < AGGREGATES_MAX; i++) {
            add(place, "      a%u: count()\n", i);
        }
    }
    refused_with(place, "all views together have more than 32768 features; use fewer windows or "
                        "aggregates");
}

static void a_row_that_could_grow_beyond_its_limit_is_refused(void **state)
{
    struct place *place = *state;
    add(place,
        "%sviews:\n  v: {entity: u, source: s, windows: [36500d], ladder: [1ms], "
        "aggregates: {c: count()}}\n",
        stream_s);
    refused_with(place, "a row of view `v` could grow beyond 1024 KiB; use a coarser `ladder`, "
                        "shorter windows, fewer aggregates, or a smaller `raw_cap`");
}

static void a_row_that_could_have_more_tiles_than_it_counts_is_refused(void **state)
{
    struct place *place = *state;
    static const char view[] =
        "views:\n  v: {entity: u, source: s, windows: [%uh], ladder: [5s], aggregates: {c: "
        "count()}}\n";
    add(place, "%s", stream_s);
    add(place, view, 45);
    assert_int_equal(load_added(place), RESULT_OK);
    assert_int_equal(place->config->plan.view[0].cells_max, 45 * 720 + 7);
    add(place, "%s", stream_s);
    add(place, view, 46);
    refused_with(place, "a row of view `v` could have 33127 tiles, more than 32766; use a coarser "
                        "`ladder`, or shorter windows");
}

static void a_key_that_no_row_can_have_is_refused(void **state)
{
    struct place *place = *state;
    static const char text[] =
        "streams:\n  s: {id: 1, time: t, fields: {t: {type: timestamp}, a: {type: string, size: "
        "256}, b: {type: string, size: 256}, c: {type: string, size: 256}, d: {type: string, size: "
        "%u}}}\nviews:\n  v: {entity: e, key: [a, b, c, d], source: s, windows: [1h], aggregates: "
        "{n: count()}}\n";
    add(place, text, 247);
    assert_int_equal(load_added(place), RESULT_OK);
    assert_int_equal(place->config->plan.view[0].key_size_max, ROW_KEY_SIZE_MAX);
    add(place, text, 248);
    refused_with(place, "a key of view `v` could have 1024 bytes; at most 1023 are allowed: make a "
                        "string shorter");
}

static void what_is_not_written_has_the_documented_default(void **state)
{
    struct place *place = *state;
    add(place,
        "%sviews:\n  v: {entity: u, source: s, windows: [1d, 10m], "
        "aggregates: {c: count()}}\n",
        stream_s);
    assert_int_equal(load_added(place), RESULT_OK);
    const struct config_options *options = &place->config->options;
    assert_int_equal(options->shards, 0);
    assert_int_equal(options->idle, CONFIG_IDLE_POLL);
    assert_int_equal(options->ingest_count, 1);
    assert_int_equal(options->ingest[0].driver, CONFIG_DRIVER_SOCKET);
    assert_string_equal(options->ingest[0].listen, "127.0.0.1:4700");
    assert_int_equal(options->ingest[0].stream, -1);
    assert_string_equal(options->query_unix, "run/freshet.sock");
    assert_string_equal(options->query_tcp, "127.0.0.1:6380");
    assert_string_equal(options->query_http, "127.0.0.1:6566");
    assert_int_equal(options->state_memory_bytes, GIB);
    assert_int_equal(options->lanes_max, 4096);
    assert_string_equal(options->data_directory, "");
    assert_int_equal(options->ack, CONFIG_ACK_NONE);
    assert_int_equal(options->checkpoint_us, 10 * US_PER_SECOND);
    assert_int_equal(options->mirror_keep_us, 7 * 86400 * US_PER_SECOND);
    assert_int_equal(options->mirror_bytes, 50 * GIB);
    assert_string_equal(options->mirror_archive, "");
    assert_string_equal(options->mirror_lake, "");
    assert_int_equal(options->mirror_segment_bytes, 256 * MIB);
    const struct plan_stream *stream = &place->config->plan.stream[0];
    assert_int_equal(stream->lateness_us, 3600 * US_PER_SECOND);
    assert_int_equal(stream->future_us, 10 * US_PER_SECOND);
    assert_int_equal(stream->history_us, 10 * US_PER_SECOND);
    assert_int_equal(stream->late, LATE_LEDGER);
    assert_int_equal(stream->shard_by, -1);
    assert_int_equal(stream->schema.version, 1);
    assert_int_equal(stream->schema.field[0].policy[RULE_required], VIOLATION_QUARANTINE);
    const struct plan_view *view = &place->config->plan.view[0];
    assert_int_equal(view->version, 1);
    assert_int_equal(view->exact_us, 0);
    assert_int_equal(view->raw_cap, 1024);
    assert_int_equal(view->ladder_count, 6);
    assert_int_equal(view->ladder_us[0], 5 * US_PER_SECOND);
    assert_int_equal(view->ladder_us[5], 86400 * US_PER_SECOND);
    assert_int_equal(view->edges, EDGES_CLOSED_OPEN);
    assert_false(view->leading_newest);
    assert_string_equal(view->window[0].name, "10m");
    assert_string_equal(view->window[1].name, "1d");
}

static void example_path(const char *name, char out[CONFIG_PATH_SIZE_MAX])
{
    const char *source = getenv("FRESHET_SOURCE");
    assert_non_null(source);
    (void)snprintf(out, CONFIG_PATH_SIZE_MAX, "%s/%s", source, name);
}

static void load_example(struct place *place, const char *name)
{
    char path[CONFIG_PATH_SIZE_MAX];
    example_path(name, path);
    const char *paths[] = {path};
    enum result result = config_load(paths, 1, place->config);
    for (uint32_t i = 0; i < place->config->error_count; i++) {
        print_error("%s:%u:%u: %s\n", path, place->config->error[i].line,
                    place->config->error[i].column, place->config->error[i].text);
    }
    assert_int_equal(result, RESULT_OK);
}

static void the_card_example_is_what_it_says(void **state)
{
    struct place *place = *state;
    load_example(place, "config/examples/cards.yaml");
    const struct plan *plan = &place->config->plan;
    const struct schema *schema = &plan->stream[0].schema;
    assert_int_equal(schema->id, 1);
    assert_int_equal(schema->field_count, 5);
    assert_string_equal(schema->field[schema->time_field].name, "ts");
    const struct schema_field *amount = &schema->field[3];
    assert_int_equal(amount->type, FIELD_TYPE_decimal);
    assert_int_equal(amount->min, 0);
    assert_int_equal(amount->max, 100000000);
    assert_int_equal(schema->field[4].enum_count, 2);
    assert_string_equal(enum_text_at(&schema->enums, &schema->field[4], 1), "declined");
    assert_int_equal(plan->view_count, 3);
    assert_string_equal(plan->view[0].entity, "card");
    assert_int_equal(plan->view[0].key_field[0], 1);
    assert_int_equal(plan->view[0].exact_us, 600 * US_PER_SECOND);
    assert_string_equal(plan->view[1].entity, "merchant");
    assert_int_equal(place->config->options.ingest[0].stream, 0);
    assert_true(plan_feature_find(plan, "activity.txn_count_10m", 22) >= 0);
    assert_true(plan_feature_find(plan, "activity.amount_sum_1h", 22) >= 0);
}

static void the_first_example_loads(void **state)
{
    struct place *place = *state;
    load_example(place, "config/examples/first.yaml");
    assert_true(plan_feature_find(&place->config->plan, "climate.celsius_avg_10m", 23) >= 0);
}

/* Of a field, then of its stream, then `quarantine`: the first that says something counts. */
static void the_quality_example_has_a_policy_per_rule(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *field;
        enum rule rule;
        enum violation_policy policy;
    } rows[] = {
        {"at", RULE_type, VIOLATION_DROP},
        {"at", RULE_required, VIOLATION_QUARANTINE},
        {"shop", RULE_min_size, VIOLATION_QUARANTINE},
        {"amount", RULE_type, VIOLATION_NULL_FIELD},
        {"amount", RULE_max, VIOLATION_NULL_FIELD},
        {"items", RULE_type, VIOLATION_DROP},
        {"items", RULE_required, VIOLATION_QUARANTINE},
        {"items", RULE_min, VIOLATION_NULL_FIELD},
        {"items", RULE_max, VIOLATION_COUNT},
        {"coupon", RULE_matches, VIOLATION_COUNT},
    };
    load_example(place, "config/examples/quality.yaml");
    const struct plan_stream *stream = &place->config->plan.stream[0];
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const char *name = rows[i].field;
        int field = schema_field_find(&stream->schema, name, (uint32_t)strlen(name));
        assert_true(field >= 0);
        assert_int_equal(stream->schema.field[field].policy[rows[i].rule], rows[i].policy);
    }
    const struct plan_quality *quality = &stream->quality;
    assert_int_equal(quality->window_us, 60 * US_PER_SECOND);
    assert_int_equal(quality->reference_us, 6 * 3600 * US_PER_SECOND);
    assert_int_equal(quality->freshness_us, 30 * US_PER_SECOND);
    assert_int_equal(quality->null_fields, 1u << 2 | 1u << 5);
    assert_int_equal(quality->shift_fields, 1u << 2 | 1u << 4);
    assert_int_equal(quality->null_limit_millionths[5], 900000);
    assert_int_equal(quality->shift_limit_millionths[4], 100000);
}

/* The line that an example's comment tells the user to send is an event of its first stream. */
static void line_is_taken(struct place *place, const char *line)
{
    static uint8_t block[EVENT_SIZE_MAX];
    const struct schema *schema = &place->config->plan.stream[0].schema;
    struct text_cursor cursor = {.data = line, .size = (uint32_t)strlen(line)};
    struct text_event event;
    assert_int_equal(text_next(&cursor, &schema, 1, -1, 0, block, &event), 1);
    assert_int_equal(event.drop, DROP_NONE);
    assert_int_equal(event.stream, 0);
}

static void the_lines_in_the_examples_are_events(void **state)
{
    struct place *place = *state;
    load_example(place, "config/examples/cards.yaml");
    line_is_taken(place, "transaction,card=4711 amount=9.50,status=\"ok\"\n");
    load_example(place, "config/examples/first.yaml");
    line_is_taken(place, "reading,room=kitchen celsius=21.5\n");
    load_example(place, "config/examples/quality.yaml");
    line_is_taken(place, "order,shop=north amount=12.50,items=3u,state=\"paid\"\n");
    line_is_taken(place, "order,shop=north amount=-1,items=0u,state=\"gone\"\n");
}

static void a_check_orders_sizes_and_stays_below_the_worst(void **state)
{
    struct place *place = *state;
    struct check *check = malloc(sizeof(*check));
    assert_non_null(check);
    load_example(place, "config/examples/cards.yaml");
    assert_int_equal(check_compute(place->config, check), RESULT_OK);
    assert_int_equal(check->view_count, 3);
    for (uint32_t i = 0; i < check->view_count; i++) {
        const struct check_view *view = &check->view[i];
        const struct check_size *before = NULL;
        for (uint32_t size = 0; size < CHECK_SIZES; size++) {
            const struct check_size *at = &view->at[size];
            assert_true(at->bytes_per_entity <= view->worst.bytes_per_entity);
            assert_true(at->cells_per_read <= view->worst.cells_per_read);
            assert_int_equal(at->entities,
                             place->config->options.state_memory_bytes / at->bytes_per_entity);
            /* Where lifetime is the only window, all that is old becomes one cell. */
            bool may_stay = place->config->plan.view[i].has_lifetime;
            assert_true(before == NULL ||
                        before->bytes_per_entity + !may_stay <= at->bytes_per_entity);
            before = at;
        }
        assert_int_equal(view->at[0].cells_per_read,
                         1 + (place->config->plan.view[i].exact_us > 0));
    }
    assert_string_equal(check->view[1].entity, "merchant");
    assert_int_equal(check->view[1].lines_per_event, 2 + place->config->plan.view[1].cell_lines);
    free(check);
}

static void who_may_send_is_kept_with_paths_beside_the_file(void **state)
{
    struct place *place = *state;
    char expected[CONFIG_PATH_SIZE_MAX];
    file_write(place, "a.yaml", stream_s);
    file_write(place, "b.yaml",
               "appliance:\n"
               "  ingest:\n"
               "    - {driver: socket, listen: \"127.0.0.1:4700\"}\n"
               "    - {driver: socket, listen: \"0.0.0.0:4800\", auth: keys/a.yaml}\n"
               "    - {driver: socket, listen: \"0.0.0.0:4900\", auth: /etc/keys.yaml}\n"
               "    - {driver: socket, listen: \"0.0.0.0:5000\", auth: none,\n"
               "       allow: [192.0.2.0/24, 198.51.100.7]}\n");
    const char *paths[] = {place->folder};
    assert_int_equal(config_load(paths, 1, place->config), RESULT_OK);
    const struct config_ingest *ingest = place->config->options.ingest;
    assert_int_equal(place->config->options.ingest_count, 4);
    assert_string_equal(ingest[0].auth_path, "");
    assert_false(ingest[0].auth_none);
    (void)snprintf(expected, sizeof(expected), "%s/keys/a.yaml", place->folder);
    assert_string_equal(ingest[1].auth_path, expected);
    assert_string_equal(ingest[2].auth_path, "/etc/keys.yaml");
    assert_true(ingest[3].auth_none);
    assert_string_equal(ingest[3].auth_path, "");
    assert_int_equal(ingest[3].allow_count, 2);
    assert_int_equal(ingest[3].allow[0].bits, 120);
    assert_int_equal(ingest[3].allow[1].ip[15], 7);
}

static void a_check_knows_the_places_of_the_row_store(void **state)
{
    (void)state;
    for (uint32_t lines = 1; lines <= ROW_SIZE_MAX / CACHE_LINE_BYTES; lines++) {
        uint32_t class_index = row_store_class_of(lines);
        assert_true(class_index < ROW_STORE_CLASSES);
        assert_int_equal(check_place_lines(lines), row_store_class_lines(class_index));
    }
}

static void who_names_a_folder_for_data_is_told_what_is_kept(void **state)
{
    struct place *place = *state;
    const struct config_options *options = &place->config->options;
    add(place, "%sappliance:\n  data: {directory: var/freshet}\n", stream_s);
    assert_int_equal(load_added(place), RESULT_OK);
    assert_string_equal(options->data_directory, "var/freshet");
    assert_int_equal(options->ack, CONFIG_ACK_DURABLE);
    add(place,
        "%sappliance:\n  data: {directory: /d, ack: none, checkpoint: 1m, mirror: {keep: 1h, "
        "bytes: 1GiB, archive: old/segments/, lake: /lake, segment: 4MiB}}\n",
        stream_s);
    assert_int_equal(load_added(place), RESULT_OK);
    assert_string_equal(options->data_directory, "/d");
    assert_int_equal(options->ack, CONFIG_ACK_NONE);
    assert_int_equal(options->checkpoint_us, 60 * US_PER_SECOND);
    assert_int_equal(options->mirror_keep_us, 3600 * US_PER_SECOND);
    assert_int_equal(options->mirror_bytes, GIB);
    assert_string_equal(options->mirror_archive, "old/segments");
    assert_string_equal(options->mirror_lake, "/lake");
    assert_int_equal(options->mirror_segment_bytes, 4 * MIB);
}

/* Every key, kind and limit that a user can write is explained. */
static void every_key_is_in_the_manual(void **state)
{
    struct place *place = *state;
    static const char *const words[] = {
#define KEYWORD(place, name, state, sentence) "`" #name "`",
#include "config/keywords.def"
#undef KEYWORD
#define FIELD_TYPE(name, wire_bytes) "`" #name "`",
#include "dataplane/feature/field_types.def"
#undef FIELD_TYPE
#define AGGREGATE(name, argument, type, parameter, sentence) "`" #name "`",
#include "dataplane/feature/aggregates.def"
#undef AGGREGATE
#define WINDOW_LATER(name, sentence) "`" #name "`",
#include "config/windows_later.def"
#undef WINDOW_LATER
    };
    char path[CONFIG_PATH_SIZE_MAX];
    example_path("docs/configuration.md", path);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(place->text, 1, TEXT_SIZE_MAX - 1, file);
    place->text[size] = '\0';
    assert_int_equal(fclose(file), 0);
    uint32_t missing = 0;
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (strstr(place->text, words[i]) == NULL) {
            print_error("docs/configuration.md does not explain %s\n", words[i]);
            missing++;
        }
    }
    assert_int_equal(missing, 0);
}

#define PLACE_TEST(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(files_merge_by_top_level_key),
        PLACE_TEST(who_may_send_is_kept_with_paths_beside_the_file),
        PLACE_TEST(a_folder_means_its_yaml_files_in_name_order),
        PLACE_TEST(a_name_defined_twice_shows_both_places),
        PLACE_TEST(what_cannot_be_read_is_an_error_of_the_file),
        PLACE_TEST(no_file_at_all_is_an_error),
        PLACE_TEST(a_file_above_4_mib_is_refused),
        PLACE_TEST(a_file_of_too_many_values_is_refused),
        PLACE_TEST(too_many_entries_are_one_error),
        PLACE_TEST(errors_beyond_the_kept_ones_are_counted),
        PLACE_TEST(streams_up_to_their_limit_are_taken_and_one_more_is_not),
        PLACE_TEST(enums_of_a_stream_have_their_limit_of_bytes),
        PLACE_TEST(views_up_to_their_limit_are_taken_and_one_more_is_not),
        PLACE_TEST(a_stream_feeds_sixteen_views_and_not_one_more),
        PLACE_TEST(sixty_four_fields_are_taken_and_one_more_is_not),
        PLACE_TEST(an_event_has_its_size_limit),
        PLACE_TEST(an_enum_has_sixty_four_values_and_not_one_more),
        PLACE_TEST(a_view_has_thirty_two_aggregates_and_not_one_more),
        PLACE_TEST(a_view_has_its_limit_of_accumulators),
        PLACE_TEST(all_views_together_have_their_limit_of_features),
        PLACE_TEST(a_row_that_could_grow_beyond_its_limit_is_refused),
        PLACE_TEST(a_row_that_could_have_more_tiles_than_it_counts_is_refused),
        PLACE_TEST(a_key_that_no_row_can_have_is_refused),
        PLACE_TEST(what_is_not_written_has_the_documented_default),
        PLACE_TEST(who_names_a_folder_for_data_is_told_what_is_kept),
        PLACE_TEST(the_card_example_is_what_it_says),
        PLACE_TEST(the_first_example_loads),
        PLACE_TEST(the_quality_example_has_a_policy_per_rule),
        PLACE_TEST(the_lines_in_the_examples_are_events),
        PLACE_TEST(a_check_orders_sizes_and_stays_below_the_worst),
        cmocka_unit_test(a_check_knows_the_places_of_the_row_store),
        PLACE_TEST(every_key_is_in_the_manual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
