/* Memory in chunks: what was taken stays where it is, whatever is taken after it. */
#include "tests/support/unit.h"

#include "dataplane/base/units.h"
#include "drivers/chunks.h"
#include "drivers/memory.h"

static void taken_check(bool is_large)
{
    static const uint64_t sizes[] = {1, 8, 0, 13, MIB, 700 * KIB, 400 * KIB, 3 * MIB, 5, 9 * MIB};
    uint8_t *taken[ARRAY_COUNT(sizes)];
    uint64_t before = heap_used_bytes();
    struct chunks chunks = {.is_large = is_large};
    for (uint32_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        taken[i] = chunks_take(&chunks, sizes[i]);
        assert_non_null(taken[i]);
        assert_int_equal((uintptr_t)taken[i] % sizeof(uint64_t), 0);
        memset(taken[i], (int)i + 1, sizes[i]);
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        for (uint64_t at = 0; at < sizes[i]; at++) {
            assert_int_equal(taken[i][at], i + 1);
        }
    }
    chunks_free(&chunks);
    assert_null(chunks.newest);
    assert_int_equal(heap_used_bytes(), before);
    chunks_free(&chunks); /* None is fine. */
}

static void what_is_taken_stays_until_all_goes(void **state)
{
    (void)state;
    taken_check(/* is_large= */ false);
    taken_check(/* is_large= */ true);
}

static void of_room_only_what_was_taken_stays(void **state)
{
    (void)state;
    struct chunks chunks = {.newest = NULL};
    uint8_t *first = chunks_room(&chunks, 700 * KIB);
    assert_non_null(first);
    memset(first, 1, 700 * KIB);
    chunks_took(&chunks, 13);
    uint8_t *second = chunks_room(&chunks, 700 * KIB);
    assert_ptr_equal(second, first + 16);
    uint8_t *third = chunks_room(&chunks, 3 * MIB); /* In a chunk of its own. */
    assert_non_null(third);
    memset(third, 3, 3 * MIB);
    chunks_took(&chunks, 3 * MIB);
    for (uint32_t i = 0; i < 13; i++) {
        assert_int_equal(first[i], 1);
    }
    chunks_free(&chunks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_stays_until_all_goes),
        cmocka_unit_test(of_room_only_what_was_taken_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
