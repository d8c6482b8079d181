#include "controlplane/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/access.h"
#include "controlplane/address.h"
#include "controlplane/appliance.h"
#include "controlplane/report.h"
#include "dataplane/base/units.h"
#include "drivers/secret.h"

#define CONNECTIONS_MAX      512u
#define CONNECTION_BYTES_MAX ((size_t)(32 * KIB))
#define IDLE_SECONDS_MAX     5u
#define METRICS_BYTES_MAX    (64 * MIB)

struct http {
    struct appliance *appliance; /* Borrowed. */
    struct MHD_Daemon *daemon;
};

static enum MHD_Result text_answer(struct MHD_Connection *connection, unsigned status,
                                   const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)MHD_add_response_header(response, "Allow", "GET, HEAD");
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result metrics_answer(const struct appliance *appliance,
                                      struct MHD_Connection *connection)
{
    /* Pairs with the release in appliance_open(). */
    if (!atomic_load_explicit(&appliance->shared_loaded, memory_order_acquire)) {
        return text_answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "loading\n");
    }
    struct buffer metrics;
    buffer_init(&metrics, METRICS_BYTES_MAX);
    report_metrics(appliance, &metrics);
    if (metrics.failed) {
        buffer_deinit(&metrics);
        return text_answer(connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
                           "no memory left for the metrics\n");
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(metrics.size, metrics.data, MHD_RESPMEM_MUST_COPY);
    buffer_deinit(&metrics);
    if (response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, "Content-Type",
                                  "text/plain; version=0.0.4; charset=utf-8");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result login_ask_answer(struct MHD_Connection *connection)
{
    static const char text[] = "say who you are: a user of the appliance and the password\n";
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        return MHD_NO;
    }
    enum MHD_Result result = MHD_queue_basic_auth_fail_response(connection, "freshet", response);
    MHD_destroy_response(response);
    return result;
}

/* Stands in a request's context for a login that was refused before it waited. */
static char refused_mark;

/* From the verifier's thread. */
static void login_resume(void *argument)
{
    MHD_resume_connection(argument);
}

/* Has the password verified; the request comes again when it is. Suspended first: the verdict may
 * be there before verifier_ask() returns. */
static void login_begin(struct verifier *verifier, struct MHD_Connection *connection,
                        const struct login_claim *claim, void **request_context)
{
    struct login *login = NULL;
    const struct user *user = NULL;
    MHD_suspend_connection(connection);
    enum login_state state = verifier_ask(verifier, claim, login_resume, connection, &login, &user);
    *request_context = login;
    if (state != LOGIN_WAITS) {
        *request_context = state == LOGIN_REFUSED ? &refused_mark : NULL;
        MHD_resume_connection(connection);
    }
}

/* Basic authentication. Every role may read. LOGIN_WAITS: the request comes again. */
static enum login_state login_look(struct verifier *verifier, struct MHD_Connection *connection,
                                   void **request_context)
{
    const struct user *user = NULL;
    enum login_state state = LOGIN_REFUSED;
    if (*request_context != NULL) {
        return *request_context == &refused_mark ? LOGIN_REFUSED
                                                 : verifier_look(verifier, *request_context, &user);
    }
    char *password = NULL;
    char *name = MHD_basic_auth_get_username_password(connection, &password);
    if (name != NULL && password != NULL) {
        const struct login_claim claim = {name, password, strlen(name), strlen(password)};
        state = LOGIN_TAKEN;
        if (verifier_knows(verifier, &claim) == NULL) {
            state = LOGIN_WAITS;
            login_begin(verifier, connection, &claim, request_context);
        }
    }
    if (password != NULL) {
        secret_wipe(password, strlen(password));
    }
    MHD_free(name);
    MHD_free(password);
    return state;
}

static bool is_local(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info != NULL && info->client_addr != NULL && access_is_loopback(info->client_addr);
}

