/* `appliance:` to options. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/errors.h"
#include "config/loader.h"
#include "config/scalar.h"
#include "config/suggest.h"
#include "dataplane/base/units.h"

#define UNIX_PATH_SIZE_MAX 108 /* sockaddr_un. */
#define MEMORY_MIN         CONFIG_SHARD_MEMORY_MIN
#define MEMORY_MAX         (64 * 1024 * GIB)
#define MEMORY_DEFAULT     (1 * GIB)
#define UNIX_MODE_DEFAULT  0660
#define LANES_DEFAULT      4096
#define LANES_MAX          1048576

static const char *const driver_names[] = {"socket", "ethdev", "file"};
static const char *const idle_names[] = {"poll", "sleep"};

void options_set_defaults(struct config_options *options)
{
    *options = (struct config_options){
        .idle = CONFIG_IDLE_POLL,
        .ingest_count = 1,
        .ingest = {{.driver = CONFIG_DRIVER_SOCKET, .listen = "127.0.0.1:4700", .stream = -1}},
        .query_unix = "run/freshet.sock",
        .query_tcp = "127.0.0.1:6380",
        .query_http = "127.0.0.1:6566",
        .query_unix_mode = UNIX_MODE_DEFAULT,
        .state_memory_bytes = MEMORY_DEFAULT,
        .lanes_max = LANES_DEFAULT,
    };
    options_data_set_defaults(options);
}

struct endpoint {
    bool loopback;
    uint16_t port;
};

/* "192.0.2.1:4700" or "[::1]:4700". */
static bool endpoint_parse(const char *text, struct endpoint *out_endpoint)
{
    char host[INET6_ADDRSTRLEN] = "";
    const char *colon = strrchr(text, ':');
    bool bracket = text[0] == '[';
    if (colon == NULL || (bracket && (colon == text + 1 || colon[-1] != ']'))) {
        return false;
    }
    size_t size = bracket ? (size_t)(colon - text) - 2 : (size_t)(colon - text);
    if (size == 0 || size >= sizeof(host)) {
        return false;
    }
    memcpy(host, text + bracket, size);
    size_t digits = strspn(colon + 1, "0123456789");
    unsigned long port = strtoul(colon + 1, NULL, 10);
    if (digits == 0 || digits > 5 || colon[1 + digits] != '\0' || port > UINT16_MAX) {
        return false;
    }
    struct in_addr four;
    struct in6_addr six;
    if (bracket ? inet_pton(AF_INET6, host, &six) != 1 : inet_pton(AF_INET, host, &four) != 1) {
        return false;
    }
    out_endpoint->loopback =
        bracket ? IN6_IS_ADDR_LOOPBACK(&six) != 0 : ntohl(four.s_addr) >> 24 == 127;
    out_endpoint->port = (uint16_t)port;
    return true;
}

static bool endpoint_read(struct config *config, const struct node *node, const char *what,
                          char *out, struct endpoint *out_endpoint)
{
    if (!scalar_read_text(config, node, what, CONFIG_PATH_SIZE_MAX, out)) {
        return false;
    }
    if (!endpoint_parse(out, out_endpoint)) {
        error_at(config, node,
                 "%s is `%.64s`; an address with a port is allowed, as "
                 "\"127.0.0.1:4700\" or \"[::1]:4700\" (numbers, no host names)",
                 what, node->text);
        out[0] = '\0';
        return false;
    }
    return true;
}

/* True when other machines can reach it. */
static bool listen_read(struct config *config, const struct node *listen,
                        struct config_ingest *ingest)
{
    struct endpoint endpoint;
    if (!endpoint_read(config, listen, "`listen`", ingest->listen, &endpoint)) {
        return false;
    }
    if (endpoint.port > UINT16_MAX - SHARDS_MAX) {
        error_at(config, listen,
                 "port %u leaves no room for the ports of the shards (port + 1 and "
                 "up); at most %d is allowed",
                 endpoint.port, UINT16_MAX - SHARDS_MAX);
    }
    return !endpoint.loopback;
}

