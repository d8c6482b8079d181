#include "controlplane/backfill_from.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/definitions.h"
#include "controlplane/event_file.h"
#include "controlplane/file_hash.h"
#include "controlplane/inspect.h"
#include "controlplane/progress.h"
#include "controlplane/send_acked.h"
#include "controlplane/sender_key.h"
#include "controlplane/verb.h"
#include "dataplane/base/hash.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/text.h"
#include "dataplane/feature/text_time.h"
#include "drivers/memory.h"
#include "drivers/secret.h"

#define BAD_SHOWN_MAX 5u

struct loading {
    const struct backfill_from *from;
    struct config *config; /* Owned, as what follows. */
    json_t *status;        /* Of the appliance. */
    FILE *in;
    struct event_file file;
    struct send_acked *sender;
    uint32_t view;
    uint32_t stream;
    int64_t before_us;
    int64_t oldest_us;
    int64_t newest_us;
    uint64_t bad;
    uint64_t passed_over;
    struct progress progress;
    off_t size; /* Of the file, and when it changed last, before it was read. */
    struct timespec changed;
};

/* Says what is wrong; VERB_EXIT_FAILED. */
__attribute__((format(printf, 2, 3))) static int fail(const struct loading *loading,
                                                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "freshet %s: ", loading->from->verb);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "\n");
    va_end(arguments);
    return VERB_EXIT_FAILED;
}

static const struct schema *schema_of(const struct loading *loading)
{
    return &loading->config->plan.stream[loading->stream].schema;
}

/* The entry of a list of the status that has this name; NULL. */
static const json_t *status_entry(const struct loading *loading, const char *list,
                                  const char *member, const char *name)
{
    size_t index;
    const json_t *entry;
    json_array_foreach(json_object_get(loading->status, list), index, entry)
    {
        const char *own = json_string_value(json_object_get(entry, member));
        if (own != NULL && strcmp(own, name) == 0) {
            return entry;
        }
    }
    return NULL;
}

/* The view in the definitions, and which of its streams the file has events of. */
static int view_find(struct loading *loading)
{
    const struct backfill_from *from = loading->from;
    const struct plan *plan = &loading->config->plan;
    int view = plan_view_find(plan, from->view, (uint32_t)strlen(from->view), 0);
    if (view < 0) {
        return fail(loading, "the files define no view `%s`", from->view);
    }
    const struct plan_view *own = &plan->view[view];
    if (own->has_sessions) {
        return fail(
            loading,
            "view `%s` has sessions, which begin and end in the order in which events come: "
            "it takes no history from files",
            from->view);
    }
    loading->view = (uint32_t)view;
    loading->stream = plan_source_stream(own, 0);
    bool found = from->stream == NULL && plan_source_count(own) == 1;
    for (uint32_t i = 0; from->stream != NULL && i < plan_source_count(own); i++) {
        uint32_t stream = plan_source_stream(own, i);
        if (strcmp(plan->stream[stream].schema.name, from->stream) == 0) {
            loading->stream = stream;
            found = true;
        }
    }
    if (found) {
        return VERB_EXIT_OK;
    }
    (void)fail(loading, "--stream %s: view `%s` has the streams:",
               from->stream == NULL ? "is needed" : from->stream, from->view);
    for (uint32_t i = 0; i < plan_source_count(own); i++) {
        (void)fprintf(stderr, "  %s\n", plan->stream[plan_source_stream(own, i)].schema.name);
    }
    return VERB_EXIT_FAILED;
}

/* What would be refused behind the loading is refused before. */
static int status_check(const struct loading *loading)
{
    const struct plan_view *view = &loading->config->plan.view[loading->view];
    const struct schema *schema = schema_of(loading);
    const json_t *stream = status_entry(loading, "streams", "stream", schema->name);
    const json_t *running = status_entry(loading, "views", "view", view->name);
    json_int_t version = json_integer_value(json_object_get(running, "version"));
    if (!json_is_object(json_object_get(loading->status, "store")) ||
        loading->config->options.ack != CONFIG_ACK_DURABLE) {
        return fail(loading, "history needs a mirror: set `data.directory`, and `ack: durable`");
    }
    if (stream == NULL) {
        return fail(loading, "the appliance has no stream `%s`: start it with these definitions",
                    schema->name);
    }
    if (json_integer_value(json_object_get(stream, "version")) != schema->version) {
        return fail(loading, "the appliance runs stream `%s` with version %lld, the files have %u",
                    schema->name, (long long)json_integer_value(json_object_get(stream, "version")),
                    schema->version);
    }
    if (running != NULL && version >= view->version) {
        return fail(loading,
                    "view `%s` runs already, with version %lld, and takes no history any more: "
                    "raise its `version`",
                    view->name, (long long)version);
    }
    return VERB_EXIT_OK;
}

