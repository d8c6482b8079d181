#include "tests/support/unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/units.h"
#include "drivers/net.h"

struct port_under_test {
    struct net_port *port;
    uint16_t number;
    int sender;
};

static struct net_port *port_open(const char *listen, uint32_t queues, uint32_t buffer_bytes)
{
    struct net_options options = {.driver = NET_DRIVER_SOCKET,
                                  .listen = listen,
                                  .queue_count = queues,
                                  .receive_buffer_bytes = buffer_bytes};
    struct net_port *port;
    char error[NET_ERROR_SIZE_MAX];
    if (net_port_open(&options, &port, error) != RESULT_OK) {
        fail_msg("%s", error);
    }
    return port;
}

static int sender_open(void)
{
    int sender = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(sender >= 0);
    return sender;
}

static void send_to(int sender, uint32_t number, const void *data, size_t size)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)number),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(sendto(sender, data, size, 0, (struct sockaddr *)&to, sizeof(to)), size);
}

/* Receives until `wanted` datagrams came or half a second passed. */
static uint32_t receive_until(struct net_queue *queue, uint32_t wanted, uint64_t *out_bytes)
{
    uint32_t count = 0;
    for (int tries = 0; tries < 500 && count < wanted; tries++) {
        struct net_burst burst;
        if (net_receive(queue, &burst) == 0) {
            net_wait(queue, 1000);
        }
        for (uint32_t i = 0; i < burst.count; i++) {
            *out_bytes += burst.message[i].size;
        }
        count += burst.count;
        net_release(queue, &burst);
    }
    return count;
}

static void a_datagram_arrives_with_its_sender(void **state)
{
    (void)state;
    struct net_port *port = port_open("127.0.0.1:0", 1, 0);
    int sender = sender_open();
    send_to(sender, net_port_number(port), "hello", 5);
    struct sockaddr_in mine;
    socklen_t size = sizeof(mine);
    assert_int_equal(getsockname(sender, (struct sockaddr *)&mine, &size), 0);

    struct net_queue *queue = net_port_queue(port, 0);
    struct net_burst burst;
    for (int i = 0; i < 100 && net_receive(queue, &burst) == 0; i++) {
        net_wait(queue, 10000);
    }
    assert_int_equal(burst.count, 1);
    assert_int_equal(burst.message[0].size, 5);
    assert_memory_equal(burst.message[0].data, "hello", 5);
    assert_false(burst.message[0].truncated);
    static const uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1};
    assert_memory_equal(burst.message[0].sender.ip, mapped, 16);
    assert_int_equal(burst.message[0].sender.port, ntohs(mine.sin_port));
    net_release(queue, &burst);
    assert_int_equal(net_receive(queue, &burst), 0);
    close(sender);
    net_port_close(port);
}

