#include "tests/support/unit.h"

#include "dataplane/base/units.h"
#include "drivers/frame.h"
#include "tests/support/frame_make.h"

static const struct made_address peer = {{2, 0, 0, 0, 0, 2}, {192, 0, 2, 1}, 40000};
static const struct made_address us = {{2, 0, 0, 0, 0, 1}, {192, 0, 2, 10}, 4700};
static const struct frame_endpoint endpoint = {
    .mac = {2, 0, 0, 0, 0, 1}, .address = 0xc000020a, .port = 4700, .port_count = 3};

static struct made_frame made;
static struct frame frame;

static void parse_as(const struct frame_endpoint *as, enum frame_checksum ip,
                     enum frame_checksum udp)
{
    /* Exactly as many bytes as there are, so that a sanitizer sees a read past them. */
    uint8_t *copy = malloc(made.size > 0 ? made.size : 1);
    assert_non_null(copy);
    memcpy(copy, made.data, made.size);
    frame_parse(as, copy, made.size, ip, udp, &frame);
    free(copy);
}

static void parse(void)
{
    parse_as(&endpoint, FRAME_CHECKSUM_UNKNOWN, FRAME_CHECKSUM_UNKNOWN);
}

static void assert_datagram(const char *text)
{
    assert_int_equal(frame.kind, FRAME_DATAGRAM);
    assert_int_equal(frame.payload_size, strlen(text));
    assert_memory_equal(made.data + frame.payload_at, text, strlen(text));
    assert_int_equal(frame.sender, 0xc0000201);
    assert_int_equal(frame.sender_port, 40000);
}

static void assert_dropped(enum drop reason)
{
    assert_int_equal(frame.kind, FRAME_DROPPED);
    assert_int_equal(frame.drop, reason);
}

static void a_datagram_is_found_behind_up_to_two_tags(void **state)
{
    (void)state;
    for (uint32_t tags = 0; tags <= 3; tags++) {
        made_udp(&made, &peer, &us, tags, "payload", 7);
        parse();
        if (tags <= 2) {
            assert_datagram("payload");
            assert_int_equal(frame.port, 4700);
        } else {
            assert_dropped(DROP_frame_not_ip);
        }
    }
}

static void padding_is_not_payload(void **state)
{
    (void)state;
    made_udp(&made, &peer, &us, 0, "x", 1);
    made.size = 60;
    parse();
    assert_datagram("x");
    /* Bytes between UDP's end and IP's are no payload either. */
    made_udp(&made, &peer, &us, 0, "payload", 7);
    made_16(made.data + made.udp_at + 4, 8 + 3);
    made_udp_checksum(&made);
    parse();
    assert_datagram("pay");
}

static void every_truncation_is_a_bad_length(void **state)
{
    (void)state;
    for (uint32_t tags = 0; tags <= 2; tags++) {
        made_udp(&made, &peer, &us, tags, "payload", 7);
        uint32_t whole = made.size;
        for (made.size = 0; made.size < whole; made.size++) {
            parse();
            assert_dropped(DROP_frame_bad_length);
        }
    }
    made_arp(&made, &peer, &us, 1);
    for (made.size = 0; made.size < 42; made.size++) {
        parse();
        assert_dropped(DROP_frame_bad_length);
    }
}

static void lengths_that_lie_are_bad_lengths(void **state)
{
    (void)state;
    struct row {
        uint32_t ip_byte; /* Offset in the IPv4 header, 20 and up in the UDP header. */
        uint32_t value;   /* 16 bits there. */
    } rows[] = {
        {2, 0},      {2, 19}, {2, 27},  {2, 36},     {2, 65535}, /* Total length. */
        {0, 0x4400},                                             /* Header of 16 bytes. */
        {0, 0x4f00}, /* Header of 60 bytes, longer than the total. */
        {24, 0},     {24, 7}, {24, 16}, {24, 65535}, /* UDP length. */
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        made_udp(&made, &peer, &us, 0, "payload", 7);
        made_16(made.data + made.ip_at + rows[i].ip_byte, rows[i].value);
        made_ip_checksum(&made);
        parse();
        assert_dropped(DROP_frame_bad_length);
    }
}

