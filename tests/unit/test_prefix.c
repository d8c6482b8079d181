#include "tests/support/unit.h"

#include <arpa/inet.h>

#include "dataplane/base/units.h"
#include "dataplane/feature/prefix.h"

static void address_of(const char *text, uint8_t out[ADDRESS_BYTES])
{
    if (strchr(text, ':') != NULL) {
        assert_int_equal(inet_pton(AF_INET6, text, out), 1);
        return;
    }
    memset(out, 0, ADDRESS_BYTES);
    out[10] = 0xff;
    out[11] = 0xff;
    assert_int_equal(inet_pton(AF_INET, text, out + 12), 1);
}

static const struct {
    const char *ip;
    uint8_t bits;
    const char *sender;
    bool has;
} rows[] = {
    {"::", 0, "203.0.113.9", true},
    {"::", 0, "2001:db8::1", true},
    {"192.0.2.0", 120, "192.0.2.0", true},
    {"192.0.2.0", 120, "192.0.2.255", true},
    {"192.0.2.0", 120, "192.0.3.0", false},
    {"192.0.2.0", 120, "192.0.1.255", false},
    {"192.0.2.0", 119, "192.0.3.255", true},
    {"192.0.2.0", 119, "192.0.4.0", false},
    {"192.0.2.128", 121, "192.0.2.127", false},
    {"192.0.2.128", 121, "192.0.2.128", true},
    {"192.0.2.7", 128, "192.0.2.7", true},
    {"192.0.2.7", 128, "192.0.2.6", false},
    {"192.0.2.7", 128, "::192.0.2.7", false},
    {"2001:db8::", 32, "2001:db8:ffff::1", true},
    {"2001:db8::", 32, "2001:db9::1", false},
    {"::1", 128, "127.0.0.1", false},
};

static void a_prefix_has_the_addresses_that_share_its_bits(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct prefix prefix = {.bits = rows[i].bits};
        uint8_t sender[ADDRESS_BYTES];
        address_of(rows[i].ip, prefix.ip);
        address_of(rows[i].sender, sender);
        if (prefix_has(&prefix, sender) != rows[i].has) {
            fail_msg("%s with %u bits, %s", rows[i].ip, rows[i].bits, rows[i].sender);
        }
    }
}

static void one_of_several_is_enough_and_none_is_not(void **state)
{
    (void)state;
    struct prefix prefixes[2] = {{.bits = 128}, {.bits = 120}};
    uint8_t sender[ADDRESS_BYTES];
    address_of("127.0.0.1", prefixes[0].ip);
    address_of("192.0.2.0", prefixes[1].ip);
    address_of("192.0.2.9", sender);
    assert_true(prefix_any_has(prefixes, 2, sender));
    assert_false(prefix_any_has(prefixes, 1, sender));
    assert_false(prefix_any_has(prefixes, 0, sender));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_has_the_addresses_that_share_its_bits),
        cmocka_unit_test(one_of_several_is_enough_and_none_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