static void a_datagram_over_ip6_arrives_too(void **state)
{
    (void)state;
    int sender = socket(AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    if (sender < 0 || bind(sender, (struct sockaddr *)&to, sizeof(to)) != 0) {
        print_message("this machine has no ::1\n");
        skip();
    }
    struct net_port *port = port_open("[::1]:0", 1, 0);
    to.sin6_port = htons(net_port_number(port));
    assert_int_equal(sendto(sender, "six", 3, 0, (struct sockaddr *)&to, sizeof(to)), 3);
    struct net_queue *queue = net_port_queue(port, 0);
    struct net_burst burst;
    for (int i = 0; i < 100 && net_receive(queue, &burst) == 0; i++) {
        net_wait(queue, 10000);
    }
    assert_int_equal(burst.count, 1);
    assert_memory_equal(burst.message[0].sender.ip, &to.sin6_addr, 16);
    assert_true(net_send(queue, &burst.message[0].sender, "answer", 6));
    net_send_finish(queue);
    char answer[8];
    struct sockaddr_in6 from;
    socklen_t from_size = sizeof(from);
    assert_int_equal(
        recvfrom(sender, answer, sizeof(answer), 0, (struct sockaddr *)&from, &from_size), 6);
    assert_int_equal(from.sin6_port, to.sin6_port);
    char text[256];
    net_port_describe(port, text, sizeof(text));
    assert_non_null(strstr(text, "[::1]:"));
    net_release(queue, &burst);
    close(sender);
    net_port_close(port);
}

static void each_queue_has_a_port_of_its_own(void **state)
{
    (void)state;
    enum { QUEUES = 3 };
    struct net_port *port = port_open("127.0.0.1:0", QUEUES, 0);
    int sender = sender_open();
    for (uint32_t i = 0; i < QUEUES; i++) {
        for (uint32_t n = 0; n <= i; n++) {
            send_to(sender, net_port_number(port) + 1u + i, "own", 3);
        }
    }
    for (uint32_t i = 0; i < QUEUES; i++) {
        uint64_t bytes = 0;
        assert_int_equal(receive_until(net_port_queue(port, i), i + 1, &bytes), i + 1);
        assert_int_equal(bytes, 3 * (i + 1));
    }
    struct net_statistics seen;
    net_port_statistics(port, &seen);
    assert_int_equal(seen.frames, 6);
    assert_int_equal(seen.datagrams, 6);
    assert_int_equal(seen.missed, 0);
    close(sender);
    net_port_close(port);
}

/* A sender that only listens to who it sent to: it hears the right address and port, or nothing. */
static int sender_connected(uint32_t number)
{
    int sender = sender_open();
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)number),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(sender, (struct sockaddr *)&to, sizeof(to)), 0);
    struct timeval timeout = {.tv_sec = 2};
    assert_int_equal(setsockopt(sender, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
    return sender;
}

/* Receives one datagram on any queue; returns where it came from. */
static struct net_address receive_one(struct net_port *port, uint32_t queues)
{
    for (int tries = 0; tries < 2000; tries++) {
        struct net_queue *queue = net_port_queue(port, (uint32_t)tries % queues);
        struct net_burst burst;
        if (net_receive(queue, &burst) > 0) {
            assert_int_equal(burst.count, 1);
            struct net_address sender = burst.message[0].sender;
            net_release(queue, &burst);
            return sender;
        }
        net_wait(queue, 1000);
    }
    fail_msg("no datagram came");
    return (struct net_address){0};
}

static void assert_answer_counts(struct net_port *port, uint64_t sent, uint64_t unsent)
{
    struct net_statistics seen;
    net_port_statistics(port, &seen);
    assert_int_equal(seen.sent, sent);
    assert_int_equal(seen.unsent, unsent);
}

static void an_answer_leaves_from_the_port_that_was_sent_to(void **state)
{
    (void)state;
    enum { QUEUES = 3 };
    struct net_port *port = port_open("127.0.0.1:0", QUEUES, 0);
    uint8_t answer[NET_ANSWER_SIZE_MAX];
    uint64_t sent = 0;
    for (uint32_t side = 0; side <= QUEUES; side++) {
        uint32_t number = net_port_number(port) + side;
        int sender = sender_connected(number);
        assert_int_equal(send(sender, "ask", 3, 0), 3);
        struct net_address from = receive_one(port, QUEUES);
        assert_int_equal(from.local_port, number);
        /* Any worker may answer: it may have got the message from another. */
        for (uint32_t i = 0; i < QUEUES; i++) {
            struct net_queue *queue = net_port_queue(port, i);
            memset(answer, (int)(side * 16 + i), sizeof(answer));
            assert_true(net_send(queue, &from, answer, sizeof(answer)));
            net_send_finish(queue);
            sent++;
            uint8_t got[2 * NET_ANSWER_SIZE_MAX];
            assert_int_equal(recv(sender, got, sizeof(got), 0), sizeof(answer));
            assert_memory_equal(got, answer, sizeof(answer));
        }
        close(sender);
    }
    assert_answer_counts(port, sent, 0);
    net_port_close(port);
}

static void answers_of_a_turn_leave_in_order_whatever_their_number(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 31, 32, 33, 100};
    struct net_port *port = port_open("127.0.0.1:0", 1, 0);
    struct net_queue *queue = net_port_queue(port, 0);
    int sender[2];
    struct net_address from[2];
    for (uint32_t side = 0; side < 2; side++) {
        sender[side] = sender_connected(net_port_number(port) + side);
        assert_int_equal(send(sender[side], "ask", 3, 0), 3);
        from[side] = receive_one(port, 1);
    }
    uint64_t sent = 0;
    for (size_t row = 0; row < ARRAY_COUNT(counts); row++) {
        for (uint32_t i = 0; i < 2 * counts[row]; i++) {
            assert_true(net_send(queue, &from[i % 2], &i, sizeof(i)));
        }
        net_send_finish(queue);
        net_send_finish(queue);
        sent += 2 * counts[row];
        assert_answer_counts(port, sent, 0);
        for (uint32_t i = 0; i < 2 * counts[row]; i++) {
            uint32_t got;
            assert_int_equal(recv(sender[i % 2], &got, sizeof(got), 0), sizeof(got));
            assert_int_equal(got, i);
        }
        uint8_t more;
        assert_int_equal(recv(sender[0], &more, 1, MSG_DONTWAIT), -1);
    }
    close(sender[0]);
    close(sender[1]);
    net_port_close(port);
}

