/* A field of a service's request, from its text: as FS.GET takes it, and as label files have it. */
#pragma once

#include <stdint.h>

#include "dataplane/feature/plan.h"

enum service_request_fault {
    SERVICE_REQUEST_GOOD,
    SERVICE_REQUEST_NO_VALUE,    /* Of the field's type; a string too long. */
    SERVICE_REQUEST_NOT_ALLOWED, /* By its min, max or enum. */
};

/* The word of a value that is not empty, as programs have it; a string's borrows text. */
enum service_request_fault service_request_word(const struct plan_service *service, uint32_t index,
                                                const char *text, uint32_t size, int64_t *out_word);
