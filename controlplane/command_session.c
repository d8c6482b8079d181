/* The connection: HELLO, AUTH, CLIENT and their like. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/access.h"
#include "controlplane/appliance.h"
#include "controlplane/command.h"
#include "controlplane/server_clients.h"
#include "controlplane/version.h"

void command_ok(struct command_call *call)
{
    resp_write_simple(call->reply, "OK");
}

void command_zero(struct command_call *call)
{
    resp_write_integer(call->reply, 0);
}

void command_empty_array(struct command_call *call)
{
    resp_write_array(call->reply, 0);
}

void command_ping(struct command_call *call)
{
    if (call->count == 1) {
        resp_write_simple(call->reply, "PONG");
    } else if (call->count == 2) {
        resp_write_bulk(call->reply, call->argument[1].data, call->argument[1].size);
    } else {
        resp_write_error(call->reply, "ERR wrong number of arguments for 'ping' command; it takes: "
                                      "[<text>]");
    }
}

void command_echo(struct command_call *call)
{
    resp_write_bulk(call->reply, call->argument[1].data, call->argument[1].size);
}

void command_select(struct command_call *call)
{
    int64_t database;
    if (!resp_integer_read(call->argument[1].data, call->argument[1].size, &database)) {
        resp_write_error(call->reply, "ERR value is not an integer or out of range");
    } else if (database != 0) {
        resp_write_error(call->reply, "ERR DB index is out of range: there is only database 0");
    } else {
        resp_write_simple(call->reply, "OK");
    }
}

/* Names end up in lines of CLIENT LIST: no spaces, no line ends. */
static bool name_is_clean(const struct resp_argument *name)
{
    for (uint32_t i = 0; i < name->size; i++) {
        if (name->data[i] < '!' || name->data[i] > '~') {
            return false;
        }
    }
    return name->size < SESSION_NAME_SIZE_MAX;
}

static bool name_check(struct command_call *call, const struct resp_argument *name,
                       const char *what)
{
    if (!name_is_clean(name)) {
        resp_write_error(call->reply,
                         "ERR %s cannot contain spaces, newlines or special characters, nor more "
                         "than %d bytes",
                         what, SESSION_NAME_SIZE_MAX - 1);
        return false;
    }
    return true;
}

static void write_hello(struct command_call *call)
{
    struct resp_writer *reply = call->reply;
    resp_write_map(reply, 8);
    resp_write_text(reply, "server");
    resp_write_text(reply, "redis");
    resp_write_text(reply, "version");
    resp_write_text(reply, COMMAND_REDIS_VERSION);
    resp_write_text(reply, "freshet_version");
    resp_write_text(reply, FRESHET_VERSION);
    resp_write_text(reply, "proto");
    resp_write_integer(reply, reply->protocol);
    resp_write_text(reply, "id");
    resp_write_integer(reply, (int64_t)call->session->id);
    resp_write_text(reply, "mode");
    resp_write_text(reply, "cluster");
    resp_write_text(reply, "role");
    resp_write_text(reply, "master");
    resp_write_text(reply, "modules");
    resp_write_array(reply, 0);
}

/* What HELLO was asked beside the protocol; NULL without. */
struct hello_options {
    const struct resp_argument *user;
    const struct resp_argument *password;
    const struct resp_argument *name;
};

/* AUTH and SETNAME of HELLO, from argument[2]; the last of each counts. */
static bool hello_options(struct command_call *call, struct hello_options *out)
{
    char show[64];
    *out = (struct hello_options){0};
    for (uint32_t i = 2; i < call->count;) {
        const struct resp_argument *word = &call->argument[i];
        uint32_t left = call->count - i - 1;
        if (resp_is(word, "AUTH") && left >= 2) {
            out->user = &call->argument[i + 1];
            out->password = &call->argument[i + 2];
            i += 3;
        } else if (resp_is(word, "SETNAME") && left >= 1) {
            out->name = &call->argument[i + 1];
            if (!name_check(call, out->name, "Client names")) {
                return false;
            }
            i += 2;
        } else {
            resp_write_error(call->reply, "ERR Syntax error in HELLO option '%s'",
                             command_show(word, show, sizeof(show)));
            return false;
        }
    }
    return true;
}

