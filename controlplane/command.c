#include "controlplane/command.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "controlplane/appliance.h"
#include "controlplane/served_take.h"
#include "controlplane/service_read.h"
#include "controlplane/store.h"
#include "controlplane/suggest.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

const struct command command_table[] = {
#define COMMAND(word, arity_, flags_, first, last, step, group_, run_, syntax_, sentence_)         \
    {.name = #word,                                                                                \
     .arity = (arity_),                                                                            \
     .flags = (flags_),                                                                            \
     .key_first = (first),                                                                         \
     .key_last = (last),                                                                           \
     .key_step = (step),                                                                           \
     .group = (group_),                                                                            \
     .syntax = (syntax_),                                                                          \
     .sentence = (sentence_),                                                                      \
     .run = (run_)},
#define SUBCOMMAND(container_, word, arity_, flags_, first, last, step, run_, syntax_, sentence_)  \
    {.name = #word,                                                                                \
     .container = #container_,                                                                     \
     .arity = (arity_),                                                                            \
     .flags = (flags_),                                                                            \
     .key_first = (first),                                                                         \
     .key_last = (last),                                                                           \
     .key_step = (step),                                                                           \
     .group = "",                                                                                  \
     .syntax = (syntax_),                                                                          \
     .sentence = (sentence_),                                                                      \
     .run = (run_)},
#define WRITE_COMMAND(word)                                                                        \
    {.name = #word,                                                                                \
     .arity = -1,                                                                                  \
     .flags = COMMAND_FLAG_WRITE,                                                                  \
     .group = "",                                                                                  \
     .syntax = "",                                                                                 \
     .sentence = ""},
#include "controlplane/commands.def"
#undef COMMAND
#undef SUBCOMMAND
#undef WRITE_COMMAND
};
const uint32_t command_count = ARRAY_COUNT(command_table);

enum result command_host_init(struct command_host *host, struct appliance *appliance,
                              struct server *server, struct reader *reader)
{
    *host = (struct command_host){
        .appliance = appliance,
        .plan = appliance->plan,
        .server = server,
        .reader = reader,
    };
    objective_reads_init(&host->objectives, host->plan);
    buffer_init(&host->text, 0);
    buffer_init(&host->scratch.key, 0);
    if (host->plan->service_count > 0) {
        host->service = heap_alloc_lines(sizeof(*host->service));
        if (host->service == NULL) {
            return RESULT_NO_MEMORY;
        }
    }
    return name_cache_init(&host->names, appliance->plan);
}

/* Between two commands: reads go by the plan that is served now. Without memory for its services
 * the one before goes on. */
static void host_plan_follow(struct command_host *host)
{
    const struct plan *plan = appliance_plan(host->appliance);
    if (plan == host->plan) {
        return;
    }
    if (plan->service_count > 0 && host->service == NULL) {
        host->service = heap_alloc_lines(sizeof(*host->service));
        if (host->service == NULL) {
            return;
        }
    }
    host->plan = plan;
    objective_reads_init(&host->objectives, plan);
    name_cache_clear(&host->names, plan);
    if (host->take != NULL) {
        served_take_follow(host->take, plan);
    }
    if (host->reader != NULL) {
        reader_plan_set(host->reader, plan);
    }
}

void command_host_deinit(struct command_host *host)
{
    struct read_scratch *scratch = &host->scratch;
    heap_free(scratch->feature);
    heap_free(scratch->place);
    heap_free(scratch->group);
    heap_free(scratch->query);
    heap_free(scratch->answer);
    buffer_deinit(&scratch->key);
    *scratch = (struct read_scratch){0};
    heap_free(host->service);
    host->service = NULL;
    served_take_close(host->take);
    host->take = NULL;
    buffer_deinit(&host->text);
    name_cache_deinit(&host->names);
}

void session_init(struct session *session, uint64_t id, int64_t now_us)
{
    *session = (struct session){
        .id = id,
        .start_us = now_us,
        .shared_active_us = now_us,
        .shared_command = command_count,
        .protocol = 2,
        .wake_fd = -1,
        .user = "default",
    };
}

