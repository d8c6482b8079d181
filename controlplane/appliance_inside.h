/* What the files of the appliance share. */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "controlplane/appliance.h"

__attribute__((format(printf, 3, 4))) static inline enum result
appliance_fail(char error[APPLIANCE_ERROR_SIZE_MAX], enum result result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, APPLIANCE_ERROR_SIZE_MAX, format, arguments);
    va_end(arguments);
    return result;
}

/* Listeners, with their keys. */
MUST_USE enum result appliance_ports_open(struct appliance *appliance,
                                          char error[APPLIANCE_ERROR_SIZE_MAX]);
void appliance_ports_close(struct appliance *appliance);

/* Memory and workers, empty and without ports. */
MUST_USE enum result appliance_workers_open(struct appliance *appliance,
                                            char error[APPLIANCE_ERROR_SIZE_MAX]);
/* The same workers, empty again. */
MUST_USE enum result appliance_workers_reset(struct appliance *appliance);
/* Gives them their ports. */
void appliance_workers_listen(struct appliance *appliance);
MUST_USE enum result appliance_workers_start(struct appliance *appliance,
                                             char error[APPLIANCE_ERROR_SIZE_MAX]);
/* Lets them finish what came, at most timeout_us; then they only turn. */
void appliance_workers_drain(struct appliance *appliance, int64_t timeout_us);
void appliance_workers_stop(struct appliance *appliance);
void appliance_workers_close(struct appliance *appliance);
