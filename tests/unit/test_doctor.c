#include "tests/support/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/doctor.h"
#include "dataplane/base/units.h"

/* A machine made of files below a temporary folder. */
static const char *const folders[] = {
    "/proc",
    "/proc/sys",
    "/proc/sys/net",
    "/proc/sys/net/core",
    "/proc/77",
    "/sys",
    "/sys/kernel",
    "/sys/kernel/mm",
    "/sys/kernel/mm/transparent_hugepage",
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

static int machine_remove(void **state)
{
    (void)state;
    char path[256];
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", root, rows[i].file);
        (void)unlink(path);
    }
    for (size_t i = ARRAY_COUNT(folders); i > 0; i--) {
        (void)snprintf(path, sizeof(path), "%s%s", root, folders[i - 1]);
        (void)rmdir(path);
    }
    return rmdir(root);
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
    };
    return cmocka_run_group_tests(tests, machine_make, machine_remove);
}
