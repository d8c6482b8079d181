#include "drivers/eal.h"

#include <errno.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_version.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/cpu.h"
#include "drivers/memory.h"
#include "drivers/net_driver.h"

#define ARGUMENTS_MAX     16
#define ARGUMENT_SIZE_MAX 1600 /* A list of CPU_COUNT_MAX cores fits. */
#define HUGEPAGES_MIN     32   /* 64 MiB: less does not hold the queues of one port. */
#define POOL_MIB_BASE     256  /* Untouched pages of the pool cost nothing. */
#define POOL_MIB_PER_CORE 64

struct eal_arguments {
    int count;
    char *list[ARGUMENTS_MAX + 1];
    char text[ARGUMENTS_MAX][ARGUMENT_SIZE_MAX];
};

/* The process's one environment: DPDK's own state is global, so its owner is too. */
static struct {
    pthread_mutex_t lock;
    bool tried;
    enum result result;
    bool hugepages;
    struct eal_arguments *arguments; /* Owned. DPDK keeps pointers into them until it is closed. */
    char error[NET_ERROR_SIZE_MAX];
    char description[96];
} eal = {.lock = PTHREAD_MUTEX_INITIALIZER, .description = "DPDK is not open"};

__attribute__((format(printf, 2, 3))) static void argument_add(struct eal_arguments *arguments,
                                                               const char *format, ...)
{
    char *text = arguments->text[arguments->count];
    va_list values;
    va_start(values, format);
    vsnprintf(text, ARGUMENT_SIZE_MAX, format, values);
    va_end(values);
    arguments->list[arguments->count++] = text;
}

static long number_of(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    char text[32] = "";
    long number = fgets(text, sizeof(text), file) != NULL ? strtol(text, NULL, 10) : 0;
    fclose(file);
    return number;
}

static bool hugepages_are_there(void)
{
    return number_of("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") >= HUGEPAGES_MIN ||
           number_of("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages") > 0;
}

/* One logical core on all cores of ours: polling threads are our own, so nothing may be pinned. */
static uint32_t argument_add_cores(struct eal_arguments *arguments)
{
    uint16_t cores[CPU_COUNT_MAX];
    uint32_t count = cpu_list(cores);
    argument_add(arguments, "--lcores");
    char text[ARGUMENT_SIZE_MAX] = "0@(";
    size_t at = strlen(text);
    for (uint32_t i = 0; i < count; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%u", i == 0 ? "" : ",", cores[i]);
    }
    argument_add(arguments, "%s)", text);
    return count;
}

static void arguments_fill(struct eal_arguments *arguments)
{
    arguments->count = 0;
    argument_add(arguments, "freshet");
    uint32_t cores = argument_add_cores(arguments);
    argument_add(arguments, "--iova-mode=va");
    argument_add(arguments, "--log-level=error");
    argument_add(arguments, "--no-telemetry");
    argument_add(arguments, "--file-prefix=freshet%d", (int)getpid());
    if (eal.hugepages) {
        argument_add(arguments, "--in-memory");
        /* An allow list of nothing: a device is taken when a port asks for it, not at start. */
        argument_add(arguments, "-a");
        argument_add(arguments, "0000:00:00.0");
        snprintf(eal.description, sizeof(eal.description), "%s, hugepages", rte_version());
    } else {
        unsigned pool_mib = POOL_MIB_BASE + POOL_MIB_PER_CORE * cores;
        argument_add(arguments, "--no-huge");
        argument_add(arguments, "--no-pci");
        argument_add(arguments, "--no-shconf");
        argument_add(arguments, "-m");
        argument_add(arguments, "%u", pool_mib);
        snprintf(eal.description, sizeof(eal.description), "%s, 4 KiB pages (%u MiB), no PCI",
                 rte_version(), pool_mib);
    }
    arguments->list[arguments->count] = NULL;
}

static enum result eal_start(void)
{
    struct eal_arguments *arguments = heap_alloc(sizeof(*arguments));
    if (arguments == NULL) {
        net_error(eal.error, "DPDK: %s", result_name(RESULT_NO_MEMORY));
        return RESULT_NO_MEMORY;
    }
    eal.hugepages = hugepages_are_there();
    arguments_fill(arguments);
    cpu_set_t before;
    CPU_ZERO(&before);
    bool known = sched_getaffinity(0, sizeof(before), &before) == 0;
    int started = rte_eal_init(arguments->count, arguments->list);
    int code = rte_errno;
    if (known) {
        (void)sched_setaffinity(0, sizeof(before), &before);
    }
    if (started >= 0) {
        eal.arguments = arguments;
        return RESULT_OK;
    }
    heap_free(arguments);
    snprintf(eal.description, sizeof(eal.description), "DPDK did not start");
    net_error(eal.error,
              "DPDK did not start (%s): it needs a writable $XDG_RUNTIME_DIR or /tmp "
              "(/var/run for root), and memory for its pool; `driver: socket` works "
              "without DPDK",
              rte_strerror(code));
    return RESULT_SYSTEM;
}

enum result eal_open(char error[NET_ERROR_SIZE_MAX])
{
    pthread_mutex_lock(&eal.lock);
    if (!eal.tried) {
        eal.tried = true;
        eal.result = eal_start();
    }
    memcpy(error, eal.error, NET_ERROR_SIZE_MAX);
    enum result result = eal.result;
    pthread_mutex_unlock(&eal.lock);
    return result;
}

void eal_close(void)
{
    pthread_mutex_lock(&eal.lock);
    if (eal.tried && eal.result == RESULT_OK) {
        rte_eal_cleanup();
        heap_free(eal.arguments);
        eal.arguments = NULL;
        eal.result = RESULT_CLOSED;
        snprintf(eal.description, sizeof(eal.description), "DPDK is closed");
        net_error(eal.error, "DPDK was closed; a process can open it only once");
    }
    pthread_mutex_unlock(&eal.lock);
}

bool eal_has_hugepages(void)
{
    return eal.hugepages;
}

const char *eal_describe(void)
{
    return eal.description;
}
