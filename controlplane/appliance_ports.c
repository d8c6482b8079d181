/* The appliance's listeners and the keys of those who may send to them. */
#include "controlplane/appliance_inside.h"
#include "controlplane/keys_live.h"

_Static_assert(CONFIG_INGEST_MAX <= WORKER_PORTS_MAX, "a worker takes every port");

static void net_options_of(const struct appliance *appliance, const struct config_ingest *ingest,
                           struct net_options *out)
{
    *out = (struct net_options){
        .listen = ingest->listen,
        .device = ingest->device[0] == '\0' ? NULL : ingest->device,
        .vdev = ingest->vdev[0] == '\0' ? NULL : ingest->vdev,
        .address = ingest->address[0] == '\0' ? NULL : ingest->address,
        .port = ingest->port,
        .path = ingest->path,
        .queue_count = appliance->shard_count,
    };
    switch (ingest->driver) {
    case CONFIG_DRIVER_SOCKET:
        out->driver = NET_DRIVER_SOCKET;
        break;
    case CONFIG_DRIVER_ETHDEV:
        out->driver = NET_DRIVER_ETHDEV;
        break;
    case CONFIG_DRIVER_FILE:
        out->driver = NET_DRIVER_FILE;
        break;
    }
}

/* The key file of a listener that has one. */
static enum result keys_open(struct appliance *appliance, uint32_t index,
                             char error[APPLIANCE_ERROR_SIZE_MAX])
{
    const struct config_ingest *ingest = &appliance->config->options.ingest[index];
    if (ingest->auth_path[0] == '\0') {
        return RESULT_OK;
    }
    struct keys_live *keys = heap_alloc_lines(sizeof(*keys));
    if (keys == NULL) {
        return appliance_fail(error, RESULT_NO_MEMORY, "appliance.ingest[%u]: keys: %s", index,
                              result_name(RESULT_NO_MEMORY));
    }
    char text[KEYS_LIVE_ERROR_SIZE_MAX];
    enum result result = keys_live_open(keys, ingest->auth_path, appliance->shard_count, text);
    if (result != RESULT_OK) {
        heap_free(keys);
        return appliance_fail(error, result, "appliance.ingest[%u]: %s", index, text);
    }
    appliance->keys[index] = keys;
    return RESULT_OK;
}

enum result appliance_ports_open(struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    const struct config_options *options = &appliance->config->options;
    for (uint32_t i = 0; i < options->ingest_count; i++) {
        struct net_options net_options;
        char port_error[NET_ERROR_SIZE_MAX] = "";
        net_options_of(appliance, &options->ingest[i], &net_options);
        enum result result = net_port_open(&net_options, &appliance->port[i], port_error);
        if (result != RESULT_OK) {
            return appliance_fail(error, result, "appliance.ingest[%u]: %s", i, port_error);
        }
        appliance->port_count = i + 1;
        result = keys_open(appliance, i, error);
        if (result != RESULT_OK) {
            return result;
        }
    }
    return RESULT_OK;
}

void appliance_ports_close(struct appliance *appliance)
{
    for (uint32_t i = appliance->port_count; i > 0; i--) {
        net_port_close(appliance->port[i - 1]);
        if (appliance->keys[i - 1] != NULL) {
            keys_live_close(appliance->keys[i - 1]);
            heap_free(appliance->keys[i - 1]);
            appliance->keys[i - 1] = NULL;
        }
    }
    appliance->port_count = 0;
}

enum result appliance_keys_reload(struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    for (uint32_t i = 0; i < appliance->port_count; i++) {
        char text[KEYS_LIVE_ERROR_SIZE_MAX];
        enum result result =
            appliance->keys[i] == NULL ? RESULT_OK : keys_reload(appliance->keys[i], text);
        if (result != RESULT_OK) {
            return appliance_fail(error, result, "appliance.ingest[%u]: %s", i, text);
        }
    }
    return RESULT_OK;
}
