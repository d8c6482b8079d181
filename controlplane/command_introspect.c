/* COMMAND: the table, told to clients that route by it. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/command.h"
#include "controlplane/glob.h"
#include "dataplane/base/units.h"

static void name_lower(const struct command *command, char *out, uint32_t size)
{
    (void)snprintf(out, size, "%s%s%s", command->container == NULL ? "" : command->container,
                   command->container == NULL ? "" : "|", command->name);
    for (uint32_t i = 0; out[i] != '\0'; i++) {
        out[i] = (char)tolower((unsigned char)out[i]);
    }
}

static void write_name(struct resp_writer *reply, const struct command *command)
{
    char name[64];
    name_lower(command, name, sizeof(name));
    resp_write_text(reply, name);
}

/* A row that COMMAND tells: refused writes are none. */
static bool is_listed(const struct command *command, const char *container)
{
    if ((command->flags & COMMAND_FLAG_WRITE) != 0) {
        return false;
    }
    return container == NULL
               ? command->container == NULL
               : command->container != NULL && strcmp(command->container, container) == 0;
}

static uint32_t count_listed(const char *container)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < command_count; i++) {
        count += is_listed(&command_table[i], container) ? 1 : 0;
    }
    return count;
}

static void write_flags(struct resp_writer *reply, const struct command *command)
{
    static const struct {
        uint8_t flag;
        const char *name;
    } names[] = {
        {COMMAND_FLAG_READ, "readonly"},   {COMMAND_FLAG_FAST, "fast"},
        {COMMAND_FLAG_ADMIN, "admin"},     {COMMAND_FLAG_KEYS_COUNTED, "movablekeys"},
        {COMMAND_FLAG_NO_AUTH, "no_auth"},
    };
    uint32_t count = 0;
    for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) {
        count += (command->flags & names[i].flag) != 0 ? 1 : 0;
    }
    resp_write_set(reply, count);
    for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) {
        if ((command->flags & names[i].flag) != 0) {
            resp_write_simple(reply, names[i].name);
        }
    }
}

/* One key specification, as Redis 7 has them: where keys begin and how they are found. */
static void write_key_specifications(struct resp_writer *reply, const struct command *command)
{
    bool counted = (command->flags & COMMAND_FLAG_KEYS_COUNTED) != 0;
    if (!counted && command->key_first == 0) {
        resp_write_array(reply, 0);
        return;
    }
    resp_write_array(reply, 1);
    resp_write_map(reply, 3);
    resp_write_text(reply, "flags");
    resp_write_set(reply, 2);
    resp_write_simple(reply, "RO");
    resp_write_simple(reply, "ACCESS");
    resp_write_text(reply, "begin_search");
    resp_write_map(reply, 2);
    resp_write_text(reply, "type");
    resp_write_text(reply, "index");
    resp_write_text(reply, "spec");
    resp_write_map(reply, 1);
    resp_write_text(reply, "index");
    resp_write_integer(reply, 1);
    resp_write_text(reply, "find_keys");
    resp_write_map(reply, 2);
    resp_write_text(reply, "type");
    resp_write_text(reply, counted ? "keynum" : "range");
    resp_write_text(reply, "spec");
    resp_write_map(reply, 3);
    resp_write_text(reply, counted ? "keynumidx" : "lastkey");
    resp_write_integer(reply, counted ? 0 : command->key_last < 0 ? -1 : 0);
    resp_write_text(reply, counted ? "firstkey" : "keystep");
    resp_write_integer(reply, 1);
    resp_write_text(reply, counted ? "keystep" : "limit");
    resp_write_integer(reply, counted ? 1 : 0);
}

static void write_entry(struct resp_writer *reply, const struct command *command)
{
    uint32_t subcommands = command->container == NULL ? count_listed(command->name) : 0;
    resp_write_array(reply, 10);
    write_name(reply, command);
    resp_write_integer(reply, command->arity);
    write_flags(reply, command);
    resp_write_integer(reply, command->key_first);
    resp_write_integer(reply, command->key_last);
    resp_write_integer(reply, command->key_step);
    resp_write_set(reply, 0);   /* ACL categories */
    resp_write_array(reply, 0); /* tips */
    write_key_specifications(reply, command);
    resp_write_array(reply, subcommands);
    for (uint32_t i = 0; i < command_count && subcommands > 0; i++) {
        if (is_listed(&command_table[i], command->name)) {
            write_entry(reply, &command_table[i]);
        }
    }
}

void command_command(struct command_call *call)
{
    if (call->count > 1) {
        command_container(call);
        return;
    }
    resp_write_array(call->reply, count_listed(NULL));
    for (uint32_t i = 0; i < command_count; i++) {
        if (is_listed(&command_table[i], NULL)) {
            write_entry(call->reply, &command_table[i]);
        }
    }
}

void command_command_count(struct command_call *call)
{
    resp_write_integer(call->reply, count_listed(NULL));
}

