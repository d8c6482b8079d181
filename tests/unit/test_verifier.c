/* Passwords, and the thread that verifies them. */
#include "tests/support/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "controlplane/password.h"
#include "controlplane/verifier.h"
#include "dataplane/base/units.h"

#define WAIT_MS 10000

static struct cpu_layout layout;
static struct users *users;
static struct verifier *verifier;
static _Atomic uint32_t done_count;

static void done(void *argument)
{
    assert_ptr_equal(argument, &done_count);
    atomic_fetch_add(&done_count, 1);
}

static int set_up(void **state)
{
    (void)state;
    cpu_layout_choose(1, &layout);
    users = calloc(1, sizeof(*users));
    users->count = 2;
    users->user[0] = (struct user){.name = "model", .role = USER_ROLE_READ};
    users->user[1] = (struct user){.name = "admin", .role = USER_ROLE_OPERATE};
    return password_hash("m", users->user[0].hash) == RESULT_OK &&
                   password_hash("a", users->user[1].hash) == RESULT_OK &&
                   verifier_open(users, &layout, &verifier) == RESULT_OK
               ? 0
               : 1;
}

static int tear_down(void **state)
{
    (void)state;
    verifier_close(verifier);
    free(users);
    return 0;
}

static struct login_claim claim_of(const char *user, const char *password)
{
    return (struct login_claim){user, password, strlen(user), strlen(password)};
}

static enum login_state ask(const char *user, const char *password, struct login **out_login)
{
    const struct login_claim claim = claim_of(user, password);
    const struct user *known = NULL;
    *out_login = NULL;
    return verifier_ask(verifier, &claim, done, &done_count, out_login, &known);
}

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_nsec = ms * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* Waits for the verdict; gives the login back. */
static enum login_state settle(struct login *login, const struct user **out_user)
{
    enum login_state state = LOGIN_WAITS;
    for (uint32_t ms = 0; ms < WAIT_MS && state == LOGIN_WAITS; ms += 5) {
        state = verifier_look(verifier, login, out_user);
        pause_ms(5);
    }
    verifier_forget(verifier, login);
    return state;
}

static const char *const unusable[] = {
    "", "x", "plain", "$", "$y$", "$1$abcdefgh$T8t.Kc9/XwhrYj4bF.0vC/", "abJnggxhB/yWI", "*0", "!",
};

static void only_hashes_of_good_methods_are_usable(void **state)
{
    char hash[USER_HASH_SIZE_MAX];
    (void)state;
    assert_int_equal(password_hash("m", hash), RESULT_OK);
    assert_true(password_hash_is_usable(hash));
    assert_true(strncmp(hash, "$y$", 3) == 0);
    assert_string_not_equal(hash, users->user[0].hash); /* Another salt. */
    assert_true(password_hash_is_usable(
        "$6$abcdefgh$yVfUwsw5T.JApa8POvClA1pQ5peiq97DUNyXCZN5IrF.BMSkiaLQ5kvpuEm/VQ1Tvh/"
        "KV2TcaWh8qinoW5dhA1"));
    for (size_t i = 0; i < ARRAY_COUNT(unusable); i++) {
        assert_false(password_hash_is_usable(unusable[i]));
        assert_false(password_matches(unusable[i], "m"));
        assert_false(password_matches(unusable[i], unusable[i]));
    }
}

static void a_password_matches_its_hash_alone(void **state)
{
    static char longest[PASSWORD_SIZE_MAX + 1];
    char hash[USER_HASH_SIZE_MAX];
    (void)state;
    assert_true(password_matches(users->user[0].hash, "m"));
    assert_false(password_matches(users->user[0].hash, "M"));
    assert_false(password_matches(users->user[0].hash, ""));
    assert_false(password_matches(users->user[0].hash, "mm"));
    assert_false(password_matches(users->user[1].hash, "m"));
    memset(longest, 'x', PASSWORD_SIZE_MAX);
    assert_int_equal(password_hash(longest, hash), RESULT_INVALID);
    assert_int_equal(password_hash("", hash), RESULT_INVALID);
    longest[PASSWORD_SIZE_MAX - 1] = '\0';
    assert_int_equal(password_hash(longest, hash), RESULT_OK);
    assert_true(password_matches(hash, longest));
    longest[PASSWORD_SIZE_MAX - 2] = 'y';
    assert_false(password_matches(hash, longest));
}

