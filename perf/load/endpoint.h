/* Sockets to the appliance: UDP for events, unix or TCP for queries, and the clock of the load. */
#pragma once

#include <stdint.h>

#define ENDPOINT_ERROR_SIZE_MAX 256

/* Opens a UDP socket connected to HOST:PORT. Returns it, or -1 with error set. */
int endpoint_open_udp(const char *to, char error[ENDPOINT_ERROR_SIZE_MAX]);
/* Opens a stream socket connected to PATH or HOST:PORT (a text with a '/' or without a ':' is a
 * path). Returns it, or -1 with error set. */
int endpoint_open_query(const char *query, char error[ENDPOINT_ERROR_SIZE_MAX]);

/* CLOCK_MONOTONIC. */
int64_t endpoint_now_ns(void);
/* CLOCK_THREAD_CPUTIME_ID: what this thread really had of its core. */
int64_t endpoint_thread_ns(void);
/* CLOCK_REALTIME. */
int64_t endpoint_time_us(void);
/* Sleeps until the monotonic time, or not at all. */
void endpoint_sleep_until(int64_t at_ns);