static int before_find(struct loading *loading)
{
    const json_t *store = json_object_get(loading->status, "store");
    loading->before_us = json_integer_value(json_object_get(store, "created_us"));
    if (loading->from->before != NULL &&
        !verb_time_read(loading->from->before, &loading->before_us)) {
        return fail(loading, VERB_TIME_WRONG, "before", loading->from->before);
    }
    return VERB_EXIT_OK;
}

/* Where the appliance takes messages; NULL after saying why. */
static const char *address_find(const struct loading *loading)
{
    const struct config_options *options = &loading->config->options;
    for (uint32_t i = 0; i < options->ingest_count && loading->from->to == NULL; i++) {
        const struct config_ingest *ingest = &options->ingest[i];
        if (ingest->driver == CONFIG_DRIVER_SOCKET) {
            if (ingest->auth_path[0] != '\0' && loading->from->keys == NULL) {
                (void)fail(loading,
                           "%s takes only authenticated messages: give --keys FILE and --producer",
                           ingest->listen);
                return NULL;
            }
            return ingest->listen;
        }
    }
    if (loading->from->to == NULL) {
        (void)fail(loading, "the definitions name no listener on sockets: give --to HOST:PORT");
    }
    return loading->from->to;
}

/* What the file was when it was opened. */
static int file_look(struct loading *loading)
{
    struct stat status;
    if (fstat(fileno(loading->in), &status) != 0) {
        return fail(loading, "cannot read %s: %s", loading->from->path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(loading, "%s is no file: it is read twice, to know it again",
                    loading->from->path);
    }
    loading->size = status.st_size;
    loading->changed = status.st_mtim;
    return VERB_EXIT_OK;
}

/* What was sent is the file by whose hash it was sent. */
static int file_look_again(const struct loading *loading)
{
    struct stat status;
    bool same = fstat(fileno(loading->in), &status) == 0 && status.st_size == loading->size &&
                status.st_mtim.tv_sec == loading->changed.tv_sec &&
                status.st_mtim.tv_nsec == loading->changed.tv_nsec;
    return same ? VERB_EXIT_OK
                : fail(loading,
                       "%s changed while it was read: what of it is in the mirror is history of "
                       "its stream, and the file as it is now would count beside it",
                       loading->from->path);
}

/* Who sends: the same for the same events in the same messages, whenever. */
static int identity_find(const struct loading *loading, struct send_acked_options *options)
{
    const struct schema *schema = schema_of(loading);
    uint64_t part[6] = {
        0, 0, schema->id, schema->version, schema->block_size, (uint64_t)loading->before_us};
    options->producer = loading->from->producer;
    options->incarnation = (uint32_t)loading->from->incarnation;
    if (options->producer != 0) {
        return VERB_EXIT_OK;
    }
    enum result result = file_hash_read(loading->from->path, (uint8_t *)part);
    if (result != RESULT_OK) {
        return fail(loading, "%s: %s", loading->from->path,
                    result == RESULT_NO_MEMORY ? "no memory" : strerror(errno));
    }
    options->producer = (XXH3_64bits(part, sizeof(part)) & INT64_MAX) | 1;
    options->incarnation = 1;
    return VERB_EXIT_OK;
}

static int sender_open(struct loading *loading)
{
    const struct backfill_from *from = loading->from;
    char error[SEND_ERROR_SIZE_MAX];
    char key_error[SENDER_KEY_ERROR_SIZE_MAX];
    struct sender_key key;
    struct send_acked_options options = {
        .rate = from->rate == 0 ? SEND_ACKED_RATE_NONE : from->rate, .history = true};
    options.to = address_find(loading);
    if (options.to == NULL) {
        return VERB_EXIT_FAILED;
    }
    int exit_code = identity_find(loading, &options);
    if (exit_code != VERB_EXIT_OK) {
        return exit_code;
    }
    if (from->keys != NULL) {
        if (sender_key_read(from->keys, from->producer, &key, key_error) != RESULT_OK) {
            return fail(loading, "%s", key_error);
        }
        options.key = &key;
    }
    loading->sender = heap_alloc(sizeof(*loading->sender));
    enum result result = RESULT_NO_MEMORY;
    (void)snprintf(error, sizeof(error), "no memory");
    if (loading->sender != NULL) {
        result = send_acked_open(loading->sender, &options, &loading->config->plan, loading->stream,
                                 error);
    }
    secret_wipe(&key, sizeof(key));
    return result == RESULT_OK ? VERB_EXIT_OK : fail(loading, "%s", error);
}

/* A record that is no event of history. */
static void bad_count(struct loading *loading, const char *why)
{
    if (loading->bad++ < BAD_SHOWN_MAX) {
        (void)fail(loading, "%s", why);
    }
}

/* INT64_MIN: it has none. */
static int64_t block_time_us(const struct loading *loading, const uint8_t *block)
{
    const struct schema_field *field = &schema_of(loading)->field[schema_of(loading)->time_field];
    int64_t count;
    int64_t time_us = INT64_MAX;
    memcpy(&count, block + field->offset, sizeof(count));
    if (count == INT64_MIN) {
        return INT64_MIN;
    }
    if (!text_time_to_unit(text_time_of_unit(count, field->unit), TIME_UNIT_us, &time_us)) {
        return INT64_MAX;
    }
    return time_us;
}

static void events_show(struct loading *loading)
{
    double seconds = progress_seconds(&loading->progress);
    uint64_t taken = loading->sender->stats.events_taken;
    progress_show(&loading->progress, "%s: %" PRIu64 " events, %.0f a second", loading->from->path,
                  taken, seconds > 0 ? (double)taken / seconds : 0);
}

/* One event of the file, unless it came by itself. */
static int event_send(struct loading *loading, const uint8_t *block)
{
    char error[SEND_ERROR_SIZE_MAX];
    char why[EVENT_FILE_ERROR_SIZE_MAX];
    int64_t time_us = block_time_us(loading, block);
    if (time_us == INT64_MIN) {
        event_file_refuse(&loading->file, "no time, which an event of history needs", why);
        bad_count(loading, why);
        return VERB_EXIT_OK;
    }
    if (time_us >= loading->before_us) {
        loading->passed_over++;
        return VERB_EXIT_OK;
    }
    loading->oldest_us = time_us < loading->oldest_us ? time_us : loading->oldest_us;
    loading->newest_us = time_us > loading->newest_us ? time_us : loading->newest_us;
    if (send_acked_add(loading->sender, error) != RESULT_OK) {
        return fail(loading, "%s", error);
    }
    if (progress_is_due(&loading->progress)) {
        events_show(loading);
    }
    return VERB_EXIT_OK;
}

static int events_send(struct loading *loading)
{
    char error[EVENT_FILE_ERROR_SIZE_MAX];
    int exit_code = VERB_EXIT_OK;
    progress_begin(&loading->progress, !loading->from->json);
    while (exit_code == VERB_EXIT_OK) {
        uint8_t *block = send_acked_event(loading->sender);
        enum event_file_step step = event_file_next(&loading->file, block, error);
        if (step == EVENT_FILE_END) {
            break;
        }
        if (step == EVENT_FILE_FAILED) {
            return fail(loading, "%s", error);
        }
        if (step == EVENT_FILE_EVENT) {
            exit_code = event_send(loading, block);
        } else {
            bad_count(loading, error);
        }
    }
    send_acked_finish(loading->sender);
    events_show(loading);
    progress_end(&loading->progress);
    return exit_code;
}

static json_t *account_of(const struct loading *loading)
{
    const struct freshet_producer_stats *stats = &loading->sender->stats;
    bool some = stats->events_taken > 0;
    const struct plan_view *view = &loading->config->plan.view[loading->view];
    return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I}", "file",
                     loading->from->path, "stream", schema_of(loading)->name, "alone",
                     view->other_count == 0, "events", (json_int_t)stats->events_taken, "durable",
                     (json_int_t)stats->events_durable, "messages_sent",
                     (json_int_t)stats->messages_sent, "passed_over",
                     (json_int_t)loading->passed_over, "not_events", (json_int_t)loading->bad,
                     "oldest_us", some ? json_integer(loading->oldest_us) : json_null(),
                     "newest_us", some ? json_integer(loading->newest_us) : json_null(),
                     "before_us", (json_int_t)loading->before_us);
}

