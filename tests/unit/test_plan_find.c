/* Names of views, entities and features in a plan of as many views as there can be. */
#include <stdio.h>

#include "dataplane/base/random.h"
#include "dataplane/feature/plan.h"
#include "tests/support/unit.h"

#define NAMES 400u

static struct plan plan;

/* Short names, many of them prefixes of others. */
static void name_make(uint64_t number, char out[NAME_SIZE_MAX])
{
    (void)snprintf(out, NAME_SIZE_MAX, "%.*s%lu", (int)(number % 4), "view", number / 4);
}

static bool is_taken(const char *name, uint32_t version)
{
    for (uint32_t v = 0; v < plan.view_count; v++) {
        if (strcmp(plan.view[v].name, name) == 0 && plan.view[v].version == version) {
            return true;
        }
    }
    return false;
}

static int set_up(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 20261126);
    memset(&plan, 0, sizeof(plan));
    while (plan.view_count < VIEWS_MAX) {
        char name[NAME_SIZE_MAX];
        uint16_t version = (uint16_t)(1 + random_below(&random, 4));
        name_make(random_below(&random, NAMES), name);
        if (is_taken(name, version)) {
            continue;
        }
        struct plan_view *view = &plan.view[plan.view_count++];
        memcpy(view->name, name, sizeof(name));
        view->version = version;
        name_make(random_below(&random, NAMES), view->entity);
    }
    plan_names_finish(&plan);
    return 0;
}

/* The slow way. */
static int view_of(const char *name, uint32_t version)
{
    int found = -1;
    for (uint32_t v = 0; v < plan.view_count; v++) {
        const struct plan_view *view = &plan.view[v];
        if (strcmp(view->name, name) == 0 &&
            (version == view->version ||
             (version == 0 && (found < 0 || plan.view[found].version < view->version)))) {
            found = (int)v;
        }
    }
    return found;
}

static void a_view_is_found_by_name_and_version_or_as_the_newest(void **state)
{
    (void)state;
    uint32_t missing = 0;
    for (uint64_t number = 0; number <= NAMES; number++) {
        char name[NAME_SIZE_MAX];
        name_make(number, name);
        for (uint32_t version = 0; version <= 5; version++) {
            int wanted = view_of(name, version);
            assert_int_equal(plan_view_find(&plan, name, (uint32_t)strlen(name), version), wanted);
            missing += wanted < 0;
        }
    }
    assert_true(missing > 0);
    assert_int_equal(plan_view_find(&plan, "", 0, 0), -1);
    assert_int_equal(plan_view_find(&plan, "zzz", 3, 0), -1);
    assert_int_equal(plan_view_find(&plan, "zzz", 3, UINT32_MAX), -1);
}

static void an_entity_is_found_at_its_first_view(void **state)
{
    (void)state;
    uint32_t count = 0;
    for (uint64_t number = 0; number <= NAMES; number++) {
        char name[NAME_SIZE_MAX];
        name_make(number, name);
        int wanted = -1;
        for (uint32_t v = plan.view_count; v > 0; v--) {
            wanted = strcmp(plan.view[v - 1].entity, name) == 0 ? (int)v - 1 : wanted;
        }
        assert_int_equal(plan_entity_find(&plan, name, (uint32_t)strlen(name)), wanted);
        count += wanted >= 0;
    }
    assert_int_equal(plan.entity_count, count);
    assert_int_equal(plan_entity_find(&plan, "zzz", 3), -1);
}

static void a_plan_without_views_knows_no_name(void **state)
{
    (void)state;
    plan.view_count = 0;
    plan_names_finish(&plan);
    assert_int_equal(plan_view_find(&plan, "view", 4, 0), -1);
    assert_int_equal(plan_view_find(&plan, "view", 4, 1), -1);
    assert_int_equal(plan_entity_find(&plan, "card", 4), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_view_is_found_by_name_and_version_or_as_the_newest, set_up),
        cmocka_unit_test_setup(an_entity_is_found_at_its_first_view, set_up),
        cmocka_unit_test_setup(a_plan_without_views_knows_no_name, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
