#include "tests/support/unit.h"

#include "dataplane/feature/word.h"

#define WORDS 8

static void a_move_keeps_what_overlaps(void **state)
{
    (void)state;
    for (uint32_t source = 0; source < WORDS; source++) {
        for (uint32_t target = 0; target < WORDS; target++) {
            uint32_t most = WORDS - (source > target ? source : target);
            for (uint32_t count = 0; count <= most; count++) {
                uint64_t words[WORDS] = {10, 11, 12, 13, 14, 15, 16, 17};
                uint64_t expected[WORDS] = {10, 11, 12, 13, 14, 15, 16, 17};
                words_move(&words[target], &words[source], count);
                memmove(&expected[target], &expected[source], count * sizeof(uint64_t));
                assert_memory_equal(words, expected, sizeof(words));
            }
        }
    }
}

static void what_is_stored_is_loaded(void **state)
{
    (void)state;
    const uint64_t source[3] = {1, UINT64_MAX, 3};
    uint64_t target[4] = {0, 0, 0, 77};
    words_store(target, source, 3);
    assert_true(word_load(&target[1]) == UINT64_MAX);
    assert_true(word_load_shared(&target[2]) == 3);
    assert_true(target[3] == 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move_keeps_what_overlaps),
        cmocka_unit_test(what_is_stored_is_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
