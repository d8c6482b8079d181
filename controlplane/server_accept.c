#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "controlplane/access.h"
#include "controlplane/appliance.h"
#include "controlplane/server_inside.h"

#define ACCEPTS_PER_TURN  32u
#define KEEPALIVE_SECONDS 300

void server_address_read(const struct sockaddr_storage *address, char *ip, uint32_t ip_size,
                         uint16_t *out_port)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    ip[0] = '\0';
    *out_port = 0;
    if (address->ss_family == AF_INET) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, ip, ip_size);
        *out_port = ntohs(v4->sin_port);
    } else if (address->ss_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, ip, ip_size);
        *out_port = ntohs(v6->sin6_port);
    }
}

static void address_join(const struct sockaddr_storage *address, char *out, uint32_t size)
{
    char ip[64];
    uint16_t port;
    server_address_read(address, ip, sizeof(ip), &port);
    (void)snprintf(out, size, address->ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip, port);
}

static void session_locate(struct server *server, struct connection *connection,
                           enum listener_kind kind)
{
    struct session *session = &connection->session;
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    if (kind == LISTENER_UNIX) {
        (void)snprintf(session->peer, sizeof(session->peer), "%.120s:0", server->unix_path);
        (void)snprintf(session->local, sizeof(session->local), "%.120s:0", server->unix_path);
        return;
    }
    if (getpeername(connection->fd, (struct sockaddr *)&address, &size) == 0) {
        address_join(&address, session->peer, sizeof(session->peer));
    }
    size = sizeof(address);
    if (getsockname(connection->fd, (struct sockaddr *)&address, &size) == 0) {
        address_join(&address, session->local, sizeof(session->local));
        server_address_read(&address, session->local_ip, sizeof(session->local_ip),
                            &session->local_port);
    }
}

static const char text_full[] = "-ERR max number of clients reached\r\n";
/* As Redis says it in its protected mode. */
static const char text_denied[] =
    "-DENIED Freshet is running in protected mode because no users are configured. In this mode "
    "connections are only accepted from the loopback interface. To connect from other machines, "
    "make users (freshet user add NAME --role read --file users.yaml), name their file in the "
    "definitions (query: {users: users.yaml}), and start the appliance again.\r\n";

static void client_refuse(struct server *server, int fd, const char *text)
{
    char bytes[4096];
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
    /* What it sent already and nobody reads would make the kernel throw the text away. */
    (void)shutdown(fd, SHUT_WR);
    (void)recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    (void)close(fd);
    counter_add(&server->shared_refused, 1);
}

/* What the client may do before it says who it is. False: nothing, not even that. */
static bool client_admit(const struct server *server, int fd, enum listener_kind kind,
                         enum user_role *out_role)
{
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);
    const struct access *access = server->appliance->access;
    if (kind == LISTENER_UNIX) {
        *out_role = access_role_of_unix(fd);
        return true;
    }
    *out_role = USER_ROLE_NONE;
    if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0) {
        *out_role = access_role_of_tcp(access, (const struct sockaddr *)&peer);
    }
    return *out_role != USER_ROLE_NONE || access_has_users(access);
}

static struct server_thread *thread_choose(struct server *server)
{
    struct server_thread *best = &server->thread[0];
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < server->thread_count; i++) {
        struct server_thread *thread = &server->thread[i];
        uint64_t open = thread->assigned - counter_read(&thread->counters.shared_ended);
        if (open < least) {
            least = open;
            best = thread;
        }
    }
    return best;
}

static void client_begin(struct server *server, int fd, enum listener_kind kind)
{
    int on = 1;
    int idle_s = KEEPALIVE_SECONDS;
    enum user_role role;
    if (!client_admit(server, fd, kind, &role)) {
        client_refuse(server, fd, text_denied);
        return;
    }
    struct server_thread *thread = thread_choose(server);
    struct connection *connection = server_client_take(server);
    if (connection == NULL) {
        client_refuse(server, fd, text_full);
        return;
    }
    connection_open(connection, fd, server->id_next, clock_now_us(&server->appliance->clock));
    connection->thread = thread->index;
    session_admit(&connection->session, role, thread->wake_fd);
    connection->events = EPOLLIN;
    session_locate(server, connection, kind);
    if (kind == LISTENER_TCP) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    }
    server_client_show(server, connection);
    server->id_next++;
    thread->assigned++;
    counter_add(&server->shared_accepted, 1);
    /* Last: from here on the connection belongs to its thread. */
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        /* The kernel has no memory for it: as if it had never come. */
        server_client_give_back(server, connection);
        thread->assigned--;
        counter_add(&server->shared_accepted, UINT64_MAX);
        counter_add(&server->shared_refused, 1);
    }
}

/* Descriptors ran out: a client that waits forever is worse than one that is told. */
static void accept_without_descriptors(struct server *server, int listener_fd)
{
    if (server->spare_fd >= 0) {
        (void)close(server->spare_fd);
        int fd = accept4(listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            client_refuse(server, fd, text_full);
        }
        server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
}

void server_accept(struct server *server, enum listener_kind kind)
{
    int listener_fd = server->listener_fd[kind];
    for (uint32_t i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            client_begin(server, fd, kind);
        } else if (errno == EMFILE || errno == ENFILE) {
            accept_without_descriptors(server, listener_fd);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}
