/* "127.0.0.1:6380" and "[::1]:6380": numeric socket addresses as the definitions write them. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "dataplane/base/result.h"

/* Parses text; a host name is RESULT_INVALID: nothing here waits for a resolver. */
MUST_USE enum result address_from_text(const char *text, struct sockaddr_storage *out_address,
                                       socklen_t *out_size);
