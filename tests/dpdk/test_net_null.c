/* net_null gives frames of zeros without end: all of them are dropped, by name. */
#include "tests/support/unit.h"

#include <dirent.h>
#include <sched.h>

#include "drivers/cpu.h"
#include "drivers/eal.h"
#include "drivers/memory.h"
#include "tests/dpdk/port_count.h"

static void frames_of_zeros_are_no_ip(void **state)
{
    (void)state;
    struct net_options options = {.driver = NET_DRIVER_ETHDEV,
                                  .vdev = "net_null0,size=64,copy=1",
                                  .address = "192.0.2.10/24",
                                  .port = 4700,
                                  .queue_count = 2};
    struct net_port *port;
    char error[NET_ERROR_SIZE_MAX];
    enum result result = net_port_open(&options, &port, error);
    if (result != RESULT_OK) {
        fail_msg("%s", error);
    }
    char text[256];
    net_port_describe(port, text, sizeof(text));
    printf("%s\n%s\n", eal_describe(), text);
    uint64_t datagrams[2] = {0};
    assert_int_equal(port_drain(port, 2, 10000, 5, datagrams), 0);
    struct net_statistics seen;
    net_port_statistics(port, &seen);
    assert_true(seen.frames >= 10000);
    assert_int_equal(seen.drop[DROP_frame_not_ip], seen.frames);
    assert_int_equal(seen.datagrams, 0);
    assert_int_equal(seen.answered, 0);
    net_port_close(port);
}

static void a_port_answers_only_if_it_has_an_address(void **state)
{
    (void)state;
    for (int with = 0; with <= 1; with++) {
        struct net_options options = {.driver = NET_DRIVER_ETHDEV,
                                      .vdev = "net_null2",
                                      .address = with == 1 ? "192.0.2.10/24" : NULL,
                                      .port = 4700,
                                      .queue_count = 1};
        struct net_port *port;
        char error[NET_ERROR_SIZE_MAX];
        assert_int_equal(net_port_open(&options, &port, error), RESULT_OK);
        struct net_queue *queue = net_port_queue(port, 0);
        struct net_address to = {.ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}, .port = 9};
        for (int i = 0; i < 100; i++) {
            assert_int_equal(net_send(queue, &to, "x", 1), with == 1);
        }
        net_send_finish(queue);
        struct net_statistics seen;
        net_port_statistics(port, &seen);
        assert_int_equal(seen.sent, with == 1 ? 100 : 0);
        assert_int_equal(seen.unsent, with == 1 ? 0 : 100);
        net_port_close(port);
    }
}

static void a_device_that_is_not_there_is_an_error_with_its_name(void **state)
{
    (void)state;
    struct row {
        struct net_options options;
        const char *says;
    } rows[] = {
        {{.vdev = "net_nonsense0", .port = 4700}, "net_nonsense0"},
        {{.device = "0000:ff:1f.7", .port = 4700}, "0000:ff:1f.7"},
        {{.vdev = "net_null7", .port = 0}, "port 0"},
        {{.vdev = "net_null7", .port = 65535}, "port 65535"},
        {{.vdev = "net_null7", .port = 4700, .address = "192.0.2.300/24"}, "192.0.2.300/24"},
        {{.vdev = "net_null7", .port = 4700, .address = "192.0.2.3/33"}, "192.0.2.3/33"},
        {{.port = 4700}, "vdev"},
        {{.vdev = "net_af_packet9,iface=missing9", .port = 4700}, "net_af_packet9"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct net_port *port;
        char error[NET_ERROR_SIZE_MAX];
        rows[i].options.driver = NET_DRIVER_ETHDEV;
        rows[i].options.queue_count = 1;
        assert_int_not_equal(net_port_open(&rows[i].options, &port, error), RESULT_OK);
        assert_null(port);
        printf("%s\n", error);
        if (strstr(error, rows[i].says) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", error, rows[i].says);
        }
    }
}

static void a_device_is_free_again_after_close(void **state)
{
    (void)state;
    struct net_options options = {
        .driver = NET_DRIVER_ETHDEV, .vdev = "net_null1", .port = 4700, .queue_count = 1};
    char error[NET_ERROR_SIZE_MAX];
    for (int i = 0; i < 3; i++) {
        struct net_port *port;
        struct net_port *second;
        assert_int_equal(net_port_open(&options, &port, error), RESULT_OK);
        assert_int_equal(net_port_open(&options, &second, error), RESULT_BUSY);
        net_port_close(port);
    }
}

static void threads_of_dpdk_leave_the_polling_cores(void **state)
{
    (void)state;
    cpu_set_t before;
    CPU_ZERO(&before);
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    struct cpu_layout layout;
    cpu_layout_choose(0, &layout);
    cpu_move_helpers(&layout);
    uint32_t threads = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
        pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
        if (thread > 0) {
            cpu_set_t set;
            CPU_ZERO(&set);
            assert_int_equal(sched_getaffinity(thread, sizeof(set), &set), 0);
            assert_int_equal(CPU_COUNT(&set), layout.serving_count);
            assert_true(CPU_ISSET(layout.serving_core[0], &set));
            threads++;
        }
    }
    assert_int_equal(closedir(tasks), 0);
    /* DPDK's own are there, or this test shows nothing. */
    assert_true(threads > 1);
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void closed_dpdk_holds_no_memory_of_ours(void **state)
{
    (void)state;
    assert_true(heap_used_bytes() > 0);
    eal_close();
    assert_int_equal(heap_used_bytes(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_zeros_are_no_ip),
        cmocka_unit_test(a_port_answers_only_if_it_has_an_address),
        cmocka_unit_test(a_device_that_is_not_there_is_an_error_with_its_name),
        cmocka_unit_test(a_device_is_free_again_after_close),
        cmocka_unit_test(threads_of_dpdk_leave_the_polling_cores),
        cmocka_unit_test(closed_dpdk_holds_no_memory_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
