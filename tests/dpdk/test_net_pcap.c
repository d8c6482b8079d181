/* A capture file through net_pcap: every frame is a datagram or a drop with the right name. */
#include "tests/support/unit.h"

#include <unistd.h>

#include "drivers/eal.h"
#include "tests/dpdk/frame_mix.h"
#include "tests/dpdk/port_count.h"

#define FRAMES 1000

static void file_write_frame(FILE *file, const struct made_frame *frame, uint32_t second)
{
    uint32_t head[4] = {second, 0, frame->size, frame->size};
    assert_int_equal(fwrite(head, sizeof(head), 1, file), 1);
    assert_int_equal(fwrite(frame->data, frame->size, 1, file), 1);
}

static void file_write(FILE *file, struct mix *mix)
{
    uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
    assert_int_equal(fwrite(head, sizeof(head), 1, file), 1);
    for (uint32_t i = 0; i < FRAMES; i++) {
        struct made_frame frame;
        mix_make(mix, i, &frame);
        file_write_frame(file, &frame, i);
    }
    /* One jumbo message, which comes in several segments. */
    struct made_frame frame;
    mix_datagram(mix, &frame, 0, 0, NET_DATAGRAM_SIZE_MAX);
    file_write_frame(file, &frame, FRAMES);
    assert_int_equal(fclose(file), 0);
}

static void every_frame_of_a_capture_is_a_datagram_or_a_named_drop(void **state)
{
    (void)state;
    char path[] = "/tmp/freshet_pcap_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct mix mix = {0};
    file_write(fdopen(fd, "wb"), &mix);
    char vdev[128];
    (void)snprintf(vdev, sizeof(vdev), "net_pcap0,rx_pcap=%s", path);
    struct net_options options = {.driver = NET_DRIVER_ETHDEV,
                                  .vdev = vdev,
                                  .address = "192.0.2.10",
                                  .port = 4700,
                                  .queue_count = 2};
    struct net_port *port;
    char error[NET_ERROR_SIZE_MAX];
    if (net_port_open(&options, &port, error) != RESULT_OK) {
        fail_msg("%s", error);
    }
    char text[256];
    net_port_describe(port, text, sizeof(text));
    printf("%s\n", text);
    uint64_t datagrams[2] = {0};
    uint64_t bytes = port_drain(port, 2, FRAMES + 1, 5, datagrams);
    struct net_statistics seen;
    net_port_statistics(port, &seen);
    assert_int_equal(seen.frames, FRAMES + 1);
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        if (seen.drop[drop] != mix.drop[drop]) {
            print_error("%s\n", drop_name(drop));
        }
        /* The jumbo is joined where a buffer has room for it, else dropped as too long. */
        if (drop != DROP_frame_bad_length) {
            assert_int_equal(seen.drop[drop], mix.drop[drop]);
        }
    }
    uint64_t too_long = seen.drop[DROP_frame_bad_length] - mix.drop[DROP_frame_bad_length];
    assert_true(too_long <= 1);
    assert_int_equal(seen.datagrams + too_long, mix.datagrams);
    assert_int_equal(bytes + too_long * NET_DATAGRAM_SIZE_MAX, mix.bytes);
    assert_int_equal(datagrams[0] + datagrams[1], seen.datagrams);
    assert_int_equal(seen.frames, seen.datagrams + seen.answered + port_drops(&seen));
    net_port_close(port);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_of_a_capture_is_a_datagram_or_a_named_drop),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    eal_close();
    return failed;
}
