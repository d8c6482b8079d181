/* freshet-load: drives events at an appliance and reads features from it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "perf/load/command.h"
#include "perf/load/load.h"
#include "perf/load/sender_acked.h"

#define MAIN_LOOK_NS (50 * 1000 * 1000)

static int main_fail(const char *why)
{
    (void)fprintf(stderr, "freshet-load: %s\n", why);
    return OPTIONS_EXIT_FAILED;
}

static int main_config_fail(const struct config *config)
{
    for (uint32_t i = 0; i < config->error_count && i < CONFIG_ERRORS_MAX; i++) {
        const struct config_error *error = &config->error[i];
        if (error->line == 0) {
            (void)fprintf(stderr, "%s: %s\n", error->file, error->text);
        } else {
            (void)fprintf(stderr, "%s:%u:%u: %s\n", error->file, error->line, error->column,
                          error->text);
        }
    }
    return OPTIONS_EXIT_CONFIG;
}

/* Addresses that the command line did not give, as the definitions have them. */
static void main_addresses_default(const struct config_options *config, struct options *options)
{
    for (uint32_t i = 0; i < config->ingest_count && options->to == NULL; i++) {
        if (config->ingest[i].driver == CONFIG_DRIVER_SOCKET) {
            options->to = config->ingest[i].listen;
        }
    }
    if (options->to == NULL) {
        options->to = "127.0.0.1:4700";
    }
    const char *server = getenv("FRESHET_SERVER");
    if (options->query == NULL && server != NULL && server[0] != '\0') {
        options->query = server;
    }
    if (options->query == NULL) {
        options->query = config->query_unix[0] != '\0' ? config->query_unix : config->query_tcp;
    }
}

/* The stream to send; -1 with the reason said. */
static int main_stream_find(const struct plan *plan, const struct options *options)
{
    int stream = 0;
    if (options->stream != NULL) {
        stream = plan_stream_find(plan, options->stream, (uint32_t)strlen(options->stream));
    }
    if (stream < 0 || plan->stream_count == 0) {
        (void)fprintf(stderr, "freshet-load: %s has no stream \"%s\"\n", options->config,
                      options->stream != NULL ? options->stream : "");
        return -1;
    }
    uint32_t events_max =
        (MESSAGE_SIZE_MAX - CACHE_LINE_BYTES) / plan->stream[stream].schema.block_size;
    if (plan->stream[stream].view_count == 0) {
        (void)fprintf(stderr, "freshet-load: no view reads the stream %s\n",
                      plan->stream[stream].schema.name);
        return -1;
    }
    if (options->events_per_message > events_max) {
        (void)fprintf(stderr, "freshet-load: --events-per-message %u: at most %u of this stream\n",
                      options->events_per_message, events_max);
        return -1;
    }
    return stream;
}

/* Until everything due was sent, or a signal: prints the table. */
static void main_wait(struct load *load)
{
    static struct load_table table;
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    load_table_init(&table);
    int64_t next_ns = load->sender.start_ns + NS_PER_SECOND;
    /* Acquire: the sender's last counts (pairs with its release). */
    while (!atomic_load_explicit(&load->sender.shared_finished, memory_order_acquire)) {
        struct timespec look = {.tv_nsec = MAIN_LOOK_NS};
        if (sigtimedwait(&signals, NULL, &look) > 0) {
            load->interrupted = true;
            return;
        }
        if (load->options->live && endpoint_now_ns() >= next_ns) {
            load_table_print(load, &table);
            next_ns += NS_PER_SECOND;
        }
    }
}

static int main_run(struct load *load, int udp)
{
    char error[ENDPOINT_ERROR_SIZE_MAX];
    const struct options *options = load->options;
    uint64_t producer = options->producer;
    if (producer == 0) {
        producer = (uint64_t)endpoint_time_us() << 8 ^ (uint64_t)getpid();
    }
    const struct sender_key *key = options->key_file != NULL ? &load->key : NULL;
    char reason[SENDER_KEY_ERROR_SIZE_MAX];
    if (key != NULL &&
        sender_key_read(options->key_file, producer, &load->key, reason) != RESULT_OK) {
        return main_fail(reason);
    }
    load->context = command_open(options->query, error);
    if (load->context == NULL || status_read_quiet(load->context, &load->before, error) != 0) {
        return main_fail(error);
    }
    if (querier_start(&load->querier, options, &load->maker, error) != 0 ||
        probe_start(&load->probe, options, &load->maker, producer, key, udp, error) != 0) {
        return main_fail(error);
    }
    if (options->acked) {
        /* Another producer than the probes, which are not acked. */
        load->acked = sender_acked_open(options, &load->maker, producer + 1, error);
        if (load->acked == NULL) {
            return main_fail(error);
        }
    }
    if (sender_start(&load->sender, options, &load->maker, producer, udp, key, load->acked) != 0) {
        return main_fail("no thread for the sender");
    }
    main_wait(load);
    sender_stop(&load->sender);
    double seconds = (double)(endpoint_now_ns() - load->sender.start_ns) / 1e9;
    probe_stop(&load->probe);
    querier_stop(&load->querier);
    struct status after;
    struct load_result result;
    if (status_read_quiet(load->context, &after, error) != 0) {
        return main_fail(error);
    }
    load_result_make(load, &after, seconds, &result);
    uint32_t failed = load_bounds_check(load, &result);
    if (options->json) {
        load_print_json(load, &result, failed);
    } else {
        load_print_text(load, &result);
    }
    if (fflush(stdout) != 0) {
        return main_fail("the result could not be written to stdout");
    }
    return failed == 0 ? OPTIONS_EXIT_OK : OPTIONS_EXIT_FAILED;
}

/* Threads started later inherit it: only main_wait() takes the signals. */
static void main_signals_block(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    static struct options options;
    static struct load load;
    char error[ENDPOINT_ERROR_SIZE_MAX];
    int code = OPTIONS_EXIT_FAILED;
    if (!options_parse(argc, argv, &options, &code)) {
        return code;
    }
    struct config *config = calloc(1, sizeof(*config));
    if (config == NULL) {
        return main_fail("no memory for the definitions");
    }
    int udp = -1;
    int stream;
    if (config_load(&options.config, 1, config) != RESULT_OK) {
        code = main_config_fail(config);
        goto end;
    }
    stream = main_stream_find(&config->plan, &options);
    if (stream < 0) {
        code = OPTIONS_EXIT_USAGE;
        goto end;
    }
    main_addresses_default(&config->options, &options);
    udp = endpoint_open_udp(options.to, error);
    if (udp < 0) {
        code = main_fail(error);
        goto end;
    }
    main_signals_block();
    load.options = &options;
    load.plan = &config->plan;
    event_maker_init(&load.maker, &config->plan, (uint32_t)stream, options.keys, options.zipf,
                     options.hot, options.seed);
    load.maker.in_turn = options.in_turn;
    load.maker.before = options.first - 1;
    code = main_run(&load, udp);
    probe_stop(&load.probe);
    querier_stop(&load.querier);
    freshet_producer_close(load.acked);
end:
    if (load.context != NULL) {
        redisFree(load.context);
    }
    if (udp >= 0) {
        (void)close(udp);
    }
    free(config);
    return code;
}
