/* The last drops: one per second and reason, the newest 64, read whole while they are written. */
#include "tests/support/unit.h"

#include <pthread.h>

#include "dataplane/base/units.h"
#include "dataplane/drop_log.h"

static struct drop_log drops;

static void entry_add(enum drop drop, int64_t time_us, uint8_t fill)
{
    struct drop_entry entry = {.time_us = time_us,
                               .drop = (uint16_t)drop,
                               .stream = fill,
                               .field = fill,
                               .offset = fill,
                               .byte_count = DROP_LOG_BYTES,
                               .sender = {.port = fill}};
    memset(entry.sender.ip, fill, sizeof(entry.sender.ip));
    memset(entry.bytes, fill, sizeof(entry.bytes));
    drop_log_add(&drops, &entry);
}

static int log_reset(void **state)
{
    (void)state;
    memset(&drops, 0, sizeof(drops));
    return 0;
}

static void a_reason_is_due_once_a_second(void **state)
{
    (void)state;
    const int64_t start_us = 1750000000000000;
    assert_true(drop_log_due(&drops, DROP_message_short, start_us));
    entry_add(DROP_message_short, start_us, 1);
    assert_false(drop_log_due(&drops, DROP_message_short, start_us));
    assert_false(drop_log_due(&drops, DROP_message_short, start_us + US_PER_SECOND - 1));
    assert_true(drop_log_due(&drops, DROP_message_short, start_us + US_PER_SECOND));
    /* The clock was set back. */
    assert_true(drop_log_due(&drops, DROP_message_short, start_us - 1));
    assert_true(drop_log_due(&drops, DROP_message_empty, start_us));
    assert_true(drop_log_due(&drops, (enum drop)(DROP_COUNT - 1), start_us));
    expect_assert_failure(drop_log_due(&drops, (enum drop)DROP_COUNT, start_us));
}

static void the_last_64_are_kept_in_order(void **state)
{
    (void)state;
    struct drop_entry out[DROP_LOG_ENTRIES];
    assert_int_equal(drop_log_read(&drops, 0, out), 0);
    for (uint32_t added = 1; added <= 200; added++) {
        entry_add(DROP_event_late, added, (uint8_t)added);
        uint32_t kept = added < DROP_LOG_ENTRIES ? added : DROP_LOG_ENTRIES;
        assert_int_equal(drop_log_read(&drops, 0, out), kept);
        for (uint32_t i = 0; i < kept; i++) {
            uint32_t number = added - kept + 1 + i;
            assert_int_equal(out[i].number, number);
            assert_int_equal(out[i].time_us, number);
            assert_int_equal(out[i].drop, DROP_event_late);
            assert_int_equal(out[i].sender.port, (uint8_t)number);
            assert_int_equal(out[i].bytes[DROP_LOG_BYTES - 1], (uint8_t)number);
        }
        assert_int_equal(drop_log_read(&drops, added - 1, out), 1);
        assert_int_equal(out[0].number, added);
        assert_int_equal(drop_log_read(&drops, added, out), 0);
    }
}

static _Atomic bool shared_stop;

static void *entries_write(void *unused)
{
    for (uint32_t i = 1; !atomic_load_explicit(&shared_stop, memory_order_relaxed); i++) {
        entry_add((enum drop)(i % DROP_COUNT), i, (uint8_t)i);
    }
    return unused;
}

static void readers_see_whole_entries_while_the_worker_writes(void **state)
{
    (void)state;
    atomic_store_explicit(&shared_stop, false, memory_order_relaxed);
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, entries_write, NULL), 0);
    struct drop_entry out[DROP_LOG_ENTRIES];
    uint64_t seen = 0;
    uint64_t torn = 0;
    uint64_t disordered = 0;
    for (uint32_t round = 0; round < 3000 || seen == 0; round++) {
        uint32_t count = drop_log_read(&drops, 0, out);
        seen += count;
        for (uint32_t i = 0; i < count; i++) {
            uint8_t fill = (uint8_t)out[i].number;
            bool whole = out[i].time_us == (int64_t)out[i].number && out[i].stream == fill &&
                         out[i].field == fill && out[i].offset == fill &&
                         out[i].drop == out[i].number % DROP_COUNT;
            for (uint32_t b = 0; b < DROP_LOG_BYTES; b++) {
                whole = whole && out[i].bytes[b] == fill;
            }
            torn += !whole;
            disordered += i > 0 && out[i].number <= out[i - 1].number;
        }
    }
    atomic_store_explicit(&shared_stop, true, memory_order_relaxed);
    pthread_join(writer, NULL);
    assert_int_equal(torn, 0);
    assert_int_equal(disordered, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_reason_is_due_once_a_second, log_reset),
        cmocka_unit_test_setup(the_last_64_are_kept_in_order, log_reset),
        cmocka_unit_test_setup(readers_see_whole_entries_while_the_worker_writes, log_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
