/* All connections of the server, for CLIENT LIST and CLIENT KILL: what one serving thread may know
 * and do about the connections of another. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/buffer.h"
#include "controlplane/command.h"

#define SERVER_CLIENTS_MAX 1024u

struct client_filter {
    uint64_t id;        /* 0: any. */
    const char *peer;   /* NULL: any. */
    uint64_t except_id; /* 0: none. */
};

/* One line of CLIENT LIST, with its line end. */
void server_client_describe(const struct session *session, int64_t now_us, struct buffer *out);
/* Lines of all connections that fit. server NULL: nothing. */
void server_clients_list(struct server *server, const struct client_filter *filter,
                         struct buffer *out);
/* Ends the connections that fit; returns their number. Their threads close them soon. */
uint32_t server_clients_kill(struct server *server, const struct client_filter *filter);
/* Changes what others may read of a session: its name and library. */
void server_client_rename(struct server *server, char *target, const struct resp_argument *name);
/* "127.0.0.1:6380" is announced to cluster clients on the unix socket; port 0: none. */
void server_tcp_address(const struct server *server, char *ip, uint32_t ip_size,
                        uint16_t *out_port);
