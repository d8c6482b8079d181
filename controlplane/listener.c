#include "controlplane/listener.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "controlplane/address.h"

#define LISTENER_BACKLOG 511

__attribute__((format(printf, 4, 5))) static enum result
fail_with(char *error, uint32_t error_size, enum result result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, error_size, format, arguments);
    va_end(arguments);
    return result;
}

/* Makes the folders above path, as mkdir -p. */
static enum result folders_make(const char *path, char *error, uint32_t error_size)
{
    char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    (void)snprintf(folder, sizeof(folder), "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0755) != 0 && errno != EEXIST) {
            return fail_with(error, error_size, RESULT_SYSTEM,
                             "query.unix: cannot make the folder %s: %s; make it, or choose "
                             "another path",
                             folder, strerror(errno));
        }
        *slash = '/';
    }
    return RESULT_OK;
}

/* Removes what is left of a process that ended. */
static enum result stale_remove(const struct sockaddr_un *address, char *error, uint32_t error_size)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0) {
        return RESULT_OK;
    }
    if (!S_ISSOCK(status.st_mode)) {
        return fail_with(error, error_size, RESULT_EXISTS,
                         "query.unix: %s is there and is no socket; remove it, or choose another "
                         "path",
                         address->sun_path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return fail_with(error, error_size, RESULT_SYSTEM, "query.unix: socket: %s",
                         strerror(errno));
    }
    bool dead = connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
                errno == ECONNREFUSED;
    (void)close(fd);
    if (!dead) {
        return fail_with(error, error_size, RESULT_BUSY,
                         "query.unix: %s is served by a running process; end it, or choose "
                         "another path",
                         address->sun_path);
    }
    (void)unlink(address->sun_path);
    return RESULT_OK;
}

enum result listener_open_unix(const char *path, uint32_t mode, int *out_fd, char *error,
                               uint32_t error_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        return fail_with(error, error_size, RESULT_INVALID,
                         "query.unix: %s is too long for a socket, at most %zu bytes", path,
                         sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, path, strlen(path));
    enum result result = folders_make(path, error, error_size);
    if (result == RESULT_OK) {
        result = stale_remove(&address, error, error_size);
    }
    if (result != RESULT_OK) {
        return result;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* Nobody can connect before listen(), so the mode is set in time. */
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(path, mode) != 0 || listen(fd, LISTENER_BACKLOG) != 0) {
        result = fail_with(error, error_size, RESULT_SYSTEM,
                           "query.unix: cannot listen on %s: %s; choose another path", path,
                           strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return result;
    }
    *out_fd = fd;
    return RESULT_OK;
}

enum result listener_open_tcp(const char *text, int *out_fd, char *error, uint32_t error_size)
{
    struct sockaddr_storage address;
    socklen_t size;
    int on = 1;
    if (address_from_text(text, &address, &size) != RESULT_OK) {
        return fail_with(error, error_size, RESULT_INVALID,
                         "query.tcp: '%s' is no address; write 127.0.0.1:6380 or [::1]:6380", text);
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, LISTENER_BACKLOG) != 0) {
        enum result result = fail_with(error, error_size, RESULT_SYSTEM,
                                       "query.tcp: cannot listen on %s: %s; choose another port, "
                                       "or leave it out",
                                       text, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return result;
    }
    *out_fd = fd;
    return RESULT_OK;
}
