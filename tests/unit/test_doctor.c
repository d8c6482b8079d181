#include "tests/support/unit.h"

#include <ftw.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "controlplane/doctor.h"
#include "dataplane/base/units.h"
#include "drivers/cpu.h"

/* A machine made of files below a temporary folder. */
static const char *const folders[] = {
    "/proc",
    "/proc/sys",
    "/proc/sys/net",
    "/proc/sys/net/core",
    "/proc/sys/kernel",
    "/proc/77",
    "/proc/self",
    "/sys",
    "/sys/kernel",
    "/sys/kernel/mm",
    "/sys/kernel/mm/transparent_hugepage",
    "/sys/dev",
    "/sys/dev/block",
    "/sys/devices",
    "/sys/devices/system",
    "/sys/devices/system/cpu",
    "/sys/devices/system/cpu/cpu0",
    "/sys/devices/system/cpu/cpu0/cpufreq",
    "/sys/devices/system/clocksource",
    "/sys/devices/system/clocksource/clocksource0",
};

static const struct {
    const char *file;
    const char *good;
    const char *bad;
    const char *check;
    const char *fix; /* Part of the command. */
} rows[] = {
    {"/proc/meminfo",
     "MemAvailable: 4000000 kB\nHugePages_Total: 8\nHugePages_Free: 8\nHugepagesize: 2048 kB\n",
     "MemAvailable: 4000000 kB\nHugePages_Total: 0\nHugePages_Free: 0\nHugepagesize: 2048 kB\n",
     "hugepages", "sysctl -w vm.nr_hugepages="},
    {"/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n",
     "always madvise [never]\n", "transparent", "echo madvise"},
    {"/sys/devices/system/cpu/isolated", "1\n", "\n", "isolcpus", "update-grub"},
    {"/sys/devices/system/cpu/nohz_full", "1\n", "(null)\n", "nohz_full", "update-grub"},
    {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n", "powersave\n",
     "governor", "cpupower frequency-set -g performance"},
    {"/proc/sys/net/core/rmem_max", "16777216\n", "212992\n", "rmem_max", "net.core.rmem_max="},
    {"/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n", "hpet\n", "clock",
     "echo tsc"},
    {"/proc/77/comm", "bash\n", "irqbalance\n", "irqbalance", "systemctl disable --now irqbalance"},
};

static char root[64];