/* Whether the client is known by now. */
static bool hello_login(struct command_call *call, const struct hello_options *options)
{
    if (options->user != NULL) {
        return session_login(call, options->user, options->password) == SESSION_LOGIN_DONE;
    }
    if (call->session->role == USER_ROLE_NONE) {
        resp_write_error(call->reply,
                         "NOAUTH HELLO must be called with the client already authenticated, "
                         "otherwise the HELLO AUTH <user> <pass> option can be used to "
                         "authenticate the client and select the RESP protocol version at the "
                         "same time");
        return false;
    }
    return true;
}

void command_hello(struct command_call *call)
{
    struct hello_options options;
    int64_t protocol = call->session->protocol;
    if (call->count > 1) {
        const struct resp_argument *version = &call->argument[1];
        if (!resp_integer_read(version->data, version->size, &protocol)) {
            resp_write_error(call->reply, "ERR Protocol version is not an integer or out of range");
            return;
        }
        if (protocol < 2 || protocol > 3) {
            resp_write_error(call->reply, "NOPROTO unsupported protocol version");
            return;
        }
    }
    if (!hello_options(call, &options) || !hello_login(call, &options)) {
        return;
    }
    if (options.name != NULL) {
        server_client_rename(call->host->server, call->session->name, options.name);
    }
    call->session->protocol = (uint8_t)protocol;
    call->reply->protocol = (uint8_t)protocol;
    write_hello(call);
}

void command_auth(struct command_call *call)
{
    static const struct resp_argument standard = {.data = "default", .size = 7};
    const struct resp_argument *user = call->count == 2 ? &standard : &call->argument[1];
    if (call->count > 3) {
        resp_write_error(call->reply, "ERR syntax error; AUTH takes: %s", call->command->syntax);
    } else if (call->count == 2 && !access_has_users(call->host->appliance->access)) {
        resp_write_error(call->reply,
                         "ERR AUTH <password> called without any password configured for the "
                         "default user. Are you sure your configuration is correct?");
    } else if (session_login(call, user, &call->argument[call->count - 1]) == SESSION_LOGIN_DONE) {
        resp_write_simple(call->reply, "OK");
    }
}

void command_reset(struct command_call *call)
{
    struct session *session = call->session;
    const struct resp_argument nothing = {.data = "", .size = 0};
    const struct resp_argument standard = {.data = "default", .size = 7};
    server_client_rename(call->host->server, session->name, &nothing);
    server_client_rename(call->host->server, session->user, &standard);
    session->role = session->role_first;
    session->protocol = 2;
    session->reply_off = false;
    session->reply_skip = 0;
    call->reply->protocol = 2;
    resp_write_simple(call->reply, "RESET");
}

void command_quit(struct command_call *call)
{
    call->session->close_after_reply = true;
    resp_write_simple(call->reply, "OK");
}

void command_client_id(struct command_call *call)
{
    resp_write_integer(call->reply, (int64_t)call->session->id);
}

static void write_lines(struct command_call *call)
{
    struct buffer *text = &call->host->text;
    if (text->failed) {
        resp_write_error(call->reply, "ERR no memory for the list");
    } else {
        resp_write_verbatim(call->reply, text->data, text->size);
    }
    buffer_deinit(text);
}

void command_client_info(struct command_call *call)
{
    server_client_describe(call->session, clock_now_us(&call->host->appliance->clock),
                           &call->host->text);
    write_lines(call);
}

static bool id_read(struct command_call *call, const struct resp_argument *argument, uint64_t *out)
{
    int64_t id;
    if (!resp_integer_read(argument->data, argument->size, &id) || id < 1) {
        resp_write_error(call->reply, "ERR Invalid client ID");
        return false;
    }
    *out = (uint64_t)id;
    return true;
}

