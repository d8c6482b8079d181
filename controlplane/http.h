/* GET /metrics, /healthz, /readyz over HTTP/1.1 (libmicrohttpd), for Prometheus and orchestrators.
 * Bounded: connections, header bytes, time. Other machines see the metrics as a user (Basic
 * authentication, any role), or not at all without users; health is for everyone. */
#pragma once

#include <stdint.h>

#include "dataplane/base/result.h"

struct appliance;
struct http;

/* address: "127.0.0.1:6566"; port 0: the kernel picks. error: see appliance.h. */
MUST_USE enum result http_open(struct appliance *appliance, const char *address,
                               struct http **out_http, char *error, uint32_t error_size);
void http_close(struct http *http); /* NULL is fine. */
uint16_t http_port(const struct http *http);
