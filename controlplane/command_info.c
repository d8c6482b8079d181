/* INFO, CONFIG GET, TIME, ROLE: the server as Redis tools ask about it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "controlplane/appliance.h"
#include "controlplane/backfill.h"
#include "controlplane/command.h"
#include "controlplane/glob.h"
#include "controlplane/keyspace.h"
#include "controlplane/server.h"
#include "controlplane/server_clients.h"
#include "controlplane/store.h"
#include "controlplane/version.h"
#include "dataplane/base/units.h"

static void memory_read(const struct appliance *appliance, uint64_t *out_used, uint64_t *out_cap)
{
    *out_used = 0;
    *out_cap = 0;
    for (uint32_t s = 0; s < appliance->shard_count; s++) {
        uint64_t used;
        uint64_t cap;
        worker_memory(appliance->worker[s], &used, &cap);
        *out_used += used;
        *out_cap += cap;
    }
}

static void statistics_read(const struct command_call *call, struct server_statistics *out)
{
    *out = (struct server_statistics){0};
    if (call->host->server != NULL) {
        server_statistics_read(call->host->server, out);
    }
}

static void info_server(struct command_call *call, struct buffer *out)
{
    const struct appliance *appliance = call->host->appliance;
    char ip[64] = "";
    uint16_t port = 0;
    int64_t uptime_s = (clock_now_us(&appliance->clock) - appliance->start_us) / US_PER_SECOND;
    server_tcp_address(call->host->server, ip, sizeof(ip), &port);
    buffer_format(out,
                  "# Server\r\nredis_version:%s\r\nfreshet_version:%s\r\nredis_mode:cluster\r\n"
                  "os:Linux\r\narch_bits:64\r\nprocess_id:%d\r\nrun_id:%s\r\ntcp_port:%u\r\n"
                  "server_time_usec:%" PRId64 "\r\nuptime_in_seconds:%" PRId64 "\r\n"
                  "uptime_in_days:%" PRId64 "\r\n",
                  COMMAND_REDIS_VERSION, FRESHET_VERSION, (int)getpid(), appliance->run_id, port,
                  clock_now_us(&appliance->clock), uptime_s, uptime_s / 86400);
}

static void info_clients(struct command_call *call, struct buffer *out)
{
    struct server_statistics statistics;
    statistics_read(call, &statistics);
    buffer_format(out,
                  "# Clients\r\nconnected_clients:%" PRIu64 "\r\nmaxclients:%u\r\n"
                  "blocked_clients:0\r\n",
                  statistics.connections_open, SERVER_CLIENTS_MAX);
}

static void info_memory(struct command_call *call, struct buffer *out)
{
    uint64_t used;
    uint64_t cap;
    memory_read(call->host->appliance, &used, &cap);
    buffer_format(out,
                  "# Memory\r\nused_memory:%" PRIu64 "\r\nused_memory_rows:%" PRIu64 "\r\n"
                  "used_memory_heap:%" PRIu64 "\r\nmaxmemory:%" PRIu64 "\r\n"
                  "maxmemory_policy:noeviction\r\n",
                  used + heap_used_bytes(), used, heap_used_bytes(), cap);
}

/* Views that are filled with history. */
static void info_backfill(struct command_call *call, struct buffer *out)
{
    struct backfill_report report;
    backfill_report_read(call->host->appliance->backfill, &report);
    bool runs = backfill_is_running(&report);
    buffer_format(out, "backfill_in_progress:%d\r\n", runs ? 1 : 0);
    if (runs) {
        buffer_format(out, "backfill_view:%s\r\nbackfill_perc:%.2f\r\nbackfill_starts:%u\r\n",
                      report.view, 100 * backfill_share(&report), report.starts);
    }
}

