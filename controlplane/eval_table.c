/* freshet eval --table STREAM=FILE: a batch table, read as `freshet send` reads it, and sent as
 * messages of a producer of its own, before the events. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/encoder.h"
#include "controlplane/eval_inside.h"
#include "controlplane/event_file.h"
#include "dataplane/feature/wire.h"
#include "drivers/memory.h"

#define TABLE_PRODUCER 1u

struct eval_table {
    const struct schema *schema;
    const char *path;
    struct event_file file;
    struct encoder encoder;
};

static void message_send(struct eval *eval, struct eval_table *table)
{
    uint32_t size = encoder_finish(&table->encoder, eval->now_us);
    (void)evaluation_send(eval->evaluation, (const char *)table->encoder.data, size);
}

/* Every row; one that is none is said and counted. False: the file could not be read to its end. */
static bool rows_send(struct eval *eval, struct eval_table *table)
{
    char error[EVENT_FILE_ERROR_SIZE_MAX];
    for (;;) {
        enum event_file_step step =
            event_file_next(&table->file, encoder_event(&table->encoder), error);
        if (step == EVENT_FILE_EVENT) {
            encoder_add(&table->encoder);
        }
        if (encoder_is_full(&table->encoder) ||
            (step != EVENT_FILE_EVENT && table->encoder.event_count > 0)) {
            message_send(eval, table);
        }
        if (step == EVENT_FILE_BAD || step == EVENT_FILE_FAILED) {
            (void)fprintf(stderr, "freshet eval: %s\n", error);
            eval->wrong++;
        }
        if (step == EVENT_FILE_END || step == EVENT_FILE_FAILED) {
            return step == EVENT_FILE_END;
        }
    }
}

/* index: of the table, which is its lane. */
static int table_open_send(struct eval *eval, struct eval_table *table, uint16_t index)
{
    char error[EVENT_FILE_ERROR_SIZE_MAX];
    FILE *in = fopen(table->path, "re");
    if (in == NULL) {
        return eval_failed(table->path, strerror(errno));
    }
    int exit_code = VERB_EXIT_OK;
    enum result result = encoder_init(&table->encoder, table->schema, TABLE_PRODUCER, 1, index,
                                      WIRE_FLAG_UNACKED, MESSAGE_SIZE_MAX);
    if (result == RESULT_OK) {
        result = event_file_open(&table->file, in, table->path, table->schema, eval->now_us, error);
        if (result != RESULT_OK) {
            (void)fprintf(stderr, "freshet eval: %s\n", error);
        } else if (!rows_send(eval, table)) {
            result = RESULT_INVALID;
        }
        event_file_close(&table->file);
    }
    if (result != RESULT_OK) {
        exit_code = VERB_EXIT_FAILED;
    }
    (void)fclose(in);
    return exit_code;
}

const char *eval_table_path(const struct eval *eval, uint32_t table, int *out_stream)
{
    const char *text = eval->options->tables.value[table];
    const char *equals = strchr(text, '=');
    if (equals == NULL) {
        return NULL;
    }
    *out_stream = plan_stream_find(&eval->config->plan, text, (uint32_t)(equals - text));
    return equals + 1;
}

int eval_tables_send(struct eval *eval)
{
    int exit_code = VERB_EXIT_OK;
    struct eval_table *table = heap_alloc(sizeof(*table));
    if (table == NULL) {
        return eval_failed("a table", "the machine gave no memory");
    }
    for (uint32_t i = 0; i < eval->options->tables.count && exit_code == VERB_EXIT_OK; i++) {
        int stream = -1;
        table->path = eval_table_path(eval, i, &stream);
        table->schema = &eval->config->plan.stream[stream].schema;
        exit_code = table_open_send(eval, table, (uint16_t)i);
    }
    heap_free(table);
    return exit_code;
}