static void an_answer_without_a_way_is_counted_and_keeps_nobody_else_from_his(void **state)
{
    (void)state;
    struct net_port *port = port_open("127.0.0.1:0", 1, 0);
    struct net_queue *queue = net_port_queue(port, 0);
    int sender = sender_connected(net_port_number(port));
    assert_int_equal(send(sender, "ask", 3, 0), 3);
    struct net_address from = receive_one(port, 1);
    /* From 127.0.0.1 there is no route to another machine: only the kernel can tell. */
    struct net_address far = from;
    far.ip[12] = 192;
    struct net_address nowhere = {.local_port = from.local_port};
    struct net_address ip6 = {.ip = {[15] = 1}, .port = from.port};
    assert_false(net_send(queue, &nowhere, "x", 1));
    assert_false(net_send(queue, &ip6, "x", 1));
    assert_answer_counts(port, 0, 2);
    for (uint32_t i = 0; i < 20; i++) {
        assert_true(net_send(queue, i % 4 == 3 ? &from : &far, &i, sizeof(i)));
    }
    net_send_finish(queue);
    assert_answer_counts(port, 5, 2 + 15);
    for (uint32_t i = 3; i < 20; i += 4) {
        uint32_t got;
        assert_int_equal(recv(sender, &got, sizeof(got), 0), sizeof(got));
        assert_int_equal(got, i);
    }
    close(sender);
    net_port_close(port);
}

static void everyones_port_reaches_some_queue_once(void **state)
{
    (void)state;
    struct net_port *port = port_open("127.0.0.1:0", 2, 0);
    for (int i = 0; i < 40; i++) {
        int sender = sender_open();
        send_to(sender, net_port_number(port), "x", 1);
        close(sender);
    }
    uint64_t bytes = 0;
    uint32_t count = 0;
    for (int i = 0; i < 200 && count < 40; i++) {
        count += receive_until(net_port_queue(port, (uint32_t)i % 2), 1, &bytes);
    }
    assert_int_equal(count, 40);
    net_port_close(port);
}

static void a_flood_on_one_socket_does_not_starve_the_other(void **state)
{
    (void)state;
    struct net_port *port = port_open("127.0.0.1:0", 1, 0);
    int sender = sender_open();
    struct net_queue *queue = net_port_queue(port, 0);
    for (int side = 0; side < 2; side++) {
        for (int i = 0; i < 1000; i++) {
            send_to(sender, net_port_number(port) + (uint32_t)side, "flood", 5);
        }
        /* By now the other socket has been seen empty. */
        struct net_burst first;
        for (int i = 0; i < 3; i++) {
            (void)net_receive(queue, &first);
            net_release(queue, &first);
        }
        send_to(sender, net_port_number(port) + 1u - (uint32_t)side, "quiet!", 6);
        int bursts = 0;
        bool found = false;
        while (!found && bursts < 100) {
            struct net_burst burst;
            (void)net_receive(queue, &burst);
            for (uint32_t i = 0; i < burst.count; i++) {
                found = found || burst.message[i].size == 6;
            }
            net_release(queue, &burst);
            bursts++;
        }
        assert_true(found);
        assert_in_range(bursts, 1, 12);
        uint64_t bytes = 0;
        (void)receive_until(queue, 1000, &bytes);
    }
    close(sender);
    net_port_close(port);
}

static void a_datagram_that_is_too_long_is_flagged(void **state)
{
    (void)state;
    static uint8_t data[20000];
    struct row {
        size_t size;
        bool truncated;
    } rows[] = {{0, false},
                {NET_DATAGRAM_SIZE_MAX, false},
                {NET_DATAGRAM_SIZE_MAX + 1, true},
                {20000, true}};
    struct net_port *port = port_open("127.0.0.1:0", 1, 0);
    int sender = sender_open();
    struct net_queue *queue = net_port_queue(port, 0);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        send_to(sender, net_port_number(port), data, rows[i].size);
        struct net_burst burst;
        for (int tries = 0; tries < 100 && net_receive(queue, &burst) == 0; tries++) {
            net_wait(queue, 10000);
        }
        assert_int_equal(burst.count, 1);
        assert_int_equal(burst.message[0].truncated, rows[i].truncated);
        assert_int_equal(burst.message[0].size,
                         rows[i].truncated ? NET_DATAGRAM_SIZE_MAX : rows[i].size);
        net_release(queue, &burst);
    }
    close(sender);
    net_port_close(port);
}

