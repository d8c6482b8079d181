#include "tests/support/unit.h"

#include <stdalign.h>

#include "dataplane/base/arena.h"
#include "dataplane/base/units.h"

static alignas(4096) uint8_t region[4096];

static struct arena arena_fresh(uint64_t size_bytes)
{
    struct arena arena;
    arena_init(&arena, region, size_bytes);
    return arena;
}

static void pieces_follow_one_another(void **state)
{
    (void)state;
    struct arena arena = arena_fresh(sizeof(region));
    assert_ptr_equal(arena_take(&arena, 10, 1), region);
    assert_ptr_equal(arena_take(&arena, 10, 1), region + 10);
    assert_int_equal(arena.used_bytes, 20);
}

static void a_piece_starts_on_its_alignment(void **state)
{
    (void)state;
    struct arena arena = arena_fresh(sizeof(region));
    (void)arena_take(&arena, 1, 1);
    assert_ptr_equal(arena_take(&arena, 8, 8), region + 8);
    assert_ptr_equal(arena_take(&arena, 8, 64), region + 64);
    assert_ptr_equal(arena_take(&arena, 8, 2048), region + 2048);
}

static void the_last_byte_can_be_taken(void **state)
{
    (void)state;
    struct arena arena = arena_fresh(128);
    (void)arena_take(&arena, 127, 1);
    assert_ptr_equal(arena_take(&arena, 1, 1), region + 127);
    assert_int_equal(arena.used_bytes, 128);
    assert_ptr_equal(arena_take(&arena, 0, 1), region + 128);
}

static void one_byte_too_many_is_our_mistake(void **state)
{
    (void)state;
    struct arena arena = arena_fresh(128);
    (void)arena_take(&arena, 127, 1);
    expect_assert_failure((void)arena_take(&arena, 2, 1));
}

static void padding_that_passes_the_end_is_our_mistake(void **state)
{
    (void)state;
    struct arena arena = arena_fresh(100);
    (void)arena_take(&arena, 65, 1);
    expect_assert_failure((void)arena_take(&arena, 1, 64));
}

static void a_size_that_would_wrap_is_our_mistake(void **state)
{
    (void)state;
    struct arena arena = arena_fresh(128);
    (void)arena_take(&arena, 64, 1);
    expect_assert_failure((void)arena_take(&arena, UINT64_MAX - 32, 1));
}

static void an_alignment_is_a_power_of_two(void **state)
{
    (void)state;
    struct arena arena = arena_fresh(128);
    expect_assert_failure((void)arena_take(&arena, 1, 0));
    expect_assert_failure((void)arena_take(&arena, 1, 12));
}

static void a_sealed_arena_gives_nothing(void **state)
{
    (void)state;
    struct arena arena = arena_fresh(128);
    arena_seal(&arena);
    expect_assert_failure((void)arena_take(&arena, 1, 1));
    expect_assert_failure(arena_seal(&arena));
}

static void memory_starts_on_a_cache_line(void **state)
{
    (void)state;
    struct arena arena;
    expect_assert_failure(arena_init(&arena, region + 8, 64));
    expect_assert_failure(arena_init(&arena, NULL, 64));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_follow_one_another),
        cmocka_unit_test(a_piece_starts_on_its_alignment),
        cmocka_unit_test(the_last_byte_can_be_taken),
        cmocka_unit_test(one_byte_too_many_is_our_mistake),
        cmocka_unit_test(padding_that_passes_the_end_is_our_mistake),
        cmocka_unit_test(a_size_that_would_wrap_is_our_mistake),
        cmocka_unit_test(an_alignment_is_a_power_of_two),
        cmocka_unit_test(a_sealed_arena_gives_nothing),
        cmocka_unit_test(memory_starts_on_a_cache_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
