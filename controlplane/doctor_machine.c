#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "controlplane/doctor.h"
#include "dataplane/base/units.h"
#include "drivers/cpu.h"

#define FILE_BYTES_MAX       (12 * 1024) /* Of a file, its start is enough. */
#define RECEIVE_BUFFER_BYTES (8 * MIB)   /* What a listener asks for: drivers/net.h. */

#define THP_FILE         "/sys/kernel/mm/transparent_hugepage/enabled"
#define GOVERNOR_FILE    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
#define CLOCKSOURCE_FILE "/sys/devices/system/clocksource/clocksource0/current_clocksource"

/* The number behind "name:" in a file of such lines, -1 without it. */
static int64_t line_number(const char *text, const char *name)
{
    const char *line = strstr(text, name);
    return line == NULL ? -1 : strtoll(line + strlen(name), NULL, 10);
}

static void hugepages_check(struct doctor *doctor)
{
    char text[FILE_BYTES_MAX];
    char fix[DOCTOR_TEXT_SIZE_MAX];
    doctor_read_file(doctor, "/proc/meminfo", text, sizeof(text));
    int64_t total = line_number(text, "HugePages_Total:");
    int64_t free_count = line_number(text, "HugePages_Free:");
    int64_t kib = line_number(text, "Hugepagesize:");
    uint64_t wish = doctor->config == NULL
                        ? 1024
                        : div_ceil(doctor->config->options.state_memory_bytes, 2 * MIB) + 64;
    if (total > 0 && free_count > 0) {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "hugepages", "", "%lld of %lld free, %lld KiB each",
                   (long long)free_count, (long long)total, (long long)kib);
        return;
    }
    (void)snprintf(fix, sizeof(fix), "sudo sysctl -w vm.nr_hugepages=%llu",
                   (unsigned long long)wish);
    doctor_add(doctor, DOCTOR_LEVEL_WARN, "hugepages", fix,
               total > 0 ? "all hugepages are in use" : "none reserved");
}

static void transparent_check(struct doctor *doctor)
{
    char text[256];
    doctor_read_file(doctor, THP_FILE, text, sizeof(text));
    if (strstr(text, "[always]") != NULL || strstr(text, "[madvise]") != NULL) {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "transparent", "", "transparent hugepages: %s", text);
    } else {
        doctor_add(doctor, DOCTOR_LEVEL_WARN, "transparent", "echo madvise | sudo tee " THP_FILE,
                   "transparent hugepages: %s", text[0] == '\0' ? "not in this kernel" : text);
    }
}

static void isolation_check(struct doctor *doctor, const struct cpu_layout *layout)
{
    static const struct {
        const char *file;
        const char *option;
    } rows[] = {
        {"/sys/devices/system/cpu/isolated", "isolcpus"},
        {"/sys/devices/system/cpu/nohz_full", "nohz_full"},
    };
    char cores[128];
    uint16_t first = layout->shard_core[0];
    uint16_t last = layout->shard_core[layout->shard_count - 1];
    (void)snprintf(cores, sizeof(cores), first == last ? "%u" : "%u-%u", first, last);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char text[256];
        char fix[DOCTOR_TEXT_SIZE_MAX];
        doctor_read_file(doctor, rows[i].file, text, sizeof(text));
        if (text[0] != '\0' && strstr(text, "null") == NULL) {
            doctor_add(doctor, DOCTOR_LEVEL_OK, rows[i].option, "", "%s=%s", rows[i].option, text);
            continue;
        }
        (void)snprintf(fix, sizeof(fix),
                       "echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX %s=%s\"' | sudo tee -a "
                       "/etc/default/grub && sudo update-grub && sudo reboot",
                       rows[i].option, cores);
        doctor_add(doctor, DOCTOR_LEVEL_WARN, rows[i].option, fix,
                   "polling cores (%s) also run whatever else the kernel puts there", cores);
    }
}

static void governor_check(struct doctor *doctor)
{
    char text[64];
    doctor_read_file(doctor, GOVERNOR_FILE, text, sizeof(text));
    if (text[0] == '\0') {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "governor", "", "no frequency scaling to be seen");
    } else if (strcmp(text, "performance") == 0) {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "governor", "", "%s", text);
    } else {
        doctor_add(doctor, DOCTOR_LEVEL_WARN, "governor",
                   "sudo cpupower frequency-set -g performance",
                   "%s: polling cores may run slower than they can", text);
    }
}

