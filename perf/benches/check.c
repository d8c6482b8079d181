/* What `freshet check` takes for a definition of a thousand views: 100 streams with 10 views each,
 * 8 aggregates each over 2 windows. The process as a user starts it, its output thrown away. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/base/units.h"
#include "perf/benches/bench.h"
#include "perf/benches/results.h"
#include "perf/load/endpoint.h"

#define CHECK_VIEWS      1000u
#define CHECK_PER_STREAM 10u
#define CHECK_RUNS       5u
#define CHECK_PATH_SIZE  512

static void streams_write(FILE *file)
{
    (void)fprintf(file, "streams:\n");
    for (uint32_t s = 0; s < CHECK_VIEWS / CHECK_PER_STREAM; s++) {
        (void)fprintf(file,
                      "  stream_%u:\n    id: %u\n    time: ts\n    fields:\n"
                      "      ts: {type: timestamp}\n      card: {type: u64}\n"
                      "      shop: {type: string, size: 16}\n"
                      "      amount: {type: decimal, scale: 2}\n"
                      "      tip: {type: decimal, scale: 2, optional: true}\n"
                      "      items: {type: u32}\n"
                      "      score: {type: f64, scale: 4, optional: true}\n",
                      s, s + 1);
    }
}

static void views_write(FILE *file)
{
    static const char *const aggregates[] = {"count()",     "sum(amount)",        "avg(tip)",
                                             "min(amount)", "max(score)",         "last(items)",
                                             "count(tip)",  "stddev_samp(amount)"};
    static const char *const windows[] = {"10m, 1h", "1h, 1d", "1d, 7d", "7d, 30d"};
    (void)fprintf(file, "views:\n");
    for (uint32_t v = 0; v < CHECK_VIEWS; v++) {
        (void)fprintf(file,
                      "  view_%u:\n    entity: %s\n    source: stream_%u\n    windows: [%s]\n"
                      "    aggregates:\n",
                      v, v % 3 == 0 ? "shop" : "card", v / CHECK_PER_STREAM,
                      windows[v % ARRAY_COUNT(windows)]);
        for (uint32_t a = 0; a < ARRAY_COUNT(aggregates); a++) {
            (void)fprintf(file, "      a%u: %s\n", a, aggregates[a]);
        }
    }
}

/* 0; -1: the file was not written. */
static int definition_write(const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return -1;
    }
    streams_write(file);
    views_write(file);
    return fclose(file) == 0 ? 0 : -1;
}

/* Seconds of one run, and its peak of memory; 0: it failed. */
static double check_once(const char *program, const char *path, double *out_peak_mb)
{
    int64_t start_ns = endpoint_now_ns();
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("/dev/null", O_WRONLY);
        (void)dup2(fd, STDOUT_FILENO);
        (void)execl(program, program, "check", path, (char *)NULL);
        _exit(127);
    }
    int status;
    struct rusage usage;
    if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || status != 0) {
        return 0;
    }
    *out_peak_mb = (double)usage.ru_maxrss * KIB / 1e6;
    return (double)(endpoint_now_ns() - start_ns) / 1e9;
}

static int seconds_compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The middle of some runs. */
static void check_measure(struct bench_run *run, const char *program, const char *path)
{
    double seconds[CHECK_RUNS];
    double peak_mb = 0;
    for (uint32_t i = 0; i < CHECK_RUNS; i++) {
        seconds[i] = check_once(program, path, &peak_mb);
        if (seconds[i] == 0) {
            bench_fail(run, "freshet check failed");
            return;
        }
    }
    qsort(seconds, CHECK_RUNS, sizeof(seconds[0]), seconds_compare);
    bench_set(run, "seconds", seconds[CHECK_RUNS / 2]);
    bench_set(run, "peak_mb", peak_mb);
}

static void check_run(struct bench_run *run, const void *context)
{
    (void)context;
    char program[CHECK_PATH_SIZE] = "";
    char path[] = "/tmp/freshet-check-XXXXXX.yaml";
    char *slash = readlink("/proc/self/exe", program, sizeof(program) - sizeof("/freshet")) > 0
                      ? strrchr(program, '/')
                      : NULL;
    int fd = mkstemps(path, (int)strlen(".yaml"));
    if (slash == NULL || fd < 0) {
        bench_fail(run, strerror(errno));
        return;
    }
    memcpy(slash, "/freshet", sizeof("/freshet"));
    (void)close(fd);
    if (definition_write(path) == 0) {
        check_measure(run, program, path);
    } else {
        bench_fail(run, "the definition was not written");
    }
    (void)unlink(path);
}

void check_register(void)
{
    bench_register("check/views:1000", check_run, NULL);
}
