#include "controlplane/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "dataplane/base/units.h"
#include "drivers/clock.h"

#define SHOW_NS       (NS_PER_SECOND / 5)
#define LINE_SIZE_MAX 256

void progress_begin(struct progress *progress, bool wanted)
{
    *progress = (struct progress){.shows = wanted && isatty(STDERR_FILENO) == 1,
                                  .begin_ns = clock_steady_ns()};
    progress->next_ns = progress->begin_ns;
}

bool progress_is_due(struct progress *progress)
{
    if (!progress->shows) {
        return false;
    }
    int64_t now_ns = clock_steady_ns();
    if (now_ns < progress->next_ns) {
        return false;
    }
    progress->next_ns = now_ns + SHOW_NS;
    return true;
}

void progress_show(struct progress *progress, const char *format, ...)
{
    char line[LINE_SIZE_MAX];
    va_list arguments;
    if (!progress->shows) {
        return;
    }
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    uint32_t width = size < 0 ? 0 : size < LINE_SIZE_MAX ? (uint32_t)size : LINE_SIZE_MAX - 1;
    uint32_t rest = progress->width > width ? progress->width - width : 0;
    (void)fprintf(stderr, "\r%.*s%*s", (int)width, line, (int)rest, "");
    (void)fflush(stderr);
    progress->width = width;
}

void progress_end(struct progress *progress)
{
    if (progress->width > 0) {
        (void)fprintf(stderr, "\n");
        progress->width = 0;
    }
}

double progress_seconds(const struct progress *progress)
{
    return (double)(clock_steady_ns() - progress->begin_ns) / (double)NS_PER_SECOND;
}

double progress_seconds_left(const struct progress *progress, uint64_t done, uint64_t all)
{
    if (done == 0 || done >= all) {
        return 0;
    }
    return progress_seconds(progress) * (double)(all - done) / (double)done;
}