static void cidr_read(struct config *config, const struct node *address,
                      struct config_ingest *ingest)
{
    if (!scalar_read_text(config, address, "`address`", CONFIG_PATH_SIZE_MAX, ingest->address)) {
        return;
    }
    char host[CONFIG_PATH_SIZE_MAX];
    memcpy(host, ingest->address, sizeof(host));
    char *slash = strchr(host, '/');
    size_t digits = slash == NULL ? 0 : strspn(slash + 1, "0123456789");
    bool good = digits > 0 && digits <= 2 && slash[1 + digits] == '\0' &&
                strtoul(slash + 1, NULL, 10) <= 32;
    struct in_addr four;
    if (good) {
        *slash = '\0';
        good = inet_pton(AF_INET, host, &four) == 1;
    }
    if (!good) {
        error_at(config, address,
                 "`address` is `%.64s`; an IPv4 address with its prefix is allowed, "
                 "as 192.0.2.10/24",
                 address->text);
    }
}

static void ingest_stream_read(struct config *config, const struct node *stream,
                               struct config_ingest *ingest)
{
    if (!scalar_is(config, stream, "`stream`")) {
        return;
    }
    struct suggest suggest = suggest_for(stream->text);
    for (uint32_t i = 0; i < config->plan.stream_count; i++) {
        if (strcmp(config->plan.stream[i].schema.name, stream->text) == 0) {
            ingest->stream = (int)i;
            return;
        }
        suggest_try(&suggest, config->plan.stream[i].schema.name);
    }
    char near[SUGGEST_TEXT_SIZE_MAX];
    error_at(config, stream, "`stream` is `%.64s`, which is no stream%s", stream->text,
             suggest_text(&suggest, near));
}

/* Which keys belong to which driver; the others are errors there. */
static void driver_keys_check(struct config *config, const struct node *const *value,
                              enum config_driver driver)
{
    static const struct {
        enum keyword keyword;
        enum config_driver driver;
    } owners[] = {
        {KEYWORD_ingest_listen, CONFIG_DRIVER_SOCKET},
        {KEYWORD_ingest_device, CONFIG_DRIVER_ETHDEV},
        {KEYWORD_ingest_vdev, CONFIG_DRIVER_ETHDEV},
        {KEYWORD_ingest_address, CONFIG_DRIVER_ETHDEV},
        {KEYWORD_ingest_port, CONFIG_DRIVER_ETHDEV},
        {KEYWORD_ingest_path, CONFIG_DRIVER_FILE},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(owners); i++) {
        const struct node *node = value[owners[i].keyword];
        if (node != NULL && owners[i].driver != driver) {
            error_at(config, node->key, "`%s` belongs to driver %s; this entry is driver %s",
                     node->key->text, driver_names[owners[i].driver], driver_names[driver]);
        }
    }
}

static void require(struct config *config, const struct node *map, enum keyword keyword,
                    const char *driver, const char *hint)
{
    if (node_map_find(map, keyword_name(keyword)) == NULL) {
        error_at(config, map, "driver %s needs `%s`, as %s", driver, keyword_name(keyword), hint);
    }
}

static void ethdev_read(struct config *config, const struct node *map,
                        const struct node *const *value, struct config_ingest *ingest)
{
    const struct node *device = value[KEYWORD_ingest_device];
    const struct node *vdev = value[KEYWORD_ingest_vdev];
    const struct node *port = value[KEYWORD_ingest_port];
    require(config, map, KEYWORD_ingest_address, "ethdev", "192.0.2.10/24");
    require(config, map, KEYWORD_ingest_port, "ethdev", "4700");
    if (device != NULL && vdev != NULL) {
        error_at(config, vdev->key, "`device` and `vdev` in one entry; one of them is allowed");
    } else if (device == NULL && vdev == NULL) {
        error_at(config, map,
                 "driver ethdev needs `device`, as \"0000:3b:00.0\", or `vdev`, as "
                 "\"net_af_packet0,iface=eth1\"");
    }
    if (device != NULL) {
        (void)scalar_read_text(config, device, "`device`", CONFIG_PATH_SIZE_MAX, ingest->device);
    }
    if (vdev != NULL) {
        (void)scalar_read_text(config, vdev, "`vdev`", CONFIG_PATH_SIZE_MAX, ingest->vdev);
    }
    if (value[KEYWORD_ingest_address] != NULL) {
        cidr_read(config, value[KEYWORD_ingest_address], ingest);
    }
    uint64_t number;
    if (port != NULL &&
        scalar_read_uint(config, port, "`port`", 1, UINT16_MAX - SHARDS_MAX, &number)) {
        ingest->port = (uint16_t)number;
    }
}