/* A command by "get" or "client|id"; NULL when it is none that is listed. */
static const struct command *find_listed(const struct resp_argument *name)
{
    char container[32];
    const char *bar = memchr(name->data, '|', name->size);
    const struct command *command;
    if (bar == NULL) {
        command = command_find(NULL, name->data, name->size);
    } else {
        uint32_t size = (uint32_t)(bar - name->data);
        const struct command *outer = command_find(NULL, name->data, size);
        (void)snprintf(container, sizeof(container), "%s", outer == NULL ? "" : outer->name);
        command = command_find(container, bar + 1, name->size - size - 1);
    }
    return command != NULL && (command->flags & COMMAND_FLAG_WRITE) == 0 ? command : NULL;
}

void command_command_info(struct command_call *call)
{
    if (call->count == 2) {
        struct command_call all = *call;
        all.count = 1;
        command_command(&all);
        return;
    }
    resp_write_array(call->reply, call->count - 2);
    for (uint32_t i = 2; i < call->count; i++) {
        const struct command *command = find_listed(&call->argument[i]);
        if (command == NULL) {
            resp_write_null(call->reply);
        } else {
            write_entry(call->reply, command);
        }
    }
}

static void write_docs(struct resp_writer *reply, const struct command *command)
{
    uint32_t subcommands = command->container == NULL ? count_listed(command->name) : 0;
    write_name(reply, command);
    resp_write_map(reply, subcommands > 0 ? 5 : 4);
    resp_write_text(reply, "summary");
    resp_write_text(reply, command->sentence);
    resp_write_text(reply, "since");
    resp_write_text(reply, "0.1.0");
    resp_write_text(reply, "group");
    resp_write_text(reply, command->container == NULL ? command->group : "server");
    resp_write_text(reply, "syntax");
    resp_write_text(reply, command->syntax);
    if (subcommands > 0) {
        resp_write_text(reply, "subcommands");
        resp_write_map(reply, subcommands);
        for (uint32_t i = 0; i < command_count; i++) {
            if (is_listed(&command_table[i], command->name)) {
                write_docs(reply, &command_table[i]);
            }
        }
    }
}

void command_command_docs(struct command_call *call)
{
    if (call->count == 2) {
        resp_write_map(call->reply, count_listed(NULL));
        for (uint32_t i = 0; i < command_count; i++) {
            if (is_listed(&command_table[i], NULL)) {
                write_docs(call->reply, &command_table[i]);
            }
        }
        return;
    }
    uint32_t found = 0;
    for (uint32_t i = 2; i < call->count; i++) {
        found += find_listed(&call->argument[i]) != NULL ? 1 : 0;
    }
    resp_write_map(call->reply, found);
    for (uint32_t i = 2; i < call->count; i++) {
        const struct command *command = find_listed(&call->argument[i]);
        if (command != NULL) {
            write_docs(call->reply, command);
        }
    }
}

static bool list_fits(const struct command *command, const struct resp_argument *pattern)
{
    char name[64];
    if (!is_listed(command, NULL)) {
        return false;
    }
    name_lower(command, name, sizeof(name));
    return pattern == NULL ||
           glob_match(pattern->data, pattern->size, name, (uint32_t)strlen(name), true);
}

void command_command_list(struct command_call *call)
{
    const struct resp_argument *pattern = NULL;
    if (call->count != 2) {
        if (call->count != 5 || !resp_is(&call->argument[2], "FILTERBY") ||
            !resp_is(&call->argument[3], "PATTERN")) {
            resp_write_error(call->reply, "ERR COMMAND LIST takes: %s", call->command->syntax);
            return;
        }
        pattern = &call->argument[4];
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < command_count; i++) {
        count += list_fits(&command_table[i], pattern) ? 1 : 0;
    }
    resp_write_array(call->reply, count);
    for (uint32_t i = 0; i < command_count; i++) {
        if (list_fits(&command_table[i], pattern)) {
            write_name(call->reply, &command_table[i]);
        }
    }
}

void command_command_getkeys(struct command_call *call)
{
    const struct resp_argument *request = &call->argument[2];
    uint32_t request_count = call->count - 2;
    const struct command *command = find_listed(&request[0]);
    uint32_t first = 0;
    uint32_t step = 0;
    if (command == NULL) {
        resp_write_error(call->reply, "ERR Invalid command specified");
        return;
    }
    int32_t count = command_keys(command, request, request_count, &first, &step);
    if (count < 0) {
        resp_write_error(call->reply, "ERR Invalid number of arguments specified for command");
    } else if (count == 0) {
        resp_write_error(call->reply, "ERR The command has no key arguments");
    } else {
        resp_write_array(call->reply, (uint64_t)count);
        for (uint32_t i = 0; i < (uint32_t)count; i++) {
            const struct resp_argument *key = &request[first + i * step];
            resp_write_bulk(call->reply, key->data, key->size);
        }
    }
}