static void what_the_kernel_drops_is_counted_exactly(void **state)
{
    (void)state;
    struct net_port *port = port_open("127.0.0.1:0", 1, 8192);
    int sender = sender_open();
    static uint8_t data[1000];
    uint32_t sent = 500;
    for (uint32_t i = 0; i < sent; i++) {
        send_to(sender, net_port_number(port) + i % 2, data, sizeof(data));
    }
    uint64_t bytes = 0;
    uint32_t got = receive_until(net_port_queue(port, 0), sent, &bytes);
    struct net_statistics seen;
    net_port_statistics(port, &seen);
    assert_true(got < sent);
    assert_int_equal(seen.datagrams, got);
    assert_int_equal(seen.missed, sent - got);
    close(sender);
    net_port_close(port);
}

static void a_port_in_use_is_an_error_that_says_which(void **state)
{
    (void)state;
    struct net_port *port = port_open("127.0.0.1:0", 2, 0);
    char listen[32];
    (void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", net_port_number(port));
    struct net_options options = {.driver = NET_DRIVER_SOCKET, .listen = listen, .queue_count = 1};
    struct net_port *second;
    char error[NET_ERROR_SIZE_MAX];
    assert_int_equal(net_port_open(&options, &second, error), RESULT_BUSY);
    assert_null(second);
    assert_non_null(strstr(error, listen));
    assert_non_null(strstr(error, "in use"));
    net_port_close(port);
    assert_int_equal(net_port_open(&options, &second, error), RESULT_OK);
    net_port_close(second);
    net_port_close(NULL);
}

static void an_address_that_is_none_is_an_error_that_names_it(void **state)
{
    (void)state;
    struct row {
        const char *listen;
        const char *says;
    } rows[] = {
        {"", "not an address"},
        {":", "not an address"},
        {"127.0.0.1", "not an address"},
        {"127.0.0.1:", "not an address"},
        {"127.0.0.1:-1", "not an address"},
        {"127.0.0.1:x", "not an address"},
        {"127.0.0.1:65536", "not an address"},
        {"::1:4700", "not an address"},
        {"[::1:4700", "not an address"},
        {"[::1]", "not an address"},
        {"localhost:4700", "not an address"},
        {"a-name-that-is-far-longer-than-any-address-could-ever-be-on-any-machine.example:1",
         "not an address"},
        {"127.0.0.1:65535", "lower port"},
        {"192.0.2.77:4700", "no interface"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct net_options options = {
            .driver = NET_DRIVER_SOCKET, .listen = rows[i].listen, .queue_count = 1};
        struct net_port *port;
        char error[NET_ERROR_SIZE_MAX];
        assert_int_not_equal(net_port_open(&options, &port, error), RESULT_OK);
        assert_null(port);
        if (strstr(error, rows[i].says) == NULL) {
            fail_msg("\"%s\": \"%s\" does not say \"%s\"", rows[i].listen, error, rows[i].says);
        }
    }
}

static void waiting_ends_with_the_time_or_a_datagram(void **state)
{
    (void)state;
    struct net_port *port = port_open("127.0.0.1:0", 1, 0);
    struct net_queue *queue = net_port_queue(port, 0);
    struct timespec before;
    struct timespec after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    net_wait(queue, 20000);
    clock_gettime(CLOCK_MONOTONIC, &after);
    int64_t waited_us =
        (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
    assert_true(waited_us >= 19000);
    int sender = sender_open();
    static const uint32_t sides[] = {0, 0, 1, 1, 0};
    for (size_t i = 0; i < ARRAY_COUNT(sides); i++) {
        send_to(sender, net_port_number(port) + sides[i], "wake", 4);
        net_wait(queue, 5000000);
        struct net_burst burst;
        /* Whichever socket woke it is asked first. */
        assert_int_equal(net_receive(queue, &burst), 1);
        net_release(queue, &burst);
    }
    close(sender);
    net_port_close(port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_arrives_with_its_sender),
        cmocka_unit_test(a_datagram_over_ip6_arrives_too),
        cmocka_unit_test(each_queue_has_a_port_of_its_own),
        cmocka_unit_test(an_answer_leaves_from_the_port_that_was_sent_to),
        cmocka_unit_test(answers_of_a_turn_leave_in_order_whatever_their_number),
        cmocka_unit_test(an_answer_without_a_way_is_counted_and_keeps_nobody_else_from_his),
        cmocka_unit_test(everyones_port_reaches_some_queue_once),
        cmocka_unit_test(a_flood_on_one_socket_does_not_starve_the_other),
        cmocka_unit_test(a_datagram_that_is_too_long_is_flagged),
        cmocka_unit_test(what_the_kernel_drops_is_counted_exactly),
        cmocka_unit_test(a_port_in_use_is_an_error_that_says_which),
        cmocka_unit_test(an_address_that_is_none_is_an_error_that_names_it),
        cmocka_unit_test(waiting_ends_with_the_time_or_a_datagram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