/* This machine sees the metrics; others as a user, and not at all without users. */
static enum MHD_Result metrics_guard(const struct http *http, struct MHD_Connection *connection,
                                     void **request_context)
{
    struct verifier *verifier = access_verifier(http->appliance->access);
    if (is_local(connection)) {
        return metrics_answer(http->appliance, connection);
    }
    if (verifier == NULL) {
        return text_answer(connection, MHD_HTTP_FORBIDDEN,
                           "only this machine may see the metrics, because no users are "
                           "configured (query: {users: users.yaml})\n");
    }
    switch (login_look(verifier, connection, request_context)) {
    case LOGIN_TAKEN:
        return metrics_answer(http->appliance, connection);
    case LOGIN_WAITS:
        return MHD_YES;
    case LOGIN_REFUSED:
        break;
    }
    return login_ask_answer(connection);
}

static void request_end(void *context, struct MHD_Connection *connection, void **request_context,
                        enum MHD_RequestTerminationCode code)
{
    const struct http *http = context;
    (void)connection;
    (void)code;
    if (*request_context != NULL && *request_context != &refused_mark) {
        verifier_forget(access_verifier(http->appliance->access), *request_context);
    }
    *request_context = NULL;
}

/* libmicrohttpd calls this once with the headers and again when the body (none is taken) is
 * over. */
static enum MHD_Result request_answer(void *context, struct MHD_Connection *connection,
                                      const char *url, const char *method, const char *version,
                                      const char *upload_data, size_t *upload_data_size,
                                      void **request_context)
{
    const struct http *http = context;
    (void)version;
    (void)upload_data;
    *upload_data_size = 0;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return text_answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                           "only GET and HEAD are answered here\n");
    }
    if (strcmp(url, "/metrics") == 0) {
        return metrics_guard(http, connection, request_context);
    }
    if (strcmp(url, "/healthz") == 0) {
        return text_answer(connection, MHD_HTTP_OK, "ok\n");
    }
    if (strcmp(url, "/readyz") == 0) {
        /* Pairs with the release in appliance_open(). */
        if (atomic_load_explicit(&http->appliance->shared_ready, memory_order_acquire)) {
            return text_answer(connection, MHD_HTTP_OK, "ready\n");
        }
        return text_answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "starting or stopping\n");
    }
    return text_answer(connection, MHD_HTTP_NOT_FOUND,
                       "no such page; there are /metrics, /healthz and /readyz\n");
}

enum result http_open(struct appliance *appliance, const char *address, struct http **out_http,
                      char *error, uint32_t error_size)
{
    struct sockaddr_storage socket_address;
    socklen_t size = 0;
    if (address_from_text(address, &socket_address, &size) != RESULT_OK) {
        (void)snprintf(error, error_size,
                       "query.http: \"%s\" is no address; write it as 127.0.0.1:6566", address);
        return RESULT_INVALID;
    }
    struct http *http = heap_alloc(sizeof(*http));
    if (http == NULL) {
        (void)snprintf(error, error_size, "query.http: %s", result_name(RESULT_NO_MEMORY));
        return RESULT_NO_MEMORY;
    }
    /* poll, not epoll: edge-triggered, libmicrohttpd misses the end of a client that left before it
     * was accepted, and holds its place until it is idle for too long. */
    unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    if (socket_address.ss_family == AF_INET6) {
        flags |= MHD_USE_IPv6;
    }
    http->appliance = appliance;
    errno = 0;
    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, request_answer, http, MHD_OPTION_SOCK_ADDR,
        (struct sockaddr *)&socket_address, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        IDLE_SECONDS_MAX, MHD_OPTION_NOTIFY_COMPLETED, request_end, http, MHD_OPTION_END);
    if (http->daemon == NULL) {
        (void)snprintf(error, error_size,
                       "query.http: cannot listen on %s: %s; stop what listens there or choose "
                       "another port (`\"\"` turns it off)",
                       address, errno == 0 ? "libmicrohttpd refused" : strerror(errno));
        heap_free(http);
        return RESULT_SYSTEM;
    }
    *out_http = http;
    return RESULT_OK;
}

void http_close(struct http *http)
{
    if (http == NULL) {
        return;
    }
    MHD_stop_daemon(http->daemon);
    heap_free(http);
}

uint16_t http_port(const struct http *http)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info == NULL ? 0 : info->port;
}