static void a_header_of_16_bytes_is_a_bad_length_whatever_stands_behind_it(void **state)
{
    (void)state;
    /* The source port would be read as a UDP length that fits. */
    struct made_address from = peer;
    from.port = 15;
    made_udp(&made, &from, &us, 0, "payload", 7);
    made.data[made.ip_at] = 0x44;
    made_ip_checksum(&made);
    parse();
    assert_dropped(DROP_frame_bad_length);
}

static void options_of_ip_are_skipped(void **state)
{
    (void)state;
    made_udp(&made, &peer, &us, 0, "payload", 7);
    memmove(made.data + made.udp_at + 8, made.data + made.udp_at, made.size - made.udp_at);
    memset(made.data + made.udp_at, 1, 8);
    made.udp_at += 8;
    made.size += 8;
    made.data[made.ip_at] = 0x47;
    made_16(made.data + made.ip_at + 2, 28 + 15);
    made_ip_checksum(&made);
    parse();
    assert_datagram("payload");
}

static void fragments_are_dropped_by_name(void **state)
{
    (void)state;
    static const uint32_t fields[] = {0x2000, 0x0001, 0x1000, 0x2001, 0x1fff, 0x6000};
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        made_udp(&made, &peer, &us, 0, "payload", 7);
        made_16(made.data + made.ip_at + 6, fields[i]);
        made_ip_checksum(&made);
        parse();
        assert_dropped(DROP_frame_fragment);
    }
}

static void what_is_not_for_us_is_not_ours(void **state)
{
    (void)state;
    struct row {
        uint16_t port;
        uint8_t last_byte;
        enum frame_kind kind;
    } rows[] = {
        {4700, 10, FRAME_DATAGRAM}, {4701, 10, FRAME_DATAGRAM}, {4702, 10, FRAME_DATAGRAM},
        {4699, 10, FRAME_DROPPED},  {4703, 10, FRAME_DROPPED},  {4700, 11, FRAME_DROPPED},
        {4700, 255, FRAME_DROPPED},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct made_address to = us;
        to.port = rows[i].port;
        to.ip[3] = rows[i].last_byte;
        made_udp(&made, &peer, &to, 0, "payload", 7);
        parse();
        assert_int_equal(frame.kind, rows[i].kind);
        assert_int_equal(frame.drop,
                         rows[i].kind == FRAME_DROPPED ? DROP_frame_not_ours : DROP_NONE);
    }
    made_udp(&made, &peer, &us, 0, "payload", 7);
    made.data[made.ip_at + 9] = 6;
    made_ip_checksum(&made);
    parse();
    assert_dropped(DROP_frame_not_ours);
}

static void other_ether_types_are_not_ip(void **state)
{
    (void)state;
    static const uint32_t types[] = {0, 46, 0x86dd, 0x88cc, 0xffff};
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        made_ethernet(&made, us.mac, peer.mac, 0, types[i]);
        made.size = 60;
        parse();
        assert_dropped(DROP_frame_not_ip);
    }
    made_udp(&made, &peer, &us, 0, "payload", 7);
    made.data[made.ip_at] = 0x65;
    parse();
    assert_dropped(DROP_frame_not_ip);
}

static void without_an_address_every_destination_is_ours_and_nothing_is_answered(void **state)
{
    (void)state;
    struct frame_endpoint any = endpoint;
    any.any_address = true;
    struct made_address to = us;
    to.ip[0] = 10;
    made_udp(&made, &peer, &to, 0, "payload", 7);
    parse_as(&any, FRAME_CHECKSUM_UNKNOWN, FRAME_CHECKSUM_UNKNOWN);
    assert_datagram("payload");
    made_arp(&made, &peer, &us, 1);
    parse_as(&any, FRAME_CHECKSUM_UNKNOWN, FRAME_CHECKSUM_UNKNOWN);
    assert_dropped(DROP_frame_not_ours);
    made_echo(&made, &peer, &us, "ping", 4);
    parse_as(&any, FRAME_CHECKSUM_UNKNOWN, FRAME_CHECKSUM_UNKNOWN);
    assert_dropped(DROP_frame_not_ours);
}