static void file_write(const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s%s", root, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int machine_make(void **state)
{
    (void)state;
    char path[256];
    strcpy(root, "/tmp/freshet-doctor-XXXXXX");
    assert_non_null(mkdtemp(root));
    for (size_t i = 0; i < ARRAY_COUNT(folders); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", root, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    return 0;
}

static int entry_remove(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int machine_remove(void **state)
{
    (void)state;
    return nftw(root, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static const struct doctor_finding *finding_of(const struct doctor *doctor, const char *check)
{
    uint32_t at = 0;
    while (at < doctor->count && strcmp(doctor->finding[at].check, check) != 0) {
        at++;
    }
    assert_true(at < doctor->count);
    return &doctor->finding[at];
}

static void each_bad_file_is_a_finding_with_its_command(void **state)
{
    (void)state;
    static struct doctor doctor;
    for (size_t bad = 0; bad < ARRAY_COUNT(rows); bad++) {
        for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
            file_write(rows[i].file, i == bad ? rows[i].bad : rows[i].good);
        }
        doctor = (struct doctor){.root = root};
        doctor_check_machine(&doctor);
        for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
            const struct doctor_finding *finding = finding_of(&doctor, rows[i].check);
            assert_int_equal(finding->level, i == bad ? DOCTOR_LEVEL_WARN : DOCTOR_LEVEL_OK);
            if (i == bad) {
                assert_non_null(strstr(finding->fix, rows[i].fix));
            } else {
                assert_string_equal(finding->fix, "");
            }
        }
        assert_int_not_equal(doctor_worst(&doctor), DOCTOR_LEVEL_FAIL);
    }
}

/* A definition that keeps its data below the machine's root, in a folder that is not there yet. */
static struct config *config_make(void)
{
    struct config *config = calloc(1, sizeof(*config));
    assert_non_null(config);
    (void)snprintf(config->options.data_directory, sizeof(config->options.data_directory),
                   "%s/data/deep", root);
    config->options.shards = 2;
    config->options.mirror_bytes = 4 * MIB;
    return config;
}

/* Writes the files that say what a data directory stands on. */
static void disk_write(const char *kind, const char *cache)
{
    struct stat status;
    char text[256];
    assert_int_equal(stat(root, &status), 0);
    (void)snprintf(text, sizeof(text),
                   "1 0 0:1 / /elsewhere rw - tmpfs none rw\n"
                   "36 35 %u:%u / /a%s rw,noatime master:1 - %s /dev/vda1 rw\n",
                   major(status.st_dev), minor(status.st_dev), "\\040b", kind);
    file_write("/proc/self/mountinfo", text);
    char name[128];
    (void)snprintf(name, sizeof(name), "%s/sys/dev/block/%u:%u", root, major(status.st_dev),
                   minor(status.st_dev));
    (void)mkdir(name, 0700);
    (void)snprintf(name, sizeof(name), "%s/sys/dev/block/%u:%u/queue", root, major(status.st_dev),
                   minor(status.st_dev));
    (void)mkdir(name, 0700);
    (void)snprintf(name, sizeof(name), "/sys/dev/block/%u:%u/queue/write_cache",
                   major(status.st_dev), minor(status.st_dev));
    file_write(name, cache);
}

static void locked_write(const char *capabilities, const char *limit)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "Name:\tfreshet\nCapEff:\t%s\nThreads:\t1\n", capabilities);
    file_write("/proc/self/status", text);
    (void)snprintf(text, sizeof(text),
                   "Max processes             127           127         processes\n"
                   "Max locked memory         %s       unlimited   bytes\n",
                   limit);
    file_write("/proc/self/limits", text);
}

static struct doctor *data_examine(const struct config *config)
{
    static struct doctor doctor;
    doctor = (struct doctor){.root = root, .config = config};
    doctor_check_data(&doctor);
    return &doctor;
}

static void without_a_data_directory_nothing_is_said_of_it(void **state)
{
    (void)state;
    struct config *config = config_make();
    config->options.data_directory[0] = '\0';
    assert_int_equal(data_examine(config)->count, 0);
    free(config);
}

static void a_file_system_that_keeps_nothing_is_a_warning(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        enum doctor_level level;
    } kinds[] = {
        {"ext4", DOCTOR_LEVEL_OK},      {"xfs", DOCTOR_LEVEL_OK},    {"tmpfs", DOCTOR_LEVEL_WARN},
        {"overlay", DOCTOR_LEVEL_WARN}, {"nfs4", DOCTOR_LEVEL_WARN},
    };
    struct config *config = config_make();
    locked_write("0", "unlimited");
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        disk_write(kinds[i].kind, "write back\n");
        const struct doctor_finding *finding = finding_of(data_examine(config), "data_disk");
        assert_int_equal(finding->level, kinds[i].level);
        assert_non_null(strstr(finding->found, kinds[i].kind));
        assert_non_null(strstr(finding->found, root));
        assert_int_equal(finding->fix[0] != '\0', kinds[i].level == DOCTOR_LEVEL_WARN);
    }
    assert_non_null(strstr(finding_of(data_examine(config), "data_cache")->found, "flushes"));
    disk_write("ext4", "write through\n");
    assert_non_null(strstr(finding_of(data_examine(config), "data_cache")->found, "no flush"));
    free(config);
}

static void a_log_larger_than_the_disk_is_a_warning(void **state)
{
    (void)state;
    struct config *config = config_make();
    assert_int_equal(finding_of(data_examine(config), "data_space")->level, DOCTOR_LEVEL_OK);
    config->options.mirror_bytes = 1024 * 1024 * GIB;
    const struct doctor_finding *finding = finding_of(data_examine(config), "data_space");
    assert_int_equal(finding->level, DOCTOR_LEVEL_WARN);
    assert_non_null(strstr(finding->fix, "mirror: {bytes:"));
    free(config);
}

static void a_folder_that_is_a_file_is_a_failure(void **state)
{
    (void)state;
    struct config *config = config_make();
    (void)snprintf(config->options.data_directory, sizeof(config->options.data_directory),
                   "%s/proc/meminfo", root);
    file_write("/proc/meminfo", "");
    const struct doctor_finding *finding = finding_of(data_examine(config), "data_folder");
    assert_int_equal(finding->level, DOCTOR_LEVEL_FAIL);
    assert_non_null(strstr(finding->fix, "install -d"));
    free(config);
}