static void account_print(const struct loading *loading)
{
    const struct freshet_producer_stats *stats = &loading->sender->stats;
    char time[INSPECT_TIME_SIZE_MAX];
    char until[INSPECT_TIME_SIZE_MAX];
    printf("%s: %" PRIu64 " events of %s are in the mirror", loading->from->path,
           stats->events_durable, schema_of(loading)->name);
    if (stats->events_taken > 0) {
        printf(", from %s to %s", inspect_time_format(loading->oldest_us, time),
               inspect_time_format(loading->newest_us, until));
    }
    printf("\n");
    if (loading->passed_over > 0) {
        printf("%s: %" PRIu64 " events of %s or later were passed over\n", loading->from->path,
               loading->passed_over, inspect_time_format(loading->before_us, time));
    }
    if (loading->bad > 0) {
        printf("%s: %" PRIu64 " records are no events\n", loading->from->path, loading->bad);
    }
}

static int file_load(struct loading *loading)
{
    char error[EVENT_FILE_ERROR_SIZE_MAX];
    loading->in = fopen(loading->from->path, "re");
    if (loading->in == NULL) {
        return fail(loading, "cannot read %s: %s", loading->from->path, strerror(errno));
    }
    int exit_code = file_look(loading);
    if (exit_code != VERB_EXIT_OK) {
        return exit_code;
    }
    if (event_file_open(&loading->file, loading->in, loading->from->path, schema_of(loading),
                        INT64_MIN, error) != RESULT_OK) {
        return fail(loading, "%s", error);
    }
    exit_code = sender_open(loading);
    exit_code = exit_code == VERB_EXIT_OK ? events_send(loading) : exit_code;
    exit_code = exit_code == VERB_EXIT_OK ? file_look_again(loading) : exit_code;
    if (exit_code == VERB_EXIT_OK && loading->sender->stats.events_taken == 0) {
        char time[INSPECT_TIME_SIZE_MAX];
        return fail(loading, "%s has no event of before %s: nothing is filled", loading->from->path,
                    inspect_time_format(loading->before_us, time));
    }
    if (exit_code == VERB_EXIT_OK && loading->sender->lost > 0) {
        return fail(loading,
                    "%" PRIu64 " of %" PRIu64 " events were not acknowledged: nothing is filled; "
                    "the same command goes on where it ended",
                    loading->sender->lost, loading->sender->stats.events_taken);
    }
    return exit_code;
}

