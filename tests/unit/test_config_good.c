/* Definitions that are taken. */
#include "tests/unit/config_rows.h"

#include "config/config.h"

static const struct config_row rows[] = {
    {"the least", STREAM_S, ""},
    {"views of every kind",
     "views:\n"
     "  v:\n"
     "    windows: [10m, 1h, lifetime]\n"
     "    ttl: 60d\n"
     "    exact: 10m\n"
     "    raw_cap: 4096\n"
     "    ladder: [5s, 1m]\n"
     "    edges: \"(]\"\n"
     "    leading: newest\n"
     "    key: [u, n, w]\n"
     "    aggregates:\n"
     "      a0: count()\n"
     "      a1: count(w)\n"
     "      a2: sum(x)\n"
     "      a3: sumsq(n)\n"
     "      a4: min(t)\n"
     "      a5: max(u)\n"
     "      a6: first(w)\n"
     "      a7: last(x)\n"
     "      a8: avg(x)\n"
     "      a9: var_pop(x)\n"
     "      a10: var_samp(x)\n"
     "      a11: stddev_pop(x)\n"
     "      a12: stddev_samp(x)\n"
     "    entity: u\n"
     "    source: s\n" STREAM_S,
     ""},
    {"a run of quotes",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: string, size: 8, enum: ['Y''''''''S', \"a\", 'it''s']}\n"
     "      t: {type: timestamp}\n",
     ""},
    {"spaces in calls",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: \"  sum ( x )  \"}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     ""},
    {"fields of every type",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: f64}\n"
     "      t: {type: timestamp}\n"
     "      f0: {type: u8, min: 0, max: 255}\n"
     "      f1: {type: i64, min: -9223372036854775807}\n"
     "      f2: {type: u64, min: 1, max: 18446744073709551615, enum: [18446744073709551615]}\n"
     "      f3: {type: bool, optional: true}\n"
     "      f4: {type: string, size: 256, enum: [a, \"b c\"]}\n"
     "      f5: {type: timestamp, unit: ns, format: '%Y-%m-%d %H:%M:%S'}\n"
     "      f6: {type: decimal, scale: 18}\n"
     "      f7: {type: f64, scale: 0, min: -1.0, max: 1e3}\n",
     ""},
    {"later fields",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    version: 3\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8}\n"
     "      t: {type: timestamp}\n"
     "      g: {type: u8, optional: true, since: 2}\n"
     "      h: {type: u8, optional: true, since: 3, id: 9}\n",
     ""},
    {"an appliance with everything",
     "appliance:\n"
     "  shards: 4\n"
     "  idle: sleep\n"
     "  ingest:\n"
     "    - {driver: socket, listen: \"[::1]:4700\", stream: s}\n"
     "    - {driver: ethdev, vdev: \"net_af_packet0,iface=eth1\", address: 192.0.2.10/24, port: "
     "4700, auth: keys.yaml}\n"
     "    - {driver: ethdev, device: \"0000:3b:00.0\", address: 192.0.2.10/0, port: 1, auth: none, "
     "allow: [192.0.2.0/24, \"2001:db8::/32\", 198.51.100.7, 0.0.0.0/0]}\n"
     "    - {driver: socket, listen: \"0.0.0.0:4700\", auth: /etc/freshet/keys.yaml}\n"
     "    - {driver: socket, listen: \"127.0.0.1:4800\", auth: ./none}\n"
     "    - {driver: file, path: events.fe}\n"
     "  query: {unix: a.sock, tcp: \"0.0.0.0:6380\"}\n"
     "  state: {memory: 64MiB, lanes: 7}\n"
     "  data: {directory: var/freshet}\n" STREAM_S,
     ""},
    {"data with everything",
     "appliance:\n"
     "  data:\n"
     "    directory: /srv/freshet\n"
     "    ack: none\n"
     "    checkpoint: 100ms\n"
     "    mirror: {keep: 3650d, bytes: 4MiB, archive: a/b.c/, segment: 1MiB}\n" STREAM_S,
     ""},
    {"a mirror of just enough segments",
     "appliance:\n"
     "  shards: 50\n"
     "  data: {directory: d, checkpoint: 1h, mirror: {keep: 1m, segment: 262144KiB}}\n" STREAM_S,
     ""},
    {"a byte order mark and CRLF",
     "\xef\xbb\xbfstreams:\r\n"
     "  s:\r\n"
     "    id: 1\r\n"
     "    time: t\r\n"
     "    fields:\r\n"
     "      t: {type: timestamp}\r\n"
     "      u: {type: u64}\r\n"
     "      n: {type: i32, optional: true}\r\n"
     "      x: {type: decimal, scale: 2}\r\n"
     "      w: {type: string, size: 8}\r\n",
     ""},
    {"shard_by",
     "views:\n"
     "  v:\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n"
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      t: {type: timestamp}\n"
     "      u: {type: u64}\n"
     "      n: {type: i32, optional: true}\n"
     "      x: {type: decimal, scale: 2}\n"
     "      w: {type: string, size: 8}\n"
     "    shard_by: u\n"
     "    lateness: 0s\n"
     "    late: apply\n"
     "    future: 1us\n"
     "    history: 1ms\n"
     "    on_violation: count\n",
     ""},
};

static void a_field_with_a_condition_is_printed_as_without(void **state)
{
    (void)state;
    static const char text[] = "views:\n"
                               "  v:\n"
                               "    entity: u\n"
                               "    source: s\n"
                               "    windows: [10m]\n"
                               "    aggregates:\n"
                               "      a: last(f)\n"
                               "      b: last(f) where n = 1\n"
                               "      c: last(f + 1)\n"
                               "streams:\n"
                               "  s:\n"
                               "    id: 1\n"
                               "    time: t\n"
                               "    fields:\n"
                               "      t: {type: timestamp}\n"
                               "      u: {type: u64}\n"
                               "      n: {type: i32}\n"
                               "      f: {type: f64, scale: 3}\n";
    static const enum field_type types[] = {FIELD_TYPE_f64, FIELD_TYPE_f64, FIELD_TYPE_decimal};
    struct config *config = malloc(sizeof(*config));
    assert_non_null(config);
    assert_int_equal(config_load_text("f", text, sizeof(text) - 1, config), RESULT_OK);
    for (uint32_t i = 0; i < ARRAY_COUNT(types); i++) {
        const struct plan_aggregate *aggregate = &config->plan.view[0].aggregate[i];
        assert_int_equal(config->plan.stream[0].schema.field[aggregate->field].type, types[i]);
        assert_int_equal(config->plan.stream[0].schema.field[aggregate->field].scale, 3);
    }
    free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_with_a_condition_is_printed_as_without),
    };
    return config_rows_main("a_good_definition_is_taken", rows, ARRAY_COUNT(rows)) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
