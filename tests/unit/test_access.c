/* Who may ask before it says who it is. */
#include "tests/support/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "controlplane/access.h"
#include "controlplane/address.h"
#include "dataplane/base/units.h"

static const struct {
    const char *address;
    bool loopback;
} peers[] = {
    {"127.0.0.1:1", true},
    {"127.255.255.255:1", true},
    {"126.255.255.255:1", false},
    {"128.0.0.0:1", false},
    {"0.0.0.0:1", false},
    {"192.0.2.127:1", false},
    {"[::1]:1", true},
    {"[::]:1", false},
    {"[::2]:1", false},
    {"[::ffff:127.0.0.1]:1", true},
    {"[::ffff:127.9.9.9]:1", true},
    {"[::ffff:128.0.0.1]:1", false},
    {"[::ffff:192.0.2.127]:1", false},
    {"[::127.0.0.1]:1", false},
    {"[fe80::1]:1", false},
    {"[2001:db8::7f00:1]:1", false},
};

static void without_users_only_loopback_reads_and_nobody_operates(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(peers); i++) {
        struct sockaddr_storage address;
        socklen_t size;
        assert_int_equal(address_from_text(peers[i].address, &address, &size), RESULT_OK);
        const struct sockaddr *peer = (const struct sockaddr *)&address;
        assert_int_equal(access_is_loopback(peer), peers[i].loopback);
        assert_int_equal(access_role_of_tcp(NULL, peer),
                         peers[i].loopback ? USER_ROLE_READ : USER_ROLE_NONE);
    }
    const struct sockaddr_un other = {.sun_family = AF_UNIX};
    assert_false(access_is_loopback((const struct sockaddr *)&other));
}

static void with_users_nobody_may_anything_over_tcp_before_auth(void **state)
{
    struct cpu_layout layout;
    struct access *access = NULL;
    struct sockaddr_storage address;
    socklen_t size;
    char path[] = "/tmp/freshet-access-XXXXXX";
    char error[512];
    static const char text[] = "a: {role: operate, password: \"$6$aaaaaaaa$x\"}\n";
    (void)state;
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    (void)close(fd);
    cpu_layout_choose(1, &layout);
    assert_int_equal(access_open(path, &layout, &access, error, sizeof(error)), RESULT_OK);
    assert_true(access_has_users(access));
    assert_non_null(access_verifier(access));
    for (size_t i = 0; i < ARRAY_COUNT(peers); i++) {
        assert_int_equal(address_from_text(peers[i].address, &address, &size), RESULT_OK);
        assert_int_equal(access_role_of_tcp(access, (const struct sockaddr *)&address),
                         USER_ROLE_NONE);
    }
    access_stop(access);
    access_close(access);
    (void)unlink(path);
    assert_int_equal(access_open(path, &layout, &access, error, sizeof(error)), RESULT_NOT_FOUND);
    assert_int_equal(access_open("", &layout, &access, error, sizeof(error)), RESULT_OK);
    assert_false(access_has_users(access));
    assert_null(access_verifier(access));
    access_stop(access);
    access_close(access);
}

static void the_kernel_says_who_is_at_the_other_end(void **state)
{
    int pair[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(access_role_of_unix(pair[0]), USER_ROLE_OPERATE);
    (void)close(pair[0]);
    (void)close(pair[1]);
    assert_int_equal(access_role_of_unix(pair[0]), USER_ROLE_NONE);
    int file = open("/dev/null", O_RDONLY);
    assert_int_equal(access_role_of_unix(file), USER_ROLE_NONE);
    (void)close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_users_only_loopback_reads_and_nobody_operates),
        cmocka_unit_test(with_users_nobody_may_anything_over_tcp_before_auth),
        cmocka_unit_test(the_kernel_says_who_is_at_the_other_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