static void ingest_read(struct config *config, const struct node *map, struct config_ingest *ingest)
{
    struct keyword_values values;
    const struct node *const *value = values.value;
    uint32_t driver;
    *ingest = (struct config_ingest){.stream = -1};
    keyword_read_map(config, map, PLACE_ingest, &values);
    if (map->kind != NODE_MAP) {
        return;
    }
    if (value[KEYWORD_ingest_stream] != NULL) {
        ingest_stream_read(config, value[KEYWORD_ingest_stream], ingest);
    }
    if (node_map_find(map, "driver") == NULL) {
        error_at(config, map, "an entry of `ingest` needs `driver`; allowed: socket, ethdev, file");
    }
    if (value[KEYWORD_ingest_driver] == NULL ||
        !scalar_read_choice(config, value[KEYWORD_ingest_driver], "`driver`", driver_names,
                            ARRAY_COUNT(driver_names), &driver)) {
        return;
    }
    ingest->driver = (enum config_driver)driver;
    driver_keys_check(config, value, ingest->driver);
    bool reachable = ingest->driver == CONFIG_DRIVER_ETHDEV;
    if (ingest->driver == CONFIG_DRIVER_SOCKET) {
        require(config, map, KEYWORD_ingest_listen, "socket", "\"127.0.0.1:4700\"");
        if (value[KEYWORD_ingest_listen] != NULL) {
            reachable = listen_read(config, value[KEYWORD_ingest_listen], ingest);
        }
    } else if (ingest->driver == CONFIG_DRIVER_ETHDEV) {
        ethdev_read(config, map, value, ingest);
    } else {
        require(config, map, KEYWORD_ingest_path, "file", "events.fe");
        if (value[KEYWORD_ingest_path] != NULL) {
            (void)scalar_read_text(config, value[KEYWORD_ingest_path], "`path`",
                                   CONFIG_PATH_SIZE_MAX, ingest->path);
        }
    }
    ingest_auth_read(config, map, &values, reachable, ingest);
}

static void ingest_list_read(struct config *config, const struct node *list)
{
    struct config_options *options = &config->options;
    if (list->kind == NODE_BROKEN) {
        return;
    }
    if (list->kind != NODE_LIST || list->size == 0) {
        error_at(config, list,
                 "`ingest` is a list of sources, as "
                 "- {driver: socket, listen: \"127.0.0.1:4700\"}");
        return;
    }
    if (list->size > CONFIG_INGEST_MAX) {
        error_at(config, list, "`ingest` has %u entries; at most %d are allowed", list->size,
                 CONFIG_INGEST_MAX);
        return;
    }
    options->ingest_count = 0;
    for (const struct node *item = list->first; item != NULL; item = item->next) {
        ingest_read(config, item, &options->ingest[options->ingest_count++]);
    }
}

/* Three octal digits, with or without a 0 in front. */
static void unix_mode_read(struct config *config, const struct node *mode)
{
    if (!scalar_is(config, mode, "`unix_mode`")) {
        return;
    }
    const char *digits = mode->text + (mode->text[0] == '0' ? 1 : 0);
    unsigned long value = strtoul(digits, NULL, 8);
    if (strlen(digits) != 3 || strspn(digits, "01234567") != 3 || (value & 0600) != 0600) {
        error_at(config, mode,
                 "`unix_mode` is `%.64s`; a file mode that lets the owner read and write is "
                 "allowed, as \"0660\" or \"0600\"",
                 mode->text);
        return;
    }
    config->options.query_unix_mode = (uint32_t)value;
}

