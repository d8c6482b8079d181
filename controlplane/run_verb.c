/* freshet run: opens the appliance, waits for a signal or the time, closes it. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "controlplane/appliance.h"
#include "controlplane/banner.h"
#include "controlplane/definitions.h"
#include "controlplane/log.h"
#include "controlplane/verb.h"
#include "controlplane/watch.h"
#include "dataplane/base/units.h"
#include "drivers/clock.h"

#define HEAP_BYTES_MAX     (1 * GIB)
#define DESCRIPTORS_WANTED 4096u

struct run_options {
    double seconds; /* 0: until a signal. */
    bool json;
    const char *log_format;
};

/* Waits up to a second, at most until left_ns are over. Returns the signal or 0. */
static int signal_wait(const sigset_t *signals, int64_t left_ns)
{
    int64_t wait_ns = left_ns < NS_PER_SECOND ? left_ns : NS_PER_SECOND;
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / NS_PER_SECOND),
                            .tv_nsec = (long)(wait_ns % NS_PER_SECOND)};
    int number = sigtimedwait(signals, NULL, &wait);
    return number > 0 ? number : 0;
}

static void keys_reload_log(struct appliance *appliance, struct log *log)
{
    char error[APPLIANCE_ERROR_SIZE_MAX];
    if (appliance_keys_reload(appliance, error) == RESULT_OK) {
        log_write(log, LOG_LEVEL_INFO, "keys_reloaded", "the key files of all listeners");
    } else {
        log_write(log, LOG_LEVEL_ERROR, "keys_not_reloaded", "%s", error);
    }
}

static void run_until_end(struct appliance *appliance, const struct run_options *options,
                          const sigset_t *signals, struct watch *watch)
{
    struct log *log = watch->log;
    int64_t end_ns = INT64_MAX;
    if (options->seconds > 0 && options->seconds < 1e9) {
        end_ns = clock_steady_ns() + (int64_t)(options->seconds * 1e9);
    }
    for (;;) {
        int64_t left_ns = end_ns - clock_steady_ns();
        if (left_ns <= 0) {
            log_write(log, LOG_LEVEL_INFO, "stop", "the time of --for is over");
            return;
        }
        int number = signal_wait(signals, left_ns);
        if (number == SIGHUP) {
            keys_reload_log(appliance, log);
        } else if (number != 0) {
            log_write(log, LOG_LEVEL_INFO, "stop", "%s", strsignal(number));
            return;
        }
        watch_look(watch);
    }
}

static void banner_print(const struct appliance *appliance, bool json)
{
    struct buffer banner;
    buffer_init(&banner, 0);
    if (json) {
        banner_render_json(appliance, &banner);
    } else {
        banner_render(appliance, &banner);
    }
    (void)fwrite(banner.data, 1, banner.size, stdout);
    (void)fflush(stdout);
    buffer_deinit(&banner);
}

/* Room for every client of both servers: many shells allow 1024 descriptors. */
static void descriptors_allow(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS_WANTED) {
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The signal that ends the process and waits to be taken; 0: none does. */
static int signal_waiting(void)
{
    sigset_t waiting;
    (void)sigemptyset(&waiting);
    (void)sigpending(&waiting);
    return sigismember(&waiting, SIGTERM) == 1  ? SIGTERM
           : sigismember(&waiting, SIGINT) == 1 ? SIGINT
                                                : 0;
}

static bool stop_asked(void)
{
    return signal_waiting() != 0;
}

static int appliance_run(const struct config *config, const struct run_options *options)
{
    struct log log;
    char error[APPLIANCE_ERROR_SIZE_MAX];
    struct appliance *appliance = heap_alloc(sizeof(*appliance));
    if (appliance == NULL) {
        (void)fprintf(stderr, "freshet run: no memory\n");
        return VERB_EXIT_FAILED;
    }
    bool json_log = options->json || strcmp(options->log_format, "json") == 0;
    log_init(&log, stderr, json_log);
    heap_limit_set(HEAP_BYTES_MAX);
    descriptors_allow();
    /* Blocked before any thread exists, so that only sigtimedwait() takes them. */
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    enum result result = appliance_open(config, stop_asked, appliance, error);
    if (result == RESULT_STOPPED) {
        log_write(&log, LOG_LEVEL_INFO, "stop", "%s, while the store was loaded",
                  strsignal(signal_waiting()));
        heap_free(appliance);
        return VERB_EXIT_OK;
    }
    if (result != RESULT_OK) {
        int exit_code = appliance->unreadable ? VERB_EXIT_CONFIG : VERB_EXIT_FAILED;
        log_write(&log, LOG_LEVEL_ERROR, "start_failed", "%s", error);
        heap_free(appliance);
        return exit_code;
    }
    struct watch watch;
    banner_print(appliance, options->json);
    watch_begin(&watch, appliance, &log);
    log_write(&log, LOG_LEVEL_INFO, "ready", "events are taken and queries answered");
    run_until_end(appliance, options, &signals, &watch);
    appliance_close(appliance);
    watch_end(&watch);
    heap_free(appliance);
    return VERB_EXIT_OK;
}

int run_verb(int argc, char **argv)
{
    struct run_options options = {.log_format = "logfmt"};
    const struct verb_option option[] = {
        {"for", "SECONDS", VERB_OPTION_SECONDS, &options.seconds, "end by itself after that long"},
        {"log-format", "FORMAT", VERB_OPTION_TEXT, &options.log_format, "logfmt (default) or json"},
        {"json", NULL, VERB_OPTION_FLAG, &options.json, "banner, log and errors as JSON"},
    };
    const struct verb_usage usage = {
        "run",
        "FILE...",
        "Starts the appliance on definition files (a folder means its *.yaml files) and runs "
        "until\n"
        "SIGINT or SIGTERM; SIGHUP reads key files again. Prints where it listens and what to "
        "type\n"
        "next; logs to stderr.\n",
        option,
        ARRAY_COUNT(option),
        1,
        VERB_ARGUMENTS_MAX};
    int exit_code = VERB_EXIT_OK;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    if (strcmp(options.log_format, "json") != 0 && strcmp(options.log_format, "logfmt") != 0) {
        return verb_usage_error(&usage, "--log-format takes logfmt or json, not \"%s\"",
                                options.log_format);
    }
    struct config *config = NULL;
    struct config_texts texts;
    exit_code =
        definitions_load_keeping(argv + 1, (uint32_t)argc - 1, options.json, &texts, &config);
    if (exit_code == VERB_EXIT_OK) {
        exit_code = appliance_run(config, &options);
        definitions_free(config);
    }
    config_texts_free(&texts);
    return exit_code;
}
