/* The file of users. */
#include "tests/support/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "config/users.h"
#include "dataplane/base/units.h"

static struct users users;
static char error[USERS_ERROR_SIZE_MAX];

static enum result load(const char *text)
{
    error[0] = '\0';
    return users_load_text("u", text, strlen(text), &users, error);
}

static void users_are_a_map_by_name(void **state)
{
    (void)state;
    assert_int_equal(load("# who\n"
                          "model: {role: read, password: \"$y$j9T$x$y\"}\n"
                          "default: {password: $6$a$b, role: operate}\n"),
                     RESULT_OK);
    assert_int_equal(users.count, 2);
    assert_string_equal(users.user[0].name, "model");
    assert_string_equal(users.user[0].hash, "$y$j9T$x$y");
    assert_int_equal(users.user[0].role, USER_ROLE_READ);
    assert_int_equal(users.user[0].line, 2);
    assert_int_equal(users.user[1].role, USER_ROLE_OPERATE);
    assert_ptr_equal(users_find(&users, "default", 7), &users.user[1]);
    assert_null(users_find(&users, "default", 6));
    assert_null(users_find(&users, "defaults", 8));
    assert_null(users_find(&users, "Model", 5));
    assert_null(users_find(&users, "", 0));
}

static const struct {
    const char *text;
    const char *error;
} wrong[] = {
    {"[a]\n", "u:1:1: users are a map, as name: {role: read, password: \"...\"}"},
    {"a: read\n", "u:1:4: a user is a map of `key: value` lines"},
    {"a: {role: read}\n", "u:1:4: a user needs `password`, a hash that `freshet user add` makes"},
    {"a: {password: x}\n", "u:1:4: a user needs `role`; allowed: read, operate"},
    {"a: {role: none, password: x}\n", "u:1:11: `role` is `none`; allowed: read, operate"},
    {"a: {role: operat, password: x}\n",
     "u:1:11: `role` is `operat`; did you mean `operate`? allowed: read, operate"},
    {"a: {role: read, password: \"\"}\n", "u:1:27: `password` has 0 bytes; 1 to 383 are allowed"},
    {"a: {role: read, password: x, id: 3}\n",
     "u:1:30: `id` is no key of a user; allowed: role, password"},
    {"a: {role: read, password: x}\nb b: {role: read, password: x}\n",
     "u:2:1: `b b` is no name of a user; 1 to 63 of A-Z a-z 0-9 _ . - are allowed, no - in front"},
    {"-a: {role: read, password: x}\n",
     "u:1:1: `-a` is no name of a user; 1 to 63 of A-Z a-z 0-9 _ . - are allowed, no - in front"},
};

static void what_is_wrong_is_told_with_its_place_and_what_is_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        assert_int_equal(load(wrong[i].text), RESULT_INVALID);
        assert_string_equal(error, wrong[i].error);
    }
    assert_int_equal(load("a: {role: read, password: x}\na: {role: operate, password: y}\n"),
                     RESULT_INVALID);
    assert_non_null(strstr(error, "u:2:1: "));
}

static void sixty_four_users_are_taken_and_one_more_is_not(void **state)
{
    static char text[(USERS_MAX + 1) * 48];
    size_t at = 0;
    (void)state;
    for (uint32_t i = 0; i <= USERS_MAX; i++) {
        if (i == USERS_MAX) {
            assert_int_equal(load(text), RESULT_OK);
            assert_int_equal(users.count, USERS_MAX);
        }
        at += (size_t)snprintf(text + at, sizeof(text) - at, "u%u: {role: read, password: x}\n", i);
    }
    assert_int_equal(load(text), RESULT_INVALID);
    assert_non_null(strstr(error, "65 users; at most 64 are allowed"));
}

static void what_is_saved_is_loaded_again_and_only_its_owner_may(void **state)
{
    char folder[] = "/tmp/freshet-users-XXXXXX";
    char path[64];
    struct stat status;
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/users.yaml", folder);
    assert_int_equal(users_load(path, &users, error), RESULT_NOT_FOUND);
    assert_non_null(strstr(error, "freshet user add NAME --role read --file /tmp/"));
    struct users *made = calloc(1, sizeof(*made));
    assert_non_null(made);
    made->count = 2;
    made->user[0] = (struct user){.name = "a.b-c_D9", .hash = "$y$./$", .role = USER_ROLE_READ};
    made->user[1] = (struct user){.name = "null", .hash = "$6$", .role = USER_ROLE_OPERATE};
    assert_int_equal(users_save(path, made, error), RESULT_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(users_load(path, &users, error), RESULT_OK);
    assert_int_equal(users.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_string_equal(users.user[i].name, made->user[i].name);
        assert_string_equal(users.user[i].hash, made->user[i].hash);
        assert_int_equal(users.user[i].role, made->user[i].role);
    }
    for (mode_t bit = 1; bit <= 0100; bit <<= 1) {
        assert_int_equal(chmod(path, 0600 | bit), 0);
        assert_int_equal(users_load(path, &users, error), bit == 0100 ? RESULT_OK : RESULT_INVALID);
        assert_true(bit == 0100 || strstr(error, "chmod 600 /tmp/") != NULL);
    }
    assert_int_equal(users_load(folder, &users, error), RESULT_INVALID);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(users_save(path, made, error), RESULT_SYSTEM);
    free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_a_map_by_name),
        cmocka_unit_test(what_is_wrong_is_told_with_its_place_and_what_is_allowed),
        cmocka_unit_test(sixty_four_users_are_taken_and_one_more_is_not),
        cmocka_unit_test(what_is_saved_is_loaded_again_and_only_its_owner_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