void session_admit(struct session *session, enum user_role role, int wake_fd)
{
    session->role = role;
    session->role_first = role;
    session->wake_fd = wake_fd;
}

const char *command_show(const struct resp_argument *argument, char *out, uint32_t size)
{
    uint32_t count = argument->size < size - 1 ? argument->size : size - 1;
    for (uint32_t i = 0; i < count; i++) {
        out[i] = isprint((unsigned char)argument->data[i]) ? argument->data[i] : '?';
    }
    out[count] = '\0';
    return out;
}

const struct command *command_find(const char *container, const char *name, uint32_t size)
{
    for (uint32_t i = 0; i < command_count; i++) {
        const struct command *command = &command_table[i];
        bool same_container = container == NULL ? command->container == NULL
                                                : command->container != NULL &&
                                                      strcmp(command->container, container) == 0;
        if (same_container && strlen(command->name) == size &&
            strncasecmp(command->name, name, size) == 0) {
            return command;
        }
    }
    return NULL;
}

int32_t command_keys(const struct command *command, const struct resp_argument *argument,
                     uint32_t count, uint32_t *out_first, uint32_t *out_step)
{
    *out_first = command->key_first;
    *out_step = command->key_step;
    if ((command->flags & COMMAND_FLAG_KEYS_COUNTED) != 0) {
        int64_t keys;
        *out_first = 2;
        *out_step = 1;
        if (count < 3 || !resp_integer_read(argument[1].data, argument[1].size, &keys) ||
            keys < 1 || keys > (int64_t)count - 2) {
            return -1;
        }
        return (int32_t)keys;
    }
    if (command->key_first == 0) {
        return 0;
    }
    int32_t last = command->key_last < 0 ? (int32_t)count + command->key_last : command->key_last;
    if (last < command->key_first || last >= (int32_t)count) {
        return -1;
    }
    return (last - command->key_first) / command->key_step + 1;
}

static bool arity_fits(const struct command *command, uint32_t count)
{
    return command->arity >= 0 ? count == (uint32_t)command->arity
                               : count >= (uint32_t)-command->arity;
}

/* "client|list" */
static const char *name_lower(const struct command *command, char *out, uint32_t size)
{
    (void)snprintf(out, size, "%s%s%s", command->container == NULL ? "" : command->container,
                   command->container == NULL ? "" : "|", command->name);
    for (uint32_t i = 0; out[i] != '\0'; i++) {
        out[i] = (char)tolower((unsigned char)out[i]);
    }
    return out;
}

static void write_arity_error(struct resp_writer *reply, const struct command *command)
{
    char name[64];
    resp_write_error(reply, "ERR wrong number of arguments for '%s' command; it takes: %s",
                     name_lower(command, name, sizeof(name)),
                     command->syntax[0] == '\0' ? "nothing" : command->syntax);
}

/* While the store is loaded only the connection itself, and what tells how far it is, are
 * answered. */