static void query_read(struct config *config, const struct node *map)
{
    struct config_options *options = &config->options;
    struct keyword_values values;
    struct endpoint endpoint;
    keyword_read_map(config, map, PLACE_query, &values);
    if (map->kind != NODE_MAP) {
        return;
    }
    options->query_unix[0] = '\0';
    options->query_tcp[0] = '\0';
    options->query_http[0] = '\0';
    if (values.value[KEYWORD_query_unix] != NULL) {
        (void)scalar_read_text(config, values.value[KEYWORD_query_unix], "`unix`",
                               UNIX_PATH_SIZE_MAX, options->query_unix);
    }
    if (values.value[KEYWORD_query_tcp] != NULL) {
        (void)endpoint_read(config, values.value[KEYWORD_query_tcp], "`tcp`", options->query_tcp,
                            &endpoint);
    }
    if (values.value[KEYWORD_query_http] != NULL) {
        (void)endpoint_read(config, values.value[KEYWORD_query_http], "`http`", options->query_http,
                            &endpoint);
    }
    if (values.value[KEYWORD_query_unix_mode] != NULL) {
        unix_mode_read(config, values.value[KEYWORD_query_unix_mode]);
    }
    if (values.value[KEYWORD_query_users] != NULL) {
        (void)scalar_read_text(config, values.value[KEYWORD_query_users], "`users`",
                               CONFIG_PATH_SIZE_MAX, options->query_users);
    }
}

static void state_read(struct config *config, const struct node *map)
{
    struct keyword_values values;
    uint64_t number;
    keyword_read_map(config, map, PLACE_state, &values);
    const struct node *memory = values.value[KEYWORD_state_memory];
    const struct node *lanes = values.value[KEYWORD_state_lanes];
    if (memory != NULL) {
        (void)scalar_read_bytes(config, memory, "`memory`", MEMORY_MIN, MEMORY_MAX,
                                &config->options.state_memory_bytes);
    }
    if (lanes != NULL && scalar_read_uint(config, lanes, "`lanes`", 1, LANES_MAX, &number)) {
        config->options.lanes_max = (uint32_t)number;
    }
}

static void shards_read(struct config *config, const struct node *shards)
{
    if (!scalar_is(config, shards, "`shards`")) {
        return;
    }
    uint64_t number;
    if (strcmp(shards->text, "auto") == 0) {
        config->options.shards = 0;
    } else if (shards->text[0] < '0' || shards->text[0] > '9') {
        error_at(config, shards,
                 "`shards` is `%.64s`; auto, or a whole number from 1 to %d is "
                 "allowed",
                 shards->text, SHARDS_MAX);
    } else if (scalar_read_uint(config, shards, "`shards`", 1, SHARDS_MAX, &number)) {
        config->options.shards = (uint32_t)number;
    }
}

void options_read(struct loader *loader)
{
    struct config *config = loader->config;
    struct keyword_values values;
    uint32_t choice;
    options_set_defaults(&config->options);
    if (loader->top[KEYWORD_top_appliance] == NULL) {
        return;
    }
    keyword_read_map(config, loader->top[KEYWORD_top_appliance], PLACE_appliance, &values);
    const struct node *const *value = values.value;
    if (value[KEYWORD_appliance_shards] != NULL) {
        shards_read(config, value[KEYWORD_appliance_shards]);
    }
    if (value[KEYWORD_appliance_idle] != NULL &&
        scalar_read_choice(config, value[KEYWORD_appliance_idle], "`idle`", idle_names,
                           ARRAY_COUNT(idle_names), &choice)) {
        config->options.idle = (enum config_idle)choice;
    }
    if (value[KEYWORD_appliance_ingest] != NULL) {
        ingest_list_read(config, value[KEYWORD_appliance_ingest]);
    }
    if (value[KEYWORD_appliance_query] != NULL) {
        query_read(config, value[KEYWORD_appliance_query]);
    }
    if (value[KEYWORD_appliance_user] != NULL) {
        (void)scalar_read_text(config, value[KEYWORD_appliance_user], "`user`",
                               CONFIG_USER_SIZE_MAX, config->options.user);
    }
    if (value[KEYWORD_appliance_state] != NULL) {
        state_read(config, value[KEYWORD_appliance_state]);
    }
    uint64_t least_bytes = (uint64_t)config->options.shards * CONFIG_SHARD_MEMORY_MIN;
    if (config->options.state_memory_bytes < least_bytes) {
        error_at(config, value[KEYWORD_appliance_shards],
                 "%u shards share `memory` of %lluMiB; at least %lluMiB is allowed, %lluMiB each",
                 config->options.shards,
                 (unsigned long long)(config->options.state_memory_bytes / MIB),
                 (unsigned long long)(least_bytes / MIB),
                 (unsigned long long)(CONFIG_SHARD_MEMORY_MIN / MIB));
    }
    if (value[KEYWORD_appliance_data] != NULL) {
        options_data_read(config, value[KEYWORD_appliance_data]);
    }
}
