#include "tests/support/unit.h"

#include <pthread.h>
#include <sched.h>

#include "dataplane/base/units.h"
#include "drivers/net_simulated.h"

static struct net_port *port;
static struct net_queue *queue;

static int port_open(void **state)
{
    (void)state;
    struct net_options options = {
        .driver = NET_DRIVER_SIMULATED, .queue_count = 2, .receive_buffer_bytes = 64 * 1024};
    char error[NET_ERROR_SIZE_MAX];
    enum result result = net_port_open(&options, &port, error);
    queue = result == RESULT_OK ? net_port_queue(port, 0) : NULL;
    return result != RESULT_OK;
}

static int port_close(void **state)
{
    (void)state;
    net_port_close(port);
    return 0;
}

static void what_is_pushed_comes_out_with_its_sender(void **state)
{
    (void)state;
    struct net_address sender = {.ip = {1, 2, 3}, .port = 99};
    assert_true(net_simulated_push(queue, "one", 3, &sender));
    assert_true(net_simulated_push(queue, "", 0, NULL));
    struct net_burst burst;
    assert_int_equal(net_receive(net_port_queue(port, 1), &burst), 0);
    assert_int_equal(net_receive(queue, &burst), 2);
    assert_memory_equal(burst.message[0].data, "one", 3);
    assert_int_equal(burst.message[0].size, 3);
    assert_memory_equal(&burst.message[0].sender, &sender, sizeof(sender));
    assert_int_equal(burst.message[1].size, 0);
    assert_int_equal(burst.message[1].sender.port, 0);
    net_release(queue, &burst);
    assert_int_equal(net_receive(queue, &burst), 0);
}

static void a_burst_is_bounded_and_keeps_its_bytes_until_release(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < NET_BURST_MAX + 5; i++) {
        assert_true(net_simulated_push(queue, &i, 1, NULL));
    }
    struct net_burst burst;
    assert_int_equal(net_receive(queue, &burst), NET_BURST_MAX);
    /* The ring is full of other bytes only after the burst is given back. */
    uint8_t other[1000];
    memset(other, 0xee, sizeof(other));
    while (net_simulated_push(queue, other, sizeof(other), NULL)) {
    }
    for (uint8_t i = 0; i < NET_BURST_MAX; i++) {
        assert_int_equal(burst.message[i].data[0], i);
    }
    net_release(queue, &burst);
    assert_int_equal(net_receive(queue, &burst), NET_BURST_MAX);
    for (uint8_t i = 0; i < 5; i++) {
        assert_int_equal(burst.message[i].data[0], NET_BURST_MAX + i);
    }
    net_release(queue, &burst);
}

static void a_full_ring_loses_and_counts(void **state)
{
    (void)state;
    static uint8_t data[20000];
    uint64_t pushed = 0;
    while (net_simulated_push(queue, data, sizeof(data), NULL)) {
        pushed++;
    }
    struct net_statistics seen;
    net_port_statistics(port, &seen);
    assert_true(pushed > 0);
    assert_int_equal(seen.missed, 1);
    struct net_burst burst;
    uint64_t received = 0;
    while (net_receive(queue, &burst) > 0) {
        for (uint32_t i = 0; i < burst.count; i++) {
            assert_true(burst.message[i].truncated);
            assert_int_equal(burst.message[i].size, NET_DATAGRAM_SIZE_MAX);
        }
        received += burst.count;
        net_release(queue, &burst);
    }
    assert_int_equal(received, pushed);
}

static void prepared_messages_come_round_without_a_copy(void **state)
{
    (void)state;
    static const uint8_t bytes[5] = {0, 1, 2, 3, 4};
    struct net_message messages[5];
    for (uint32_t i = 0; i < 5; i++) {
        messages[i] = (struct net_message){.data = &bytes[i], .size = 1};
    }
    assert_true(net_simulated_push(queue, "later", 5, NULL));
    net_simulated_cycle(queue, messages, 5);
    struct net_burst burst;
    uint32_t next = 0;
    for (int turn = 0; turn < 10; turn++) {
        assert_int_equal(net_receive(queue, &burst), NET_BURST_MAX);
        for (uint32_t i = 0; i < burst.count; i++) {
            assert_ptr_equal(burst.message[i].data, &bytes[next % 5]);
            next++;
        }
        net_release(queue, &burst);
    }
    net_simulated_cycle(queue, NULL, 0);
    assert_int_equal(net_receive(queue, &burst), 1);
    assert_memory_equal(burst.message[0].data, "later", 5);
    net_release(queue, &burst);
}

