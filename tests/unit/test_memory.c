#include "tests/support/unit.h"

#include <pthread.h>

#include "dataplane/base/units.h"
#include "drivers/memory.h"

static bool is_zero(const uint8_t *bytes, uint64_t size)
{
    for (uint64_t i = 0; i < size; i += 512) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static void a_region_is_aligned_whole_and_zero(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 4 * KIB, 2 * MIB, 2 * MIB + 1, 9 * MIB};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        for (int touch = 0; touch < 2; touch++) {
            struct memory_region region;
            assert_int_equal(memory_map(sizes[i], touch, &region), RESULT_OK);
            assert_int_equal((uintptr_t)region.base % (2 * MIB), 0);
            assert_int_equal(region.size_bytes, align_up(sizes[i], 2 * MIB));
            assert_true(is_zero(region.base, region.size_bytes));
            memset(region.base, 0x5a, region.size_bytes);
            memory_unmap(&region);
            assert_null(region.base);
        }
    }
}

static void a_region_says_what_backs_it(void **state)
{
    (void)state;
    struct memory_region region;
    for (int touch = 0; touch < 2; touch++) {
        assert_int_equal(memory_map(8 * MIB, touch, &region), RESULT_OK);
        enum memory_pages pages = memory_pages_of(&region);
        assert_int_equal(pages == MEMORY_PAGES_HUGETLB, region.is_hugetlb);
        /* The kernel counts what it gave: nothing yet of what nobody touched. */
        assert_true(touch != 0 || pages != MEMORY_PAGES_TRANSPARENT);
        print_message("%s\n", memory_pages_name(pages));
        memory_unmap(&region);
    }
}

static void neighbours_are_not_touched_by_unmap(void **state)
{
    (void)state;
    struct memory_region regions[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(memory_map(2 * MIB, 1, &regions[i]), RESULT_OK);
        memset(regions[i].base, i + 1, regions[i].size_bytes);
    }
    memory_unmap(&regions[1]);
    for (int i = 0; i < 4; i++) {
        if (i != 1) {
            const uint8_t *bytes = regions[i].base;
            assert_int_equal(bytes[0], i + 1);
            assert_int_equal(bytes[regions[i].size_bytes - 1], i + 1);
            memory_unmap(&regions[i]);
        }
    }
}

static void a_size_that_no_machine_has_is_refused(void **state)
{
    (void)state;
    struct memory_region region;
    assert_int_equal(memory_map(0, 0, &region), RESULT_INVALID);
    assert_int_equal(memory_map(UINT64_MAX, 0, &region), RESULT_INVALID);
    assert_int_equal(memory_map(UINT64_C(1) << 45, 0, &region), RESULT_NO_MEMORY);
    assert_null(region.base);
    memory_unmap(&region);
}

static void the_heap_counts_and_returns_to_where_it_was(void **state)
{
    (void)state;
    uint64_t before = heap_used_bytes();
    void *memory = heap_alloc(1000);
    assert_non_null(memory);
    assert_true(heap_used_bytes() >= before + 1000);
    memory = heap_realloc(memory, 100000);
    assert_non_null(memory);
    assert_true(heap_used_bytes() >= before + 100000);
    memory = heap_realloc(memory, 10);
    heap_free(memory);
    heap_free(heap_realloc(NULL, 77));
    heap_free(NULL);
    assert_int_equal(heap_used_bytes(), before);
}

static void the_heap_refuses_above_its_limit_and_keeps_what_was(void **state)
{
    (void)state;
    uint64_t before = heap_used_bytes();
    heap_limit_set(before + 64 * KIB);
    uint8_t *memory = heap_alloc(1000);
    assert_non_null(memory);
    memset(memory, 7, 1000);
    assert_null(heap_alloc(64 * KIB));
    assert_null(heap_alloc(UINT64_MAX));
    assert_null(heap_alloc_lines(64 * KIB));
    assert_null(heap_realloc(memory, 64 * KIB));
    assert_null(heap_alloc(before + 65 * KIB));
    assert_int_equal(memory[999], 7);
    heap_free(memory);
    assert_int_equal(heap_used_bytes(), before);
    memory = heap_alloc(32 * KIB);
    assert_non_null(memory);
    heap_free(memory);
    heap_limit_set(0);
}

static void lines_are_zero_and_aligned(void **state)
{
    (void)state;
    for (uint64_t size = 1; size < 100000; size = size * 3 + 1) {
        uint8_t *memory = heap_alloc_lines(size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % CACHE_LINE_BYTES, 0);
        for (uint64_t i = 0; i < size; i++) {
            assert_int_equal(memory[i], 0);
        }
        memset(memory, 0xff, size);
        heap_free(memory);
    }
}

static void *churn(void *argument)
{
    (void)argument;
    for (uint64_t i = 1; i < 2000; i++) {
        heap_free(heap_realloc(heap_alloc(i), i * 3));
    }
    return NULL;
}

static void threads_leave_the_count_right(void **state)
{
    (void)state;
    uint64_t before = heap_used_bytes();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, churn, NULL), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(heap_used_bytes(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_region_is_aligned_whole_and_zero),
        cmocka_unit_test(a_region_says_what_backs_it),
        cmocka_unit_test(neighbours_are_not_touched_by_unmap),
        cmocka_unit_test(a_size_that_no_machine_has_is_refused),
        cmocka_unit_test(the_heap_counts_and_returns_to_where_it_was),
        cmocka_unit_test(the_heap_refuses_above_its_limit_and_keeps_what_was),
        cmocka_unit_test(lines_are_zero_and_aligned),
        cmocka_unit_test(threads_leave_the_count_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
