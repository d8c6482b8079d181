#include "controlplane/banner.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "controlplane/access.h"
#include "controlplane/appliance.h"
#include "controlplane/backfill_resume.h"
#include "controlplane/http.h"
#include "controlplane/server.h"
#include "controlplane/store.h"
#include "controlplane/version.h"
#include "dataplane/base/units.h"

#define MEMORY_ONLY "state lives in memory only: a restart starts empty (`data.directory` keeps it)"

/* The absolute path, so that the line works from another folder. */
static const char *socket_path(const struct appliance *appliance, char absolute[PATH_MAX])
{
    const char *path = appliance->config->options.query_unix;
    return realpath(path, absolute) == NULL ? path : absolute;
}

/* "core 1" or "cores 2 3 4". */
static void cores_format(const uint16_t *core, uint32_t count, struct buffer *out)
{
    buffer_text(out, count == 1 ? "core" : "cores");
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(out, " %u", core[i]);
    }
}

static void shards_render(const struct appliance *appliance, struct buffer *out)
{
    const struct cpu_layout *layout = &appliance->layout;
    buffer_format(out, "  shards   %u on ", appliance->shard_count);
    cores_format(layout->shard_core, layout->shard_count, out);
    if (appliance->sleeps && layout->shared) {
        buffer_text(out, ", sleeping when idle because serving shares them");
    } else if (appliance->sleeps) {
        buffer_text(out, ", sleeping when idle (`idle: sleep`)");
    } else {
        buffer_format(out, ", which poll%s at 100 %% by design (`idle: sleep` changes that)",
                      layout->shard_count == 1 ? "s" : "");
    }
    buffer_text(out, "; serving on ");
    cores_format(layout->serving_core, layout->serving_count, out);
    buffer_text(out, "\n");
}

/* What was found, and how it is kept. */
static void store_render(const struct appliance *appliance, struct buffer *out)
{
    static const char *const names[] = {"loaded", "rebuilt from the mirror", "starts empty"};
    const struct config_options *options = &appliance->config->options;
    if (appliance->store == NULL) {
        buffer_text(out, "  store    none: " MEMORY_ONLY "\n");
        return;
    }
    struct store_report report;
    store_report_read(appliance->store, &report);
    const struct recovery_report *recovery = report.recovery;
    buffer_format(out, "  store    %s, epoch %u, acknowledgements %s; log by %s\n",
                  options->data_directory, recovery->epoch,
                  options->ack == CONFIG_ACK_DURABLE ? "when durable" : "off", report.disk);
    if (recovery->fresh) {
        buffer_text(out, "           new: nothing was there\n");
        return;
    }
    buffer_format(
        out, "           checkpoint %llu: %llu rows, then %llu records of the log, in %.2f s\n",
        (unsigned long long)recovery->generation, (unsigned long long)recovery->rows,
        (unsigned long long)recovery->records, (double)report.load_us / (double)US_PER_SECOND);
    for (uint32_t v = 0; v < appliance->plan->view_count; v++) {
        if (recovery->view[v] != RECOVERY_VIEW_LOADED) {
            buffer_format(out, "           view %s is new or changed: %s\n",
                          appliance->plan->view[v].name, names[recovery->view[v]]);
        }
    }
    const struct backfill_resume *resume = appliance->resume;
    if (resume != NULL && resume->config != NULL) {
        buffer_format(out, "           view %s is filled on (freshet backfill %s shows how far)\n",
                      resume->note.asked, resume->note.asked);
    }
    uint32_t kept = recovery_dropped_kept(recovery);
    for (uint32_t i = 0; i < kept; i++) {
        buffer_format(out, "           view %s is gone: its rows were dropped\n",
                      recovery->dropped[i]);
    }
    if (recovery->dropped_count > kept) {
        buffer_format(out, "           and %u more views\n", recovery->dropped_count - kept);
    }
}

static void privileges_render(const struct appliance *appliance, struct buffer *out)
{
    const struct privileges *privileges = &appliance->privileges;
    if (privileges->drops) {
        buffer_format(out, "  user     %s; of root's capabilities one thread keeps %s\n",
                      privileges->user, privileges_kept(privileges));
    } else if (privileges->is_root && !privileges->asked) {
        buffer_format(out, "  user     root: there is no user %s to become (freshet doctor)\n",
                      PRIVILEGES_USER_DEFAULT);
    } else {
        buffer_format(out, "  user     %s\n", privileges->user);
    }
}

/* Who may send to a listener. */
static const char *port_door(const struct appliance *appliance, uint32_t port)
{
    const struct config_ingest *ingest = &appliance->config->options.ingest[port];
    if (ingest->driver == CONFIG_DRIVER_FILE) {
        return "";
    }
    if (appliance->keys[port] != NULL) {
        return "; takes only messages with a producer's tag";
    }
    if (ingest->auth_none) {
        return "; `auth: none`: takes events from anyone in the allowed prefixes, no "
               "authentication";
    }
    return "; takes events from anyone who reaches it: no authentication";
}