static void info_persistence(struct command_call *call, struct buffer *out)
{
    struct store *store = call->host->appliance->store;
    bool loading = !command_host_loaded(call->host);
    buffer_format(out, "# Persistence\r\nloading:%d\r\nasync_loading:0\r\naof_enabled:%d\r\n",
                  loading ? 1 : 0, store == NULL ? 0 : 1);
    if (store != NULL && loading) {
        buffer_format(out, "loading_loaded_perc:%.2f\r\n", 100 * store_load_done(store));
    } else if (store != NULL) {
        struct store_report report;
        store_report_read(store, &report);
        const struct checkpoint_report *checkpoint = &report.checkpoint;
        buffer_format(out,
                      "rdb_bgsave_in_progress:%d\r\nrdb_last_save_time:%" PRId64 "\r\n"
                      "rdb_last_bgsave_status:%s\r\nrdb_saves:%" PRIu64 "\r\n"
                      "rdb_last_bgsave_time_sec:%" PRId64 "\r\n",
                      checkpoint->running ? 1 : 0, checkpoint->published_us / US_PER_SECOND,
                      checkpoint->failed > 0 && checkpoint->count == 0 ? "err" : "ok",
                      checkpoint->count, checkpoint->duration_us / US_PER_SECOND);
        info_backfill(call, out);
    }
}

static void info_stats(struct command_call *call, struct buffer *out)
{
    struct server_statistics statistics;
    statistics_read(call, &statistics);
    buffer_format(out,
                  "# Stats\r\ntotal_connections_received:%" PRIu64 "\r\n"
                  "total_commands_processed:%" PRIu64 "\r\ntotal_net_input_bytes:%" PRIu64 "\r\n"
                  "total_net_output_bytes:%" PRIu64 "\r\nrejected_connections:%" PRIu64 "\r\n"
                  "total_error_replies:%" PRIu64 "\r\nclients_closed_by_server:%" PRIu64 "\r\n"
                  "expired_keys:0\r\nevicted_keys:0\r\n",
                  statistics.connections_accepted, statistics.commands, statistics.bytes_in,
                  statistics.bytes_out, statistics.connections_refused, statistics.errors,
                  statistics.clients_closed);
}

static void info_replication(struct command_call *call, struct buffer *out)
{
    buffer_format(out,
                  "# Replication\r\nrole:master\r\nconnected_slaves:0\r\nmaster_replid:%s\r\n"
                  "master_repl_offset:0\r\n",
                  call->host->appliance->run_id);
}

static void info_cpu(struct command_call *call, struct buffer *out)
{
    struct rusage usage = {0};
    (void)call;
    (void)getrusage(RUSAGE_SELF, &usage);
    buffer_format(out, "# CPU\r\nused_cpu_sys:%ld.%06ld\r\nused_cpu_user:%ld.%06ld\r\n",
                  (long)usage.ru_stime.tv_sec, (long)usage.ru_stime.tv_usec,
                  (long)usage.ru_utime.tv_sec, (long)usage.ru_utime.tv_usec);
}

static void info_cluster(struct command_call *call, struct buffer *out)
{
    (void)call;
    buffer_text(out, "# Cluster\r\ncluster_enabled:1\r\n");
}

static void info_freshet(struct command_call *call, struct buffer *out)
{
    const struct appliance *appliance = call->host->appliance;
    const struct plan *plan = call->host->plan;
    uint64_t received = 0;
    uint64_t applied = 0;
    for (uint32_t s = 0; s < appliance->shard_count; s++) {
        const struct counters *counters = worker_counters(appliance->worker[s]);
        for (uint32_t i = 0; i <= STREAMS_MAX; i++) {
            received += counter_read(&counters->stream[i].shared_received);
            applied += counter_read(&counters->stream[i].shared_applied);
        }
    }
    buffer_format(out,
                  "# Freshet\r\nshards:%u\r\nstreams:%u\r\nviews:%u\r\nfeatures:%u\r\n"
                  "plan_fingerprint:%016" PRIx64 "\r\nevents_received:%" PRIu64 "\r\n"
                  "events_applied:%" PRIu64 "\r\n",
                  appliance->shard_count, plan->stream_count, plan->view_count, plan->feature_count,
                  plan->fingerprint, received, applied);
}

static void info_keyspace(struct command_call *call, struct buffer *out)
{
    uint64_t keys = keyspace_size(call->host->appliance);
    buffer_text(out, "# Keyspace\r\n");
    if (keys > 0) {
        buffer_format(out, "db0:keys=%" PRIu64 ",expires=%" PRIu64 ",avg_ttl=0\r\n", keys, keys);
    }
}