static void every_flipped_bit_of_checked_bytes_is_seen(void **state)
{
    (void)state;
    for (uint32_t size = 6; size < 9; size++) {
        made_udp(&made, &peer, &us, 0, "payloads", size);
        for (uint32_t bit = made.ip_at * 8; bit < made.size * 8; bit++) {
            made.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            parse();
            assert_int_equal(frame.kind, FRAME_DROPPED);
            if (bit / 8 >= made.udp_at + 6) {
                assert_int_equal(frame.drop, DROP_frame_bad_checksum);
            }
            made.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

enum field { FIELD_RIGHT, FIELD_WRONG, FIELD_ZERO, FIELD_PARTIAL };

static void a_checksum_is_judged_by_what_is_known_of_it(void **state)
{
    (void)state;
    struct row {
        enum frame_checksum known;
        enum field field;
        bool partial_taken;
        bool accepted;
    } rows[] = {
        {FRAME_CHECKSUM_UNKNOWN, FIELD_RIGHT, false, true},
        {FRAME_CHECKSUM_UNKNOWN, FIELD_WRONG, false, false},
        {FRAME_CHECKSUM_UNKNOWN, FIELD_ZERO, false, true},
        {FRAME_CHECKSUM_UNKNOWN, FIELD_PARTIAL, false, false},
        {FRAME_CHECKSUM_UNKNOWN, FIELD_PARTIAL, true, true},
        {FRAME_CHECKSUM_UNKNOWN, FIELD_WRONG, true, false},
        {FRAME_CHECKSUM_UNKNOWN, FIELD_RIGHT, true, true},
        {FRAME_CHECKSUM_GOOD, FIELD_WRONG, false, true},
        {FRAME_CHECKSUM_GOOD, FIELD_PARTIAL, false, true},
        {FRAME_CHECKSUM_BAD, FIELD_RIGHT, true, false},
        {FRAME_CHECKSUM_BAD, FIELD_PARTIAL, true, false},
        {FRAME_CHECKSUM_BAD, FIELD_ZERO, false, true}, /* Some NICs call zero bad. */
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        made_udp(&made, &peer, &us, 0, "payload", 7);
        uint8_t *field = made.data + made.udp_at + 6;
        switch (rows[i].field) {
        case FIELD_RIGHT:
            break;
        case FIELD_WRONG:
            field[0] ^= 0x55;
            break;
        case FIELD_ZERO:
            made_16(field, 0);
            break;
        case FIELD_PARTIAL:
            made_16(field, made_pseudo_sum(&made));
            break;
        }
        struct frame_endpoint as = endpoint;
        as.partial_checksum = rows[i].partial_taken;
        parse_as(&as, FRAME_CHECKSUM_UNKNOWN, rows[i].known);
        assert_int_equal(frame.kind, rows[i].accepted ? FRAME_DATAGRAM : FRAME_DROPPED);
        assert_true(rows[i].accepted || frame.drop == DROP_frame_bad_checksum);
    }
    made_udp(&made, &peer, &us, 0, "payload", 7);
    parse_as(&endpoint, FRAME_CHECKSUM_BAD, FRAME_CHECKSUM_GOOD);
    assert_dropped(DROP_frame_bad_checksum);
}

static void sums_equal_the_plain_way_at_every_size(void **state)
{
    (void)state;
    uint8_t data[200];
    for (uint32_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 37 + 200);
    }
    for (uint32_t size = 0; size <= sizeof(data); size++) {
        assert_int_equal(frame_sum_fold(frame_sum(data, size, 0x12345)) % 0xffff,
                         made_sum(data, size, 0x12345 % 0xffff) % 0xffff);
    }
    memset(data, 0xff, sizeof(data));
    assert_int_equal(frame_sum_fold(frame_sum(data, sizeof(data), 0)), 0xffff);
    memset(data, 0, sizeof(data));
    assert_int_equal(frame_sum_fold(frame_sum(data, sizeof(data), 0)), 0);
}

static void who_has_our_address_is_answered_with_our_mac(void **state)
{
    (void)state;
    made_arp(&made, &peer, &us, 1);
    made.size = 60;
    parse();
    assert_int_equal(frame.kind, FRAME_ARP_REQUEST);
    assert_int_equal(frame_answer(&endpoint, &frame, made.data), 42);
    struct made_frame wanted;
    made_arp(&wanted, &us, &peer, 2);
    memcpy(wanted.data, peer.mac, 6);
    memcpy(wanted.data + 14 + 18, peer.mac, 6);
    assert_memory_equal(made.data, wanted.data, 42);
}

static void other_arp_is_not_ours(void **state)
{
    (void)state;
    made_arp(&made, &peer, &us, 2);
    parse();
    assert_dropped(DROP_frame_not_ours);
    struct made_address other = us;
    other.ip[3] = 77;
    made_arp(&made, &peer, &other, 1);
    parse();
    assert_dropped(DROP_frame_not_ours);
}

static void a_ping_comes_back_as_it_was(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "p", "ping", "a longer one, of odd size"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        uint32_t size = (uint32_t)strlen(texts[i]);
        made_echo(&made, &peer, &us, texts[i], size);
        parse();
        assert_int_equal(frame.kind, FRAME_ECHO_REQUEST);
        assert_int_equal(frame_answer(&endpoint, &frame, made.data), made.size);
        assert_memory_equal(made.data, peer.mac, 6);
        assert_memory_equal(made.data + 6, us.mac, 6);
        uint8_t *ip = made.data + made.ip_at;
        assert_memory_equal(ip + 12, us.ip, 4);
        assert_memory_equal(ip + 16, peer.ip, 4);
        assert_int_equal(made_sum(ip, 20, 0), 0xffff);
        assert_int_equal(ip[20], 0);
        assert_int_equal(made_sum(ip + 20, 8 + size, 0), 0xffff);
        assert_memory_equal(ip + 28, texts[i], size);
    }
}

static void other_icmp_is_not_answered(void **state)
{
    (void)state;
    made_echo(&made, &peer, &us, "ping", 4);
    made.data[made.size - 1] ^= 1;
    parse();
    assert_dropped(DROP_frame_bad_checksum);
    made_echo(&made, &peer, &us, "ping", 4);
    made.data[made.ip_at + 20] = 0;
    parse();
    assert_dropped(DROP_frame_not_ours);
    made_echo(&made, &peer, &us, "ping", 4);
    made_16(made.data + made.ip_at + 2, 27);
    made_ip_checksum(&made);
    parse();
    assert_dropped(DROP_frame_bad_length);
}

static void an_announcement_asks_for_our_own_address(void **state)
{
    (void)state;
    uint8_t announced[FRAME_ANNOUNCE_SIZE];
    frame_write_announce(&endpoint, announced);
    made_arp(&made, &us, &us, 1);
    made.size = FRAME_ANNOUNCE_SIZE;
    assert_memory_equal(announced, made.data, FRAME_ANNOUNCE_SIZE);
}

/* What drivers/frame.c writes, beside the same frame made the plain way. */
static void assert_datagram_written(const struct net_address *to, uint32_t tags,
                                    const void *payload, uint32_t size)
{
    uint8_t written[FRAME_DATAGRAM_SIZE_MAX];
    memset(written, 0xee, sizeof(written));
    uint32_t written_size = frame_write_datagram(&endpoint, to, payload, size, written);
    struct made_address from = us;
    from.port = to->local_port;
    made_udp(&made, &from, &peer, tags, payload, size);
    assert_int_equal(written_size, made.size < 60 ? 60 : made.size);
    assert_memory_equal(written, made.data, written_size);
}

static void an_answer_goes_back_where_the_datagram_came_from(void **state)
{
    (void)state;
    uint8_t payload[NET_ANSWER_SIZE_MAX];
    for (uint32_t tags = 0; tags <= 2; tags++) {
        for (uint32_t size = 0; size <= sizeof(payload); size++) {
            struct made_address to = us;
            to.port = (uint16_t)(us.port + size % 3);
            made_udp(&made, &peer, &to, tags, "question", 8);
            parse();
            assert_int_equal(frame.kind, FRAME_DATAGRAM);
            struct net_address sender;
            frame_read_sender(&frame, made.data, &sender);
            assert_int_equal(sender.local_port, to.port);
            memset(payload, (int)size, sizeof(payload));
            assert_datagram_written(&sender, tags, payload, size);
        }
    }
}

static void a_checksum_of_zero_is_written_as_all_ones(void **state)
{
    (void)state;
    struct net_address to = {.port = peer.port, .local_port = us.port};
    memcpy(to.mac, peer.mac, sizeof(to.mac));
    to.ip[10] = to.ip[11] = 0xff;
    memcpy(to.ip + 12, peer.ip, sizeof(peer.ip));
    uint8_t written[FRAME_DATAGRAM_SIZE_MAX];
    uint32_t zeros = 0;
    for (uint32_t value = 0; value <= UINT16_MAX; value++) {
        uint8_t payload[2] = {(uint8_t)(value >> 8), (uint8_t)value};
        assert_int_equal(frame_write_datagram(&endpoint, &to, payload, 2, written), 60);
        uint32_t field = (uint32_t)written[40] << 8 | written[41];
        assert_int_not_equal(field, 0);
        zeros += field == 0xffff;
    }
    /* The sum over a header that is not all zeros is never zero: all ones stand for a zero. */
    assert_int_equal(zeros, 1);
}

static void without_an_address_on_either_side_there_is_no_way_back(void **state)
{
    (void)state;
    uint8_t written[FRAME_DATAGRAM_SIZE_MAX];
    struct net_address good = {.ip = {[10] = 0xff, [11] = 0xff, [15] = 1}, .port = 1};
    struct net_address ip6 = {.ip = {[15] = 1}, .port = 1};
    struct net_address no_port = good;
    no_port.port = 0;
    struct frame_endpoint any = endpoint;
    any.any_address = true;
    assert_int_equal(frame_write_datagram(&endpoint, &good, "x", 1, written), 60);
    assert_int_equal(frame_write_datagram(&endpoint, &ip6, "x", 1, written), 0);
    assert_int_equal(frame_write_datagram(&endpoint, &no_port, "x", 1, written), 0);
    assert_int_equal(frame_write_datagram(&any, &good, "x", 1, written), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_is_found_behind_up_to_two_tags),
        cmocka_unit_test(padding_is_not_payload),
        cmocka_unit_test(every_truncation_is_a_bad_length),
        cmocka_unit_test(lengths_that_lie_are_bad_lengths),
        cmocka_unit_test(a_header_of_16_bytes_is_a_bad_length_whatever_stands_behind_it),
        cmocka_unit_test(options_of_ip_are_skipped),
        cmocka_unit_test(fragments_are_dropped_by_name),
        cmocka_unit_test(what_is_not_for_us_is_not_ours),
        cmocka_unit_test(other_ether_types_are_not_ip),
        cmocka_unit_test(without_an_address_every_destination_is_ours_and_nothing_is_answered),
        cmocka_unit_test(every_flipped_bit_of_checked_bytes_is_seen),
        cmocka_unit_test(a_checksum_is_judged_by_what_is_known_of_it),
        cmocka_unit_test(sums_equal_the_plain_way_at_every_size),
        cmocka_unit_test(who_has_our_address_is_answered_with_our_mac),
        cmocka_unit_test(other_arp_is_not_ours),
        cmocka_unit_test(a_ping_comes_back_as_it_was),
        cmocka_unit_test(other_icmp_is_not_answered),
        cmocka_unit_test(an_answer_goes_back_where_the_datagram_came_from),
        cmocka_unit_test(a_checksum_of_zero_is_written_as_all_ones),
        cmocka_unit_test(without_an_address_on_either_side_there_is_no_way_back),
        cmocka_unit_test(an_announcement_asks_for_our_own_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