static bool runs_while_loading(const struct command *command)
{
    static const char *const names[] = {"INFO", "COMMAND", "TIME", "ROLE"};
    const char *name = command->container != NULL ? command->container : command->name;
    if (strcmp(command->group, "connection") == 0 || strcmp(name, "CLIENT") == 0) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool command_host_loaded(const struct command_host *host)
{
    return host->server == NULL || host->reader != NULL;
}

static bool loaded_allows(const struct command_host *host, struct resp_writer *reply,
                          const struct command *command)
{
    if (command_host_loaded(host) || runs_while_loading(command)) {
        return true;
    }
    const struct store *store = host->appliance->store;
    double done = store == NULL ? 1 : store_load_done(store);
    if (done < 1) {
        resp_write_error(reply, "LOADING Freshet is loading its store, %.0f %% of the log so far",
                         100 * done);
    } else {
        resp_write_error(reply, "LOADING Freshet is opening its log and listeners");
    }
    return false;
}

/* Whether the session's role goes that far; if not, says so as Redis does. */
static bool role_allows(const struct session *session, struct resp_writer *reply,
                        const struct command *command)
{
    char name[64];
    if ((command->flags & COMMAND_FLAG_NO_AUTH) != 0) {
        return true;
    }
    if (session->role == USER_ROLE_NONE) {
        resp_write_error(reply, "NOAUTH Authentication required.");
        return false;
    }
    if ((command->flags & COMMAND_FLAG_ADMIN) != 0 && session->role != USER_ROLE_OPERATE) {
        resp_write_error(reply,
                         "NOPERM this user has no permissions to run the '%s' command; it takes "
                         "the role operate",
                         name_lower(command, name, sizeof(name)));
        return false;
    }
    return true;
}

static void write_unknown_command(struct resp_writer *reply, const struct resp_argument *argument,
                                  uint32_t count)
{
    char text[512];
    char show[96];
    int at = snprintf(text, sizeof(text), "unknown command '%s', with args beginning with: ",
                      command_show(&argument[0], show, sizeof(show)));
    for (uint32_t i = 1; i < count && i < 4; i++) {
        at += snprintf(text + at, sizeof(text) - (size_t)at, "'%s' ",
                       command_show(&argument[i], show, sizeof(show)));
    }
    struct suggest suggest = suggest_begin(argument[0].data, argument[0].size);
    for (uint32_t i = 0; i < command_count; i++) {
        if (command_table[i].container == NULL &&
            (command_table[i].flags & COMMAND_FLAG_WRITE) == 0) {
            suggest_offer(&suggest, command_table[i].name);
        }
    }
    if (suggest.best != NULL) {
        resp_write_error(reply, "ERR %s; did you mean '%s'?", text, suggest.best);
    } else {
        resp_write_error(reply, "ERR %s", text);
    }
}

static void write_unknown_subcommand(struct command_call *call)
{
    char show[96];
    char known[512] = "";
    uint32_t at = 0;
    for (uint32_t i = 0; i < command_count; i++) {
        const struct command *command = &command_table[i];
        if (command->container != NULL && strcmp(command->container, call->command->name) == 0) {
            at += (uint32_t)snprintf(known + at, sizeof(known) - at, "%s%s", at == 0 ? "" : ", ",
                                     command->name);
        }
    }
    resp_write_error(call->reply, "ERR unknown subcommand '%s' of %s; known are: %s",
                     command_show(&call->argument[1], show, sizeof(show)), call->command->name,
                     known);
}

/* A browser or a tool for HTTP that was pointed at this port: whatever else it sends is no command,
 * and may be meant to be one (as Redis: cross-protocol requests end here). */
static bool is_http(const struct resp_argument *argument)
{
    return resp_is(argument, "POST") || resp_is(argument, "Host:");
}

static const struct command *subcommand_find(const struct command *command,
                                             const struct resp_argument *argument, uint32_t count)
{
    return count < 2 ? NULL : command_find(command->name, argument[1].data, argument[1].size);
}

const struct command *command_run(struct command_host *host, struct session *session,
                                  struct resp_writer *reply, const struct resp_argument *argument,
                                  uint32_t count)
{
    const struct command *command = command_find(NULL, argument[0].data, argument[0].size);
    host_plan_follow(host);
    if (command == NULL) {
        if (is_http(&argument[0])) {
            session->close_after_reply = true;
        }
        write_unknown_command(reply, argument, count);
        return NULL;
    }
    if ((command->flags & COMMAND_FLAG_WRITE) != 0) {
        if (role_allows(session, reply, command)) {
            resp_write_error(reply, "ERR read only; events arrive over UDP");
        }
        return command;
    }
    if (arity_fits(command, count)) {
        const struct command *subcommand = subcommand_find(command, argument, count);
        command = subcommand != NULL ? subcommand : command;
    }
    atomic_store_explicit(&session->shared_command, (uint32_t)(command - command_table),
                          memory_order_relaxed);
    if (!arity_fits(command, count)) {
        write_arity_error(reply, command);
        return command;
    }
    if (!role_allows(session, reply, command) || !loaded_allows(host, reply, command)) {
        return command;
    }
    struct command_call call = {
        .host = host,
        .session = session,
        .reply = reply,
        .command = command,
        .count = count,
        .argument = argument,
    };
    command->run(&call);
    return command;
}

void command_container(struct command_call *call)
{
    write_unknown_subcommand(call);
}