static int prepare(struct loading *loading, struct client *client)
{
    static const char *const command[] = {"FS.STATUS"};
    int exit_code = definitions_load(loading->from->definition, loading->from->definition_count,
                                     loading->from->json, &loading->config);
    if (exit_code != VERB_EXIT_OK) {
        return exit_code;
    }
    loading->status = client_json(client, 1, command);
    exit_code = loading->status == NULL ? VERB_EXIT_FAILED : view_find(loading);
    exit_code = exit_code == VERB_EXIT_OK ? status_check(loading) : exit_code;
    return exit_code == VERB_EXIT_OK ? before_find(loading) : exit_code;
}

int backfill_from_load(const struct backfill_from *from, struct client *client,
                       json_t **out_account)
{
    struct loading loading = {.from = from, .oldest_us = INT64_MAX, .newest_us = INT64_MIN};
    int exit_code = prepare(&loading, client);
    exit_code = exit_code == VERB_EXIT_OK ? file_load(&loading) : exit_code;
    if (exit_code == VERB_EXIT_OK) {
        *out_account = account_of(&loading);
        if (!from->json) {
            account_print(&loading);
        }
    }
    if (loading.sender != NULL) {
        send_acked_close(loading.sender);
        heap_free(loading.sender);
    }
    if (loading.in != NULL) {
        event_file_close(&loading.file);
        (void)fclose(loading.in);
    }
    json_decref(loading.status);
    definitions_free(loading.config);
    return exit_code;
}
