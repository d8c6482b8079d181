#include "controlplane/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/password.h"
#include "drivers/memory.h"
#include "drivers/secret.h"

struct access {
    struct users users;
    struct verifier *verifier; /* NULL without users. */
};

static enum result hashes_check(const struct users *users, const char *path, char *error,
                                uint32_t error_size)
{
    for (uint32_t i = 0; i < users->count; i++) {
        const struct user *user = &users->user[i];
        if (!password_hash_is_usable(user->hash)) {
            (void)snprintf(error, error_size,
                           "query.users: %s:%u: the password of %s is no hash that this system "
                           "makes; `freshet user add` makes one",
                           path, user->line, user->name);
            return RESULT_INVALID;
        }
    }
    return RESULT_OK;
}

static enum result users_open(struct access *access, const char *path,
                              const struct cpu_layout *layout, char *error, uint32_t error_size)
{
    char text[USERS_ERROR_SIZE_MAX];
    enum result result = users_load(path, &access->users, text);
    if (result != RESULT_OK) {
        (void)snprintf(error, error_size, "query.users: %s", text);
        return result;
    }
    if (access->users.count == 0) {
        (void)snprintf(error, error_size,
                       "query.users: %s holds no user; freshet user add NAME --role read --file %s "
                       "makes one, or remove `users`",
                       path, path);
        return RESULT_INVALID;
    }
    result = hashes_check(&access->users, path, error, error_size);
    if (result != RESULT_OK) {
        return result;
    }
    result = verifier_open(&access->users, layout, &access->verifier);
    if (result != RESULT_OK) {
        (void)snprintf(error, error_size, "query.users: no thread that verifies passwords: %s",
                       result_name(result));
    }
    return result;
}

enum result access_open(const char *path, const struct cpu_layout *layout,
                        struct access **out_access, char *error, uint32_t error_size)
{
    struct access *access = heap_alloc(sizeof(*access));
    if (access == NULL) {
        (void)snprintf(error, error_size, "query.users: %s", result_name(RESULT_NO_MEMORY));
        return RESULT_NO_MEMORY;
    }
    memset(access, 0, sizeof(*access));
    enum result result = RESULT_OK;
    if (path[0] != '\0') {
        result = users_open(access, path, layout, error, error_size);
    }
    if (result != RESULT_OK) {
        access_close(access);
        return result;
    }
    *out_access = access;
    return RESULT_OK;
}

void access_stop(struct access *access)
{
    if (access != NULL && access->verifier != NULL) {
        verifier_stop(access->verifier);
    }
}

void access_close(struct access *access)
{
    if (access == NULL) {
        return;
    }
    verifier_close(access->verifier);
    secret_wipe(access, sizeof(*access));
    heap_free(access);
}

bool access_has_users(const struct access *access)
{
    return access != NULL && access->users.count > 0;
}

struct verifier *access_verifier(struct access *access)
{
    return access == NULL ? NULL : access->verifier;
}

uint64_t access_logins_refused(const struct access *access)
{
    return access == NULL || access->verifier == NULL ? 0 : verifier_refused(access->verifier);
}

bool access_is_loopback(const struct sockaddr *peer)
{
    if (peer->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)peer;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    if (peer->sa_family != AF_INET6) {
        return false;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)peer;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) != 0 ||
           (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) != 0 && v6->sin6_addr.s6_addr[12] == 127);
}

enum user_role access_role_of_unix(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return USER_ROLE_NONE;
    }
    return peer.uid == 0 || peer.uid == geteuid() ? USER_ROLE_OPERATE : USER_ROLE_READ;
}

enum user_role access_role_of_tcp(const struct access *access, const struct sockaddr *peer)
{
    return !access_has_users(access) && access_is_loopback(peer) ? USER_ROLE_READ : USER_ROLE_NONE;
}