static void receive_buffer_check(struct doctor *doctor)
{
    char text[64];
    doctor_read_file(doctor, "/proc/sys/net/core/rmem_max", text, sizeof(text));
    unsigned long long bytes = strtoull(text, NULL, 10);
    if (bytes >= RECEIVE_BUFFER_BYTES) {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "rmem_max", "", "%llu bytes", bytes);
    } else {
        doctor_add(
            doctor, DOCTOR_LEVEL_WARN, "rmem_max", "sudo sysctl -w net.core.rmem_max=8388608",
            "%llu bytes, a listener asks for 8388608: bursts overflow the socket sooner", bytes);
    }
}

static void memlock_check(struct doctor *doctor)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "memlock", "", "unlimited");
    } else {
        doctor_add(doctor, DOCTOR_LEVEL_WARN, "memlock",
                   "echo \"$USER - memlock unlimited\" | sudo tee -a "
                   "/etc/security/limits.d/freshet.conf",
                   "%llu bytes may be locked: NIC drivers and AF_XDP need more",
                   (unsigned long long)limit.rlim_cur);
    }
}

static void clock_check(struct doctor *doctor)
{
    char cpuinfo[FILE_BYTES_MAX];
    char text[64];
    doctor_read_file(doctor, CLOCKSOURCE_FILE, text, sizeof(text));
    doctor_read_file(doctor, "/proc/cpuinfo", cpuinfo, sizeof(cpuinfo));
    bool steady = strstr(cpuinfo, "nonstop_tsc") != NULL || strstr(cpuinfo, "constant_tsc") != NULL;
    if (strcmp(text, "tsc") == 0) {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "clock", "", "tsc");
    } else if (steady) {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "clock", "",
                   "the kernel uses %s, but the TSC is steady enough for us", text);
    } else {
        doctor_add(doctor, DOCTOR_LEVEL_WARN, "clock", "echo tsc | sudo tee " CLOCKSOURCE_FILE,
                   "the kernel uses \"%s\" and the TSC is not steady: each look at the clock is a "
                   "system call",
                   text);
    }
}

static void cores_check(struct doctor *doctor, const struct cpu_layout *layout)
{
    uint16_t cores[CPU_COUNT_MAX];
    uint32_t count = cpu_list(cores);
    if (!layout->shared) {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "cores", "", "%u: %u for shards, %u for serving", count,
                   layout->shard_count, layout->serving_count);
    } else {
        doctor_add(doctor, DOCTOR_LEVEL_WARN, "cores", "taskset -c 0-1 freshet run FILE...",
                   "%u for %u shards: serving shares them, so shards sleep when idle", count,
                   layout->shard_count);
    }
}

/* True when a process of this name runs. */
static bool process_runs(const struct doctor *doctor, const char *name)
{
    char path[PATH_MAX];
    bool found = false;
    (void)snprintf(path, sizeof(path), "%s/proc", doctor->root);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return false;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL && !found; entry = readdir(folder)) {
        char comm[64];
        char file[64];
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') {
            continue;
        }
        (void)snprintf(file, sizeof(file), "/proc/%.20s/comm", entry->d_name);
        doctor_read_file(doctor, file, comm, sizeof(comm));
        found = strcmp(comm, name) == 0;
    }
    (void)closedir(folder);
    return found;
}

static void irqbalance_check(struct doctor *doctor)
{
    if (process_runs(doctor, "irqbalance")) {
        doctor_add(doctor, DOCTOR_LEVEL_WARN, "irqbalance",
                   "sudo systemctl disable --now irqbalance",
                   "it moves interrupts onto polling cores");
    } else {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "irqbalance", "", "not running");
    }
}

void doctor_check_machine(struct doctor *doctor)
{
    struct cpu_layout layout;
    cpu_layout_choose(doctor->config == NULL ? 0 : doctor->config->options.shards, &layout);
    cores_check(doctor, &layout);
    hugepages_check(doctor);
    transparent_check(doctor);
    isolation_check(doctor, &layout);
    governor_check(doctor);
    irqbalance_check(doctor);
    receive_buffer_check(doctor);
    memlock_check(doctor);
    clock_check(doctor);
}