void command_client_list(struct command_call *call)
{
    struct client_filter filter = {0};
    if (call->count == 2) {
        server_clients_list(call->host->server, &filter, &call->host->text);
        write_lines(call);
        return;
    }
    if (!resp_is(&call->argument[2], "ID") || call->count < 4) {
        resp_write_error(call->reply, "ERR CLIENT LIST takes: %s", call->command->syntax);
        return;
    }
    for (uint32_t i = 3; i < call->count; i++) {
        if (!id_read(call, &call->argument[i], &filter.id)) {
            buffer_deinit(&call->host->text);
            return;
        }
        server_clients_list(call->host->server, &filter, &call->host->text);
    }
    write_lines(call);
}

/* `CLIENT KILL ip:port`: exactly one, an error when it is not there. */
static void client_kill_peer(struct command_call *call, const char *peer)
{
    if (strcmp(peer, call->session->peer) == 0) {
        call->session->close_after_reply = true;
        resp_write_simple(call->reply, "OK");
        return;
    }
    struct client_filter filter = {.peer = peer};
    if (server_clients_kill(call->host->server, &filter) == 0) {
        resp_write_error(call->reply, "ERR No such client");
    } else {
        resp_write_simple(call->reply, "OK");
    }
}

void command_client_kill(struct command_call *call)
{
    char peer[SESSION_ADDRESS_SIZE_MAX];
    const struct resp_argument *last = &call->argument[call->count - 1];
    struct client_filter filter = {.except_id = call->session->id};
    if (call->count == 3) {
        client_kill_peer(call, command_show(last, peer, sizeof(peer)));
        return;
    }
    if (call->count != 4) {
        resp_write_error(call->reply, "ERR CLIENT KILL takes: %s", call->command->syntax);
        return;
    }
    if (resp_is(&call->argument[2], "ID")) {
        if (!id_read(call, last, &filter.id)) {
            return;
        }
    } else if (resp_is(&call->argument[2], "ADDR")) {
        filter.peer = command_show(last, peer, sizeof(peer));
    } else {
        resp_write_error(call->reply, "ERR CLIENT KILL takes: %s", call->command->syntax);
        return;
    }
    resp_write_integer(call->reply, server_clients_kill(call->host->server, &filter));
}

void command_client_setname(struct command_call *call)
{
    if (name_check(call, &call->argument[2], "Client names")) {
        server_client_rename(call->host->server, call->session->name, &call->argument[2]);
        resp_write_simple(call->reply, "OK");
    }
}

void command_client_getname(struct command_call *call)
{
    if (call->session->name[0] == '\0') {
        resp_write_null(call->reply);
    } else {
        resp_write_text(call->reply, call->session->name);
    }
}

void command_client_setinfo(struct command_call *call)
{
    char show[64];
    const struct resp_argument *what = &call->argument[2];
    const struct resp_argument *value = &call->argument[3];
    bool is_name = resp_is(what, "LIB-NAME");
    if (!is_name && !resp_is(what, "LIB-VER")) {
        resp_write_error(call->reply, "ERR Unrecognized option '%s'",
                         command_show(what, show, sizeof(show)));
        return;
    }
    if (!name_check(call, value, is_name ? "lib-name" : "lib-ver")) {
        return;
    }
    server_client_rename(call->host->server,
                         is_name ? call->session->library : call->session->library_version, value);
    resp_write_simple(call->reply, "OK");
}

void command_client_reply(struct command_call *call)
{
    struct session *session = call->session;
    const struct resp_argument *mode = &call->argument[2];
    if (resp_is(mode, "ON")) {
        session->reply_off = false;
        session->reply_skip = 0;
        resp_write_simple(call->reply, "OK");
    } else if (resp_is(mode, "OFF")) {
        session->reply_off = true;
    } else if (resp_is(mode, "SKIP")) {
        session->reply_skip = 2;
    } else {
        resp_write_error(call->reply, "ERR CLIENT REPLY takes: %s", call->command->syntax);
    }
}

void command_client_flag(struct command_call *call)
{
    if (resp_is(&call->argument[2], "ON") || resp_is(&call->argument[2], "OFF")) {
        resp_write_simple(call->reply, "OK");
    } else {
        resp_write_error(call->reply, "ERR CLIENT %s takes ON or OFF", call->command->name);
    }
}
