/* A blocking connection for commands, by hiredis. */
#pragma once

#include <hiredis/hiredis.h>

#include "perf/load/endpoint.h"

/* Connects to PATH or HOST:PORT; answers are waited for at most five seconds. NULL with error set
 * when there is no server. The caller ends it with redisFree(). */
redisContext *command_open(const char *query, char error[ENDPOINT_ERROR_SIZE_MAX]);