static void doors_render(const struct appliance *appliance, struct buffer *out)
{
    const struct config_options *options = &appliance->config->options;
    char absolute[PATH_MAX];
    char port[NET_ERROR_SIZE_MAX];
    for (uint32_t i = 0; i < appliance->port_count; i++) {
        net_port_describe(appliance->port[i], port, sizeof(port));
        buffer_format(out, "  ingest   %s%s\n", port, port_door(appliance, i));
    }
    if (options->query_unix[0] != '\0') {
        buffer_format(out, "  query    unix %s\n", socket_path(appliance, absolute));
    }
    if (options->query_tcp[0] != '\0') {
        buffer_format(out, "  query    tcp %s (port %u), %s\n", options->query_tcp,
                      server_tcp_port(appliance->server),
                      access_has_users(appliance->access)
                          ? "for users"
                          : "read only, and only for this machine: no users");
    }
    if (appliance->http != NULL) {
        buffer_format(out, "  http     %s (port %u): /metrics /healthz /readyz\n",
                      options->query_http, http_port(appliance->http));
    }
}

/* A line that can be pasted: the first view's entity and its first features. */
static void try_render(const struct appliance *appliance, struct buffer *out)
{
    const struct plan *plan = appliance->plan;
    const struct config_options *options = &appliance->config->options;
    char absolute[PATH_MAX];
    buffer_text(out, "  try      redis-cli ");
    if (options->query_unix[0] != '\0') {
        buffer_format(out, "-s %s", socket_path(appliance, absolute));
    } else {
        buffer_format(out, "-p %u", server_tcp_port(appliance->server));
    }
    if (plan->view_count == 0 || plan->view[0].feature_count == 0) {
        buffer_text(out, " PING\n");
        return;
    }
    const struct plan_view *view = &plan->view[0];
    buffer_format(out, " HMGET %s:4711", view->entity);
    for (uint32_t i = 0; i < view->feature_count && i < 2; i++) {
        buffer_format(out, " %s.%s", view->name, plan->feature[view->feature_first + i].name);
    }
    buffer_text(out, "\n");
}

static const char *pages_name(const struct appliance *appliance)
{
    return memory_pages_name(memory_pages_of(&appliance->region[0]));
}

void banner_render(const struct appliance *appliance, struct buffer *out)
{
    const struct plan *plan = appliance->plan;
    buffer_format(out, "freshet %s: events over UDP in, fresh windowed features out\n",
                  FRESHET_VERSION);
    buffer_format(out, "  plan     %u streams, %u views, %u features; fingerprint %016llx\n",
                  plan->stream_count, plan->view_count, plan->feature_count,
                  (unsigned long long)plan->fingerprint);
    shards_render(appliance, out);
    buffer_format(out, "  memory   %llu MiB for state, on %s pages\n",
                  (unsigned long long)(appliance->config->options.state_memory_bytes / MIB),
                  pages_name(appliance));
    store_render(appliance, out);
    buffer_format(out, "  clock    %s\n", clock_describe(&appliance->clock));
    privileges_render(appliance, out);
    doors_render(appliance, out);
    try_render(appliance, out);
}

void banner_render_json(const struct appliance *appliance, struct buffer *out)
{
    const struct config_options *options = &appliance->config->options;
    char absolute[PATH_MAX];
    json_t *listeners = json_array();
    for (uint32_t i = 0; i < appliance->port_count; i++) {
        char text[NET_ERROR_SIZE_MAX];
        net_port_describe(appliance->port[i], text, sizeof(text));
        (void)json_array_append_new(listeners, json_pack("{s:s, s:i}", "listener", text, "number",
                                                         (int)net_port_number(appliance->port[i])));
    }
    json_t *root = json_pack(
        "{s:s, s:s, s:i, s:b, s:s, s:s, s:o, s:s, s:i, s:i, s:s, s:s, s:b}", "version",
        FRESHET_VERSION, "run_id", appliance->run_id, "shards", (int)appliance->shard_count,
        "sleeps", (int)appliance->sleeps, "pages", pages_name(appliance), "clock",
        clock_describe(&appliance->clock), "ingest", listeners, "unix",
        options->query_unix[0] == '\0' ? "" : socket_path(appliance, absolute), "tcp_port",
        (int)server_tcp_port(appliance->server), "http_port",
        appliance->http == NULL ? 0 : (int)http_port(appliance->http), "durability",
        appliance->store == NULL ? MEMORY_ONLY : options->data_directory, "user",
        appliance->privileges.user, "users", (int)access_has_users(appliance->access));
    char *text = json_dumps(root, JSON_COMPACT);
    buffer_text(out, text == NULL ? "{}" : text);
    buffer_text(out, "\n");
    free(text);
    json_decref(root);
}