static void buffers_that_may_not_be_locked_are_a_warning(void **state)
{
    (void)state;
    static const struct {
        const char *capabilities;
        const char *limit;
        enum doctor_level level;
    } limits[] = {
        {"0000000000000000", "16777215", DOCTOR_LEVEL_WARN},
        {"0000000000000000", "16777216", DOCTOR_LEVEL_OK},
        {"0000000000000000", "unlimited", DOCTOR_LEVEL_OK},
        {"0000000000004000", "0       ", DOCTOR_LEVEL_OK},
        {"ffffffffffffbfff", "0       ", DOCTOR_LEVEL_WARN},
    };
    struct config *config = config_make();
    struct cpu_layout layout;
    cpu_layout_choose(2, &layout);
    assert_int_equal(layout.shard_count, 2);
    for (size_t i = 0; i < ARRAY_COUNT(limits); i++) {
        locked_write(limits[i].capabilities, limits[i].limit);
        const struct doctor_finding *finding = finding_of(data_examine(config), "data_memlock");
        assert_int_equal(finding->level, limits[i].level);
    }
    free(config);
}

static void a_kernel_without_rings_is_a_warning(void **state)
{
    (void)state;
    struct config *config = config_make();
    static const char *const values[] = {"1\n", "2\n"};
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        file_write("/proc/sys/kernel/io_uring_disabled", values[i]);
        const struct doctor_finding *finding = finding_of(data_examine(config), "io_uring");
        assert_int_equal(finding->level, DOCTOR_LEVEL_WARN);
        assert_non_null(strstr(finding->fix, "io_uring_disabled=0"));
    }
    /* Where the file allows it, the kernel that this test runs on has the last word. */
    file_write("/proc/sys/kernel/io_uring_disabled", "0\n");
    struct io_uring_params parameters = {0};
    long ring = syscall(SYS_io_uring_setup, 4, &parameters);
    assert_int_equal(finding_of(data_examine(config), "io_uring")->level,
                     ring >= 0 ? DOCTOR_LEVEL_OK : DOCTOR_LEVEL_WARN);
    if (ring >= 0) {
        assert_int_equal(close((int)ring), 0);
    }
    free(config);
}

static void too_much_state_and_a_missing_nic_are_failures(void **state)
{
    (void)state;
    static struct doctor doctor;
    struct config *config = calloc(1, sizeof(*config));
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        file_write(rows[i].file, rows[i].good);
    }
    config->options.state_memory_bytes = 3 * GIB;
    doctor = (struct doctor){.root = root, .config = config};
    doctor_check_needs(&doctor, false);
    assert_int_equal(finding_of(&doctor, "memory")->level, DOCTOR_LEVEL_OK);
    config->options.state_memory_bytes = 8 * GIB;
    config->options.ingest_count = 1;
    config->options.ingest[0].driver = CONFIG_DRIVER_ETHDEV;
    strcpy(config->options.ingest[0].device, "0000:3b:00.0");
    doctor = (struct doctor){.root = root, .config = config};
    doctor_check_needs(&doctor, false);
    assert_int_equal(finding_of(&doctor, "memory")->level, DOCTOR_LEVEL_FAIL);
    assert_non_null(strstr(finding_of(&doctor, "memory")->fix, "memory:"));
    assert_int_equal(finding_of(&doctor, "nic")->level, DOCTOR_LEVEL_FAIL);
    assert_non_null(strstr(finding_of(&doctor, "nic")->fix, "dpdk-devbind.py"));
    assert_int_equal(doctor_worst(&doctor), DOCTOR_LEVEL_FAIL);
    free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_bad_file_is_a_finding_with_its_command),
        cmocka_unit_test(too_much_state_and_a_missing_nic_are_failures),
        cmocka_unit_test(without_a_data_directory_nothing_is_said_of_it),
        cmocka_unit_test(a_file_system_that_keeps_nothing_is_a_warning),
        cmocka_unit_test(a_log_larger_than_the_disk_is_a_warning),
        cmocka_unit_test(a_folder_that_is_a_file_is_a_failure),
        cmocka_unit_test(buffers_that_may_not_be_locked_are_a_warning),
        cmocka_unit_test(a_kernel_without_rings_is_a_warning),
    };
    return cmocka_run_group_tests(tests, machine_make, machine_remove);
}
