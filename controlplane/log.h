/* The process's log: one line per event to stderr, logfmt or JSON. The only place that logs, and
 * only the control plane may. At most one line per second and event id; what was held back is
 * counted on the next line (`held=`). */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

#define LOG_EVENTS_MAX 64

struct log {
    FILE *out;
    bool json;
    pthread_mutex_t lock; /* Guards site. */
    struct {
        const char *event; /* A literal: compared as text. */
        int64_t last_us;
        uint64_t held;
    } site[LOG_EVENTS_MAX];
};

void log_init(struct log *log, FILE *out, bool json);
/* event is a stable id in snake_case (a literal), format makes the message. Any thread. */
void log_write(struct log *log, enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
