#include "controlplane/log.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "dataplane/base/units.h"

#define MESSAGE_SIZE 1024

void log_init(struct log *log, FILE *out, bool json)
{
    memset(log, 0, sizeof(*log));
    log->out = out;
    log->json = json;
    (void)pthread_mutex_init(&log->lock, NULL);
}

static int64_t realtime_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / NS_PER_US;
}

/* True when a line of this event is due; *out_held says how many were held back before it. An event
 * beyond the table is never held back. */
static bool site_due(struct log *log, const char *event, int64_t now_us, uint64_t *out_held)
{
    *out_held = 0;
    for (uint32_t i = 0; i < LOG_EVENTS_MAX; i++) {
        if (log->site[i].event == NULL) {
            log->site[i].event = event;
            log->site[i].last_us = now_us;
            return true;
        }
        if (strcmp(log->site[i].event, event) != 0) {
            continue;
        }
        if (now_us - log->site[i].last_us < US_PER_SECOND && now_us >= log->site[i].last_us) {
            log->site[i].held++;
            return false;
        }
        *out_held = log->site[i].held;
        log->site[i].held = 0;
        log->site[i].last_us = now_us;
        return true;
    }
    return true;
}

/* Both formats quote alike: backslash before quote and backslash, \u00XX for control bytes. */
static void quoted_write(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            (void)fprintf(out, "\\%c", *c);
        } else if ((unsigned char)*c < 0x20) {
            (void)fprintf(out, "\\u%04x", (unsigned)(unsigned char)*c);
        } else {
            (void)fputc(*c, out);
        }
    }
    (void)fputc('"', out);
}

static void line_write(struct log *log, const char *level, const char *event, const char *message,
                       int64_t now_us, uint64_t held)
{
    time_t seconds = (time_t)(now_us / US_PER_SECOND);
    struct tm utc;
    char time_text[32];
    (void)gmtime_r(&seconds, &utc);
    (void)strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%S", &utc);
    int milliseconds = (int)(now_us % US_PER_SECOND / US_PER_MS);
    if (log->json) {
        (void)fprintf(log->out,
                      "{\"time\": \"%s.%03dZ\", \"level\": \"%s\", \"event\": \"%s\", \"held\": "
                      "%llu, \"message\": ",
                      time_text, milliseconds, level, event, (unsigned long long)held);
        quoted_write(log->out, message);
        (void)fputs("}\n", log->out);
    } else {
        (void)fprintf(log->out, "time=%s.%03dZ level=%s event=%s", time_text, milliseconds, level,
                      event);
        if (held > 0) {
            (void)fprintf(log->out, " held=%llu", (unsigned long long)held);
        }
        (void)fputs(" message=", log->out);
        quoted_write(log->out, message);
        (void)fputc('\n', log->out);
    }
    (void)fflush(log->out);
}

void log_write(struct log *log, enum log_level level, const char *event, const char *format, ...)
{
    static const char *const level_name[] = {"info", "warning", "error"};
    char message[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    int64_t now_us = realtime_us();
    uint64_t held = 0;
    (void)pthread_mutex_lock(&log->lock);
    if (site_due(log, event, now_us, &held)) {
        line_write(log, level_name[level], event, message, now_us, held);
    }
    (void)pthread_mutex_unlock(&log->lock);
}
