/* FS.BACKFILL: history for views that are new. */
#include <string.h>

#include "controlplane/appliance.h"
#include "controlplane/backfill.h"
#include "controlplane/command.h"
#include "controlplane/report.h"
#include "drivers/memory.h"

static bool backfill_wanted(struct command_call *call)
{
    if (call->host->appliance->backfill != NULL) {
        return true;
    }
    resp_write_error(call->reply, "ERR there is no mirror to fill a view from: set "
                                  "`data.directory`");
    return false;
}

/* A copy with a NUL behind it; NULL: it is none, or there is no memory. */
static char *path_copy(const struct resp_argument *argument)
{
    char *copy = memchr(argument->data, '\0', argument->size) == NULL
                     ? heap_alloc(argument->size + 1)
                     : NULL;
    if (copy != NULL) {
        memcpy(copy, argument->data, argument->size);
        copy[argument->size] = '\0';
    }
    return copy;
}

/* One option of START, two words; false after writing an error. */
static bool option_read(struct command_call *call, uint32_t at, struct backfill_order *order,
                        char **path)
{
    const struct resp_argument *name = &call->argument[at];
    bool has_value = at + 1 < call->count;
    const struct resp_argument *value = &call->argument[at + 1];
    int64_t rate;
    if (has_value && resp_is(name, "RATE") && resp_integer_read(value->data, value->size, &rate) &&
        rate > 0) {
        order->events_per_second = (uint64_t)rate;
        return true;
    }
    if (has_value && resp_is(name, "FILE") && order->path_count < BACKFILL_PATHS_MAX) {
        path[order->path_count] = path_copy(value);
        if (path[order->path_count] != NULL) {
            order->path_count++;
            return true;
        }
    }
    resp_write_error(call->reply,
                     "ERR FS.BACKFILL START takes: %s; RATE is above 0, and at most %d files",
                     call->command->syntax, BACKFILL_PATHS_MAX);
    return false;
}

static bool order_read(struct command_call *call, struct backfill_order *order, char **path)
{
    const struct resp_argument *view = &call->argument[2];
    if (view->size == 0 || view->size >= sizeof(order->view) ||
        memchr(view->data, '\0', view->size) != NULL) {
        char show[96];
        resp_write_error(call->reply, "ERR '%s' is no name of a view",
                         command_show(view, show, sizeof(show)));
        return false;
    }
    memcpy(order->view, view->data, view->size);
    for (uint32_t i = 3; i < call->count; i += 2) {
        if (!option_read(call, i, order, path)) {
            return false;
        }
    }
    order->path = (const char *const *)path;
    return true;
}

void command_fs_backfill_start(struct command_call *call)
{
    char *path[BACKFILL_PATHS_MAX] = {NULL};
    struct backfill_order order = {0};
    if (!backfill_wanted(call)) {
        return;
    }
    if (order_read(call, &order, path)) {
        char error[BACKFILL_ERROR_SIZE_MAX];
        enum result result = backfill_begin(call->host->appliance->backfill, &order, error);
        if (result == RESULT_OK) {
            resp_write_simple(call->reply, "started");
        } else if (result == RESULT_EXISTS) {
            resp_write_simple(call->reply, "running");
        } else {
            resp_write_error(call->reply, "ERR %s", error);
        }
    }
    for (uint32_t i = 0; i < order.path_count; i++) {
        heap_free(path[i]);
    }
}

void command_fs_backfill_status(struct command_call *call)
{
    struct buffer *text = &call->host->text;
    if (!backfill_wanted(call)) {
        return;
    }
    report_backfill(call->host->appliance, text);
    if (text->failed) {
        resp_write_error(call->reply, "ERR no memory for the report");
    } else {
        resp_write_bulk(call->reply, text->data, text->size);
    }
    buffer_deinit(text);
}