static void answers_come_out_in_order_once_the_turn_is_over(void **state)
{
    (void)state;
    struct net_address to = {.ip = {9}, .port = 7, .local_port = 4700};
    uint8_t data[NET_ANSWER_SIZE_MAX];
    uint32_t size;
    struct net_address got;
    assert_false(net_simulated_take(queue, data, &size, &got));
    assert_true(net_send(queue, &to, "first", 5));
    assert_true(net_send(queue, &to, "", 0));
    assert_false(net_simulated_take(queue, data, &size, &got));
    net_send_finish(queue);
    assert_false(net_simulated_take(net_port_queue(port, 1), data, &size, &got));
    assert_true(net_simulated_take(queue, data, &size, &got));
    assert_int_equal(size, 5);
    assert_memory_equal(data, "first", 5);
    assert_memory_equal(&got, &to, sizeof(to));
    assert_true(net_simulated_take(queue, data, &size, &got));
    assert_int_equal(size, 0);
    assert_false(net_simulated_take(queue, data, &size, &got));
}

static void answers_that_nobody_takes_are_lost_and_counted(void **state)
{
    (void)state;
    struct net_address to = {.port = 7};
    uint64_t sent = 0;
    uint8_t data[NET_ANSWER_SIZE_MAX] = {0};
    while (net_send(queue, &to, data, sizeof(data))) {
        sent++;
    }
    net_send_finish(queue);
    struct net_statistics seen;
    net_port_statistics(port, &seen);
    assert_true(sent > 0);
    assert_int_equal(seen.sent, sent);
    assert_int_equal(seen.unsent, 1);
    uint32_t size;
    struct net_address got;
    for (uint64_t i = 0; i < sent; i++) {
        assert_true(net_simulated_take(queue, data, &size, &got));
    }
    assert_false(net_simulated_take(queue, data, &size, &got));
    assert_true(net_send(queue, &to, data, sizeof(data)));
}

#define THREAD_DATAGRAMS 20000u

static void *push_all(void *argument)
{
    (void)argument;
    for (uint32_t i = 0; i < THREAD_DATAGRAMS; i++) {
        while (!net_simulated_push(queue, &i, sizeof(i), NULL)) {
            sched_yield();
        }
    }
    return NULL;
}

static void another_thread_may_push(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, push_all, NULL), 0);
    uint32_t next = 0;
    while (next < THREAD_DATAGRAMS) {
        struct net_burst burst;
        if (net_receive(queue, &burst) == 0) {
            sched_yield();
        }
        for (uint32_t i = 0; i < burst.count; i++) {
            assert_memory_equal(burst.message[i].data, &next, sizeof(next));
            next++;
        }
        net_release(queue, &burst);
    }
    assert_int_equal(next, THREAD_DATAGRAMS);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Echoes until everything is taken. */
static void *echo_all(void *argument)
{
    (void)argument;
    for (uint32_t taken = 0; taken < THREAD_DATAGRAMS;) {
        struct net_burst burst;
        if (net_receive(queue, &burst) == 0) {
            sched_yield();
        }
        for (uint32_t i = 0; i < burst.count; i++) {
            const struct net_message *message = &burst.message[i];
            taken++;
            while (!net_send(queue, &message->sender, message->data, message->size)) {
                net_send_finish(queue);
                sched_yield();
            }
        }
        net_release(queue, &burst);
        net_send_finish(queue);
    }
    return NULL;
}

static void another_thread_may_take_answers(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, echo_all, NULL), 0);
    uint32_t pushed = 0;
    uint32_t taken = 0;
    while (taken < THREAD_DATAGRAMS) {
        if (pushed < THREAD_DATAGRAMS && net_simulated_push(queue, &pushed, sizeof(pushed), NULL)) {
            pushed++;
        }
        uint32_t got;
        uint32_t size;
        uint8_t data[NET_ANSWER_SIZE_MAX];
        struct net_address to;
        if (net_simulated_take(queue, data, &size, &to)) {
            assert_int_equal(size, sizeof(got));
            memcpy(&got, data, sizeof(got));
            assert_int_equal(got, taken);
            taken++;
        } else if (pushed == THREAD_DATAGRAMS) {
            sched_yield();
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_pushed_comes_out_with_its_sender, port_open,
                                        port_close),
        cmocka_unit_test_setup_teardown(a_burst_is_bounded_and_keeps_its_bytes_until_release,
                                        port_open, port_close),
        cmocka_unit_test_setup_teardown(a_full_ring_loses_and_counts, port_open, port_close),
        cmocka_unit_test_setup_teardown(prepared_messages_come_round_without_a_copy, port_open,
                                        port_close),
        cmocka_unit_test_setup_teardown(answers_come_out_in_order_once_the_turn_is_over, port_open,
                                        port_close),
        cmocka_unit_test_setup_teardown(answers_that_nobody_takes_are_lost_and_counted, port_open,
                                        port_close),
        cmocka_unit_test_setup_teardown(another_thread_may_push, port_open, port_close),
        cmocka_unit_test_setup_teardown(another_thread_may_take_answers, port_open, port_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
