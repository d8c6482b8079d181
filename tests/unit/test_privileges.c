/* Who the process shall be. What dropping does to every thread is seen from outside, by
 * tests/system/test_door.py. */
#include "tests/support/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/privileges.h"

static struct privileges privileges;
static char error[PRIVILEGES_ERROR_SIZE_MAX];

static bool is_root(void)
{
    return geteuid() == 0;
}

static void without_a_name_we_stay_who_we_are_or_become_the_default_user(void **state)
{
    (void)state;
    assert_int_equal(privileges_choose("", false, &privileges, error), RESULT_OK);
    assert_false(privileges.asked);
    if (privileges.drops) {
        assert_true(is_root());
        assert_string_equal(privileges.user, PRIVILEGES_USER_DEFAULT);
        assert_int_not_equal(privileges.uid, 0);
    } else {
        assert_int_equal(privileges.uid, geteuid());
        assert_int_equal(privileges.is_root, is_root());
    }
}

static void a_user_that_is_not_there_is_refused_with_the_command_that_makes_it(void **state)
{
    (void)state;
    assert_int_equal(privileges_choose("no_such_user", false, &privileges, error), RESULT_INVALID);
    assert_non_null(strstr(error, is_root() ? "useradd --system" : "only root can become"));
}

static void root_stays_root_when_it_is_said(void **state)
{
    (void)state;
    enum result result = privileges_choose("root", false, &privileges, error);
    assert_int_equal(result, is_root() ? RESULT_OK : RESULT_INVALID);
    if (is_root()) {
        assert_true(privileges.asked);
        assert_true(privileges.is_root);
        assert_false(privileges.drops);
        assert_string_equal(privileges.user, "root");
        assert_int_equal(privileges_drop(&privileges, error), RESULT_OK);
        assert_int_equal(geteuid(), 0);
    }
}

static void only_network_devices_keep_capabilities_of_the_network(void **state)
{
    (void)state;
    assert_int_equal(privileges_choose("", false, &privileges, error), RESULT_OK);
    assert_string_equal(privileges_kept(&privileges), "CAP_IPC_LOCK");
    assert_int_equal(privileges_choose("", true, &privileges, error), RESULT_OK);
    assert_string_equal(privileges_kept(&privileges), "CAP_IPC_LOCK, CAP_NET_RAW, CAP_NET_ADMIN");
}

static void a_folder_is_made_once_and_belongs_to_the_user_to_be(void **state)
{
    char folder[] = "/tmp/freshet-own-XXXXXX";
    char path[64];
    struct stat status;
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/data", folder);
    assert_int_equal(privileges_choose(is_root() ? "nobody" : "", false, &privileges, error),
                     RESULT_OK);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(privileges_own_directory(&privileges, path), RESULT_OK);
        assert_int_equal(stat(path, &status), 0);
        assert_true(S_ISDIR(status.st_mode));
        assert_int_equal(status.st_mode & 07777 & 027, 0);
        assert_int_equal(status.st_uid, privileges.uid);
    }
    char inner[80];
    (void)snprintf(inner, sizeof(inner), "%s/archive", path);
    assert_int_equal(mkdir(inner, 0700), 0);
    (void)snprintf(inner, sizeof(inner), "%s/archive/one", path);
    FILE *file = fopen(inner, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(privileges_own_directory(&privileges, path), RESULT_OK);
    assert_int_equal(stat(inner, &status), 0);
    assert_int_equal(status.st_uid, privileges.uid);
    assert_int_equal(remove(inner), 0);
    (void)snprintf(inner, sizeof(inner), "%s/archive", path);
    assert_int_equal(rmdir(inner), 0);
    (void)snprintf(path, sizeof(path), "%s/no/data", folder);
    assert_int_equal(privileges_own_directory(&privileges, path), RESULT_SYSTEM);
    (void)snprintf(path, sizeof(path), "%s/data", folder);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(privileges_own(&privileges, path), is_root() ? RESULT_SYSTEM : RESULT_OK);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_name_we_stay_who_we_are_or_become_the_default_user),
        cmocka_unit_test(a_user_that_is_not_there_is_refused_with_the_command_that_makes_it),
        cmocka_unit_test(root_stays_root_when_it_is_said),
        cmocka_unit_test(only_network_devices_keep_capabilities_of_the_network),
        cmocka_unit_test(a_folder_is_made_once_and_belongs_to_the_user_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
