/* Listening sockets: a unix path and a TCP address. Non-blocking, close-on-exec. */
#pragma once

#include <stdint.h>

#include "dataplane/base/result.h"

/* Listens on a path: makes its folder, replaces a socket that nobody serves any more, refuses one
 * that is served and whatever is no socket. mode says who may connect. On failure error says what,
 * where and what to do. */
MUST_USE enum result listener_open_unix(const char *path, uint32_t mode, int *out_fd, char *error,
                                        uint32_t error_size);

/* Listens on "127.0.0.1:6380" or "[::1]:6380"; port 0: the kernel picks. */
MUST_USE enum result listener_open_tcp(const char *address, int *out_fd, char *error,
                                       uint32_t error_size);
