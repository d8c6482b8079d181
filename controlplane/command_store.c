/* Commands of the store: checkpoints, and the keys of producers. */
#include <inttypes.h>

#include "controlplane/appliance.h"
#include "controlplane/command.h"
#include "controlplane/store.h"
#include "dataplane/base/units.h"

static bool store_wanted(struct command_call *call)
{
    const struct store *store = call->host->appliance->store;
    if (store == NULL) {
        resp_write_error(call->reply, "ERR there is no store: set `data.directory`");
        return false;
    }
    if (!store_has_begun(store)) {
        resp_write_error(call->reply, "LOADING Freshet is preparing its log");
        return false;
    }
    return true;
}

void command_bgsave(struct command_call *call)
{
    if (store_wanted(call)) {
        (void)store_checkpoint_ask(call->host->appliance->store);
        resp_write_simple(call->reply, "Background saving started");
    }
}

void command_lastsave(struct command_call *call)
{
    if (store_wanted(call)) {
        struct store_report report;
        store_report_read(call->host->appliance->store, &report);
        resp_write_integer(call->reply, report.checkpoint.published_us / US_PER_SECOND);
    }
}

void command_fs_checkpoint(struct command_call *call)
{
    if (store_wanted(call)) {
        resp_write_integer(call->reply,
                           (int64_t)store_checkpoint_ask(call->host->appliance->store));
    }
}

void command_fs_keys_reload(struct command_call *call)
{
    char error[APPLIANCE_ERROR_SIZE_MAX];
    if (appliance_keys_reload(call->host->appliance, error) == RESULT_OK) {
        resp_write_simple(call->reply, "OK");
    } else {
        resp_write_error(call->reply, "ERR %s", error);
    }
}