static const struct {
    const char *name;
    void (*write)(struct command_call *call, struct buffer *out);
    bool always; /* Also while the store is loaded, when there are no rows and counts yet. */
} info_sections[] = {
    {"server", info_server, true},    {"clients", info_clients, true},
    {"memory", info_memory, false},   {"persistence", info_persistence, true},
    {"stats", info_stats, true},      {"replication", info_replication, true},
    {"cpu", info_cpu, true},          {"cluster", info_cluster, true},
    {"freshet", info_freshet, false}, {"keyspace", info_keyspace, false},
};

static bool section_asked(const struct command_call *call, const char *name)
{
    if (call->count == 1) {
        return true;
    }
    for (uint32_t i = 1; i < call->count; i++) {
        const struct resp_argument *word = &call->argument[i];
        if (resp_is(word, name) || resp_is(word, "all") || resp_is(word, "default") ||
            resp_is(word, "everything")) {
            return true;
        }
    }
    return false;
}

void command_info(struct command_call *call)
{
    struct buffer *text = &call->host->text;
    for (uint32_t i = 0; i < ARRAY_COUNT(info_sections); i++) {
        bool there = info_sections[i].always || command_host_loaded(call->host);
        if (there && section_asked(call, info_sections[i].name)) {
            if (text->size > 0) {
                buffer_text(text, "\r\n");
            }
            info_sections[i].write(call, text);
        }
    }
    if (text->failed) {
        resp_write_error(call->reply, "ERR no memory for the report");
    } else {
        resp_write_verbatim(call->reply, text->data, text->size);
    }
    buffer_deinit(text);
}

struct config_row {
    const char *name;
    char value[CONFIG_PATH_SIZE_MAX];
};

#define CONFIG_ROWS_MAX 16

static uint32_t config_rows(struct command_call *call, struct config_row rows[CONFIG_ROWS_MAX])
{
    const struct config_options *options = &call->host->appliance->config->options;
    char ip[64] = "";
    uint16_t port = 0;
    uint64_t used;
    uint64_t cap;
    uint32_t n = 0;
    memory_read(call->host->appliance, &used, &cap);
    server_tcp_address(call->host->server, ip, sizeof(ip), &port);
#define ROW(key, ...)                                                                              \
    rows[n].name = (key);                                                                          \
    (void)snprintf(rows[n++].value, sizeof(rows[0].value), __VA_ARGS__)
    ROW("appendonly", "no");
    ROW("bind", "%s", ip);
    ROW("cluster-enabled", "yes");
    ROW("databases", "1");
    ROW("maxclients", "%u", SERVER_CLIENTS_MAX);
    ROW("maxmemory", "%" PRIu64, cap);
    ROW("maxmemory-policy", "noeviction");
    ROW("port", "%u", port);
    ROW("proto-max-bulk-len", "%u", RESP_BULK_SIZE_MAX);
    ROW("save", "%s", "");
    ROW("tcp-keepalive", "300");
    ROW("timeout", "0");
    ROW("unixsocket", "%s", options->query_unix);
#undef ROW
    return n;
}

static bool row_asked(const struct command_call *call, const struct config_row *row)
{
    for (uint32_t i = 2; i < call->count; i++) {
        if (glob_match(call->argument[i].data, call->argument[i].size, row->name,
                       (uint32_t)strlen(row->name), true)) {
            return true;
        }
    }
    return false;
}

void command_config_get(struct command_call *call)
{
    struct config_row rows[CONFIG_ROWS_MAX];
    uint32_t count = config_rows(call, rows);
    uint32_t asked = 0;
    for (uint32_t i = 0; i < count; i++) {
        asked += row_asked(call, &rows[i]) ? 1 : 0;
    }
    resp_write_map(call->reply, asked);
    for (uint32_t i = 0; i < count; i++) {
        if (row_asked(call, &rows[i])) {
            resp_write_text(call->reply, rows[i].name);
            resp_write_text(call->reply, rows[i].value);
        }
    }
}

void command_time(struct command_call *call)
{
    int64_t now_us = clock_now_us(&call->host->appliance->clock);
    resp_write_array(call->reply, 2);
    resp_write_format(call->reply, "%" PRId64, now_us / US_PER_SECOND);
    resp_write_format(call->reply, "%" PRId64, now_us % US_PER_SECOND);
}

void command_role(struct command_call *call)
{
    resp_write_array(call->reply, 3);
    resp_write_text(call->reply, "master");
    resp_write_integer(call->reply, 0);
    resp_write_array(call->reply, 0);
}