static void a_good_password_is_verified_once_and_then_remembered(void **state)
{
    struct login *login;
    const struct user *user = NULL;
    const struct login_claim good = claim_of("admin", "a");
    const struct login_claim bad = claim_of("admin", "b");
    const struct login_claim other = claim_of("model", "a");
    (void)state;
    assert_null(verifier_knows(verifier, &good));
    assert_int_equal(ask("admin", "a", &login), LOGIN_WAITS);
    assert_int_equal(settle(login, &user), LOGIN_TAKEN);
    assert_ptr_equal(user, &users->user[1]);
    assert_int_equal(ask("admin", "a", &login), LOGIN_TAKEN);
    assert_null(login);
    assert_ptr_equal(verifier_knows(verifier, &good), &users->user[1]);
    assert_null(verifier_knows(verifier, &bad));
    assert_null(verifier_knows(verifier, &other));
}

static void a_refusal_takes_its_time_and_changes_nothing(void **state)
{
    static const char *const rows[][2] = {{"admin", "b"}, {"admin", ""},  {"nobody", "a"},
                                          {"", ""},       {"model", "a"}, {"ADMIN", "a"}};
    const struct login_claim good = claim_of("admin", "a");
    const struct user *user = NULL;
    struct login *login[ARRAY_COUNT(rows)];
    struct timespec begin;
    struct timespec end;
    (void)state;
    uint32_t before = atomic_load(&done_count);
    uint64_t refused = verifier_refused(verifier);
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(ask(rows[i][0], rows[i][1], &login[i]), LOGIN_WAITS);
    }
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(settle(login[i], &user), LOGIN_REFUSED);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true((end.tv_sec - begin.tv_sec) * NS_PER_SECOND + end.tv_nsec - begin.tv_nsec >=
                VERIFIER_REFUSAL_DELAY_NS);
    assert_int_equal(atomic_load(&done_count) - before, ARRAY_COUNT(rows));
    assert_int_equal(verifier_refused(verifier) - refused, ARRAY_COUNT(rows));
    assert_non_null(verifier_knows(verifier, &good));
}

static void a_password_with_a_nul_or_too_long_is_nobodys(void **state)
{
    static char longer[PASSWORD_SIZE_MAX * 4];
    const struct login_claim claims[] = {
        {"admin", "a\0b", 5, 3}, {"admin", "a\0", 5, 2}, {"admin", longer, 5, sizeof(longer)}};
    (void)state;
    memset(longer, 'a', sizeof(longer));
    for (size_t i = 0; i < ARRAY_COUNT(claims); i++) {
        struct login *login = NULL;
        const struct user *user = NULL;
        assert_null(verifier_knows(verifier, &claims[i]));
        assert_int_equal(verifier_ask(verifier, &claims[i], done, &done_count, &login, &user),
                         LOGIN_WAITS);
        assert_int_equal(settle(login, &user), LOGIN_REFUSED);
    }
}

static void what_waits_is_bounded_may_be_forgotten_and_ends_with_the_verifier(void **state)
{
    static struct login *login[2 * VERIFIER_LOGINS_MAX];
    const struct user *user = NULL;
    uint32_t count = 0;
    (void)state;
    uint32_t before = atomic_load(&done_count);
    /* Far more come than are verified and told meanwhile. */
    while (count < ARRAY_COUNT(login) && ask("model", "x", &login[count]) == LOGIN_WAITS) {
        count++;
    }
    struct login *more;
    assert_in_range(count, VERIFIER_LOGINS_MAX, ARRAY_COUNT(login) - 1);
    for (uint32_t i = 0; i < count; i += 2) {
        verifier_forget(verifier, login[i]);
    }
    verifier_stop(verifier);
    assert_true(atomic_load(&done_count) - before <= count);
    assert_true(atomic_load(&done_count) - before >= count / 2);
    for (uint32_t i = 1; i < count; i += 2) {
        assert_int_equal(verifier_look(verifier, login[i], &user), LOGIN_REFUSED);
        verifier_forget(verifier, login[i]);
    }
    assert_int_equal(ask("model", "m", &more), LOGIN_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_hashes_of_good_methods_are_usable),
        cmocka_unit_test(a_password_matches_its_hash_alone),
        cmocka_unit_test(a_good_password_is_verified_once_and_then_remembered),
        cmocka_unit_test(a_refusal_takes_its_time_and_changes_nothing),
        cmocka_unit_test(a_password_with_a_nul_or_too_long_is_nobodys),
        cmocka_unit_test(what_waits_is_bounded_may_be_forgotten_and_ends_with_the_verifier),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
