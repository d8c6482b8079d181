/* Text of users in JSON: what is no UTF-8 is shown, not lost. */
#pragma once

#include <jansson.h>

/* A JSON string; every byte that is not ASCII becomes ? where the whole is no UTF-8. NULL: no
 * memory. */
json_t *json_text(const char *text);
