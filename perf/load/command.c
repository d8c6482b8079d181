#include "perf/load/command.h"

#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

redisContext *command_open(const char *query, char error[ENDPOINT_ERROR_SIZE_MAX])
{
    int fd = endpoint_open_query(query, error);
    if (fd < 0) {
        return NULL;
    }
    redisContext *context = redisConnectFd(fd);
    struct timeval patience = {.tv_sec = 5};
    if (context == NULL || context->err != 0) {
        (void)snprintf(error, ENDPOINT_ERROR_SIZE_MAX, "%s: %s", query,
                       context != NULL ? context->errstr : "no memory");
        if (context != NULL) {
            redisFree(context);
        } else {
            (void)close(fd);
        }
        return NULL;
    }
    (void)redisSetTimeout(context, patience);
    return context;
}
