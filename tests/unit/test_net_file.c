#include "tests/support/unit.h"

#include <stdio.h>
#include <unistd.h>

#include "dataplane/base/units.h"
#include "drivers/net.h"

static char path[64];

static int path_make(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof(path), "/tmp/freshet_file_XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int path_remove(void **state)
{
    (void)state;
    return unlink(path);
}

static void file_write(const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static enum result file_open(uint32_t queues, struct net_port **out_port, char *error)
{
    struct net_options options = {.driver = NET_DRIVER_FILE, .path = path, .queue_count = queues};
    return net_port_open(&options, out_port, error);
}

static void datagrams_come_in_order_on_the_first_queue(void **state)
{
    (void)state;
    static uint8_t data[100 * 104];
    uint32_t at = 0;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 100; i++) {
        data[at] = (uint8_t)i;
        memset(data + at + 4, (int)i, i);
        at += 4 + i;
        sum += i;
    }
    file_write(data, at);
    struct net_port *port;
    char error[NET_ERROR_SIZE_MAX];
    assert_int_equal(file_open(2, &port, error), RESULT_OK);
    struct net_burst burst;
    assert_int_equal(net_receive(net_port_queue(port, 1), &burst), 0);
    struct net_queue *queue = net_port_queue(port, 0);
    uint32_t next = 0;
    while (net_receive(queue, &burst) > 0) {
        for (uint32_t i = 0; i < burst.count; i++) {
            assert_int_equal(burst.message[i].size, next);
            assert_true(next == 0 || burst.message[i].data[next - 1] == next);
            assert_false(burst.message[i].truncated);
            sum -= burst.message[i].size;
            next++;
        }
        net_release(queue, &burst);
    }
    assert_int_equal(next, 100);
    assert_int_equal(sum, 0);
    assert_int_equal(net_receive(queue, &burst), 0);
    struct net_statistics seen;
    net_port_statistics(port, &seen);
    assert_int_equal(seen.frames, 100);
    assert_int_equal(seen.datagrams, 100);
    assert_int_equal(seen.missed, 0);
    assert_int_equal(net_port_number(port), 0);
    char text[128];
    net_port_describe(port, text, sizeof(text));
    assert_non_null(strstr(text, "100 datagrams"));
    net_port_close(port);
}

static void an_empty_file_has_nothing(void **state)
{
    (void)state;
    file_write("", 0);
    struct net_port *port;
    char error[NET_ERROR_SIZE_MAX];
    assert_int_equal(file_open(1, &port, error), RESULT_OK);
    struct net_burst burst;
    assert_int_equal(net_receive(net_port_queue(port, 0), &burst), 0);
    /* A file has no way back. */
    struct net_address nobody = {0};
    assert_false(net_send(net_port_queue(port, 0), &nobody, "x", 1));
    net_send_finish(net_port_queue(port, 0));
    struct net_statistics seen;
    net_port_statistics(port, &seen);
    assert_int_equal(seen.sent, 0);
    assert_int_equal(seen.unsent, 1);
    net_port_close(port);
}

static void a_datagram_that_is_too_long_is_flagged_and_the_next_one_whole(void **state)
{
    (void)state;
    static uint8_t data[4 + NET_DATAGRAM_SIZE_MAX + 100 + 4 + 3];
    uint32_t size = NET_DATAGRAM_SIZE_MAX + 100;
    memcpy(data, &size, sizeof(size));
    data[4 + size] = 3;
    memcpy(data + 4 + size + 4, "end", 3);
    file_write(data, sizeof(data));
    struct net_port *port;
    char error[NET_ERROR_SIZE_MAX];
    assert_int_equal(file_open(1, &port, error), RESULT_OK);
    struct net_burst burst;
    assert_int_equal(net_receive(net_port_queue(port, 0), &burst), 2);
    assert_true(burst.message[0].truncated);
    assert_int_equal(burst.message[0].size, NET_DATAGRAM_SIZE_MAX);
    assert_false(burst.message[1].truncated);
    assert_memory_equal(burst.message[1].data, "end", 3);
    net_port_close(port);
}

static void every_truncation_is_an_error_with_its_byte(void **state)
{
    (void)state;
    static const uint8_t data[] = {3, 0, 0, 0, 'a', 'b', 'c', 5, 0, 0, 0, 'd', 'e', 'f', 'g', 'h'};
    for (size_t size = 0; size <= sizeof(data); size++) {
        file_write(data, size);
        bool whole = size == 0 || size == 7 || size == sizeof(data);
        struct net_port *port;
        char error[NET_ERROR_SIZE_MAX];
        enum result result = file_open(1, &port, error);
        assert_int_equal(result, whole ? RESULT_OK : RESULT_TRUNCATED);
        if (!whole) {
            assert_non_null(strstr(error, size < 7 ? "byte 0" : "byte 7"));
            assert_non_null(strstr(error, path));
        }
        net_port_close(port);
    }
}

static void a_path_that_is_no_file_is_an_error_that_names_it(void **state)
{
    (void)state;
    static const char *const paths[] = {"/tmp", "/nowhere/at/all", "/dev/null"};
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        struct net_options options = {
            .driver = NET_DRIVER_FILE, .path = paths[i], .queue_count = 1};
        struct net_port *port;
        char error[NET_ERROR_SIZE_MAX];
        assert_int_not_equal(net_port_open(&options, &port, error), RESULT_OK);
        assert_non_null(strstr(error, paths[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_come_in_order_on_the_first_queue),
        cmocka_unit_test(an_empty_file_has_nothing),
        cmocka_unit_test(a_datagram_that_is_too_long_is_flagged_and_the_next_one_whole),
        cmocka_unit_test(every_truncation_is_an_error_with_its_byte),
        cmocka_unit_test(a_path_that_is_no_file_is_an_error_that_names_it),
    };
    return cmocka_run_group_tests(tests, path_make, path_remove);
}
