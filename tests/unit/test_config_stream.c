/* `streams:` and what is wrong in it. */
#include "tests/unit/config_rows.h"

static const struct config_row rows[] = {
    {"a stream with nothing",
     "streams:\n"
     "  s: {}\n",
     "f:2:3: stream `s` has no `fields`; the fields of an event, as ts: {type: timestamp}\n"
     "f:2:3: stream `s` has no `id`; a number from 1 to 64999 that no other stream has\n"
     "f:2:3: stream `s` has no `time`; the name of the timestamp field with the event time\n"},
    {"a stream, a word",
     "streams:\n"
     "  s: x\n",
     "f:2:6: a stream is a map of `key: value` lines\n"},
    {"a bad name",
     "streams:\n"
     "  S1: {id: 1, time: t, fields: {t: {type: timestamp}}}\n",
     "f:2:3: a stream's name is `S1`; a name has lower-case letters, digits and _, and begins "
     "with no digit\n"},
    {"ids",
     "streams:\n"
     "  a: {id: 0, time: t, fields: {t: {type: timestamp}}}\n"
     "  b: {id: 65000, time: t, fields: {t: {type: timestamp}}}\n"
     "  c: {id: x, time: t, fields: {t: {type: timestamp}}}\n"
     "  d: {id: 07, time: t, fields: {t: {type: timestamp}}}\n",
     "f:2:11: `id` is `0`; a whole number from 1 to 64999 is allowed\n"
     "f:3:11: `id` is `65000`; a whole number from 1 to 64999 is allowed\n"
     "f:4:11: `id` is `x`; a whole number from 1 to 64999 is allowed\n"
     "f:5:11: `id` is `07`; a whole number from 1 to 64999 is allowed\n"},
    {"one id twice",
     "streams:\n"
     "  a: {id: 7, time: t, fields: {t: {type: timestamp}}}\n"
     "  b: {id: 7, time: t, fields: {t: {type: timestamp}}}\n",
     "f:3:11: stream id 7 is taken by `a` at f:2:11; ids are unique\n"},
    {"version", STREAM_S "    version: 0\n",
     "f:11:14: `version` is `0`; a whole number from 1 to 65535 is allowed\n"},
    {"durations",
     STREAM_S "    lateness: 1\n"
              "    future: -1s\n"
              "    history: 1.5h\n",
     "f:11:15: `lateness` is `1`; a whole number with a unit us, ms, s, m, h or d is allowed, as "
     "10m\n"
     "f:12:13: `future` is `-1s`; a whole number with a unit us, ms, s, m, h or d is allowed, as "
     "10m\n"
     "f:13:14: `history` is `1.5h`; a whole number with a unit us, ms, s, m, h or d is allowed, "
     "as 10m\n"},
    {"durations, too long",
     STREAM_S "    lateness: 36501d\n"
              "    future: 1w\n"
              "    history: [1s]\n",
     "f:11:15: `lateness` is `36501d`; 0s to 36500d is allowed\n"
     "f:12:13: `future` is `1w`; a whole number with a unit us, ms, s, m, h or d is allowed, as "
     "10m\n"
     "f:13:14: `history` is one value, not a list\n"},
    {"policies",
     STREAM_S "    late: ignore\n"
              "    on_violation: quarantene\n",
     "f:11:11: `late` is `ignore`; allowed: ledger, drop, apply\n"
     "f:12:19: `on_violation` is `quarantene`; did you mean `quarantine`? allowed: quarantine, "
     "drop, null_field, count\n"},
    {"time, no field",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: tt\n"
     "    fields:\n"
     "      ttt: {type: timestamp}\n"
     "      u: {type: u64}\n"
     "      n: {type: i32, optional: true}\n"
     "      x: {type: decimal, scale: 2}\n"
     "      w: {type: string, size: 8}\n",
     "f:4:11: `time` is `tt`, which is no field of `s`\n"},
    {"time, no timestamp",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: u\n"
     "    fields:\n"
     "      t: {type: timestamp}\n"
     "      u: {type: u64}\n"
     "      n: {type: i32, optional: true}\n"
     "      x: {type: decimal, scale: 2}\n"
     "      w: {type: string, size: 8}\n",
     "f:4:11: `time` is `u`, a u64; a timestamp is allowed\n"},
    {"time, optional",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      t: {type: timestamp, optional: true}\n"
     "      u: {type: u64}\n"
     "      n: {type: i32, optional: true}\n"
     "      x: {type: decimal, scale: 2}\n"
     "      w: {type: string, size: 8}\n",
     "f:4:11: `time` is `t`, which is optional; the event time cannot be null\n"},
    {"time, a list",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: [t]\n"
     "    fields:\n"
     "      t: {type: timestamp}\n"
     "      u: {type: u64}\n"
     "      n: {type: i32, optional: true}\n"
     "      x: {type: decimal, scale: 2}\n"
     "      w: {type: string, size: 8}\n",
     "f:4:11: `time` is one value, not a list\n"},
    {"fields, a list",
     "streams:\n"
     "  s: {id: 1, time: t, fields: [t]}\n",
     "f:2:31: `fields` is a map of the fields by name, as ts: {type: timestamp}\n"},
    {"fields, empty",
     "streams:\n"
     "  s: {id: 1, time: t, fields: {}}\n",
     "f:2:31: `fields` is a map of the fields by name, as ts: {type: timestamp}\n"},
    {"shard_by", STREAM_S "    shard_by: card\n",
     "f:11:15: `shard_by` is `card`; the entity of a view of this stream is allowed\n"},
    {"shard_by, near",
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
     "    shard_by: uu\n",
     "f:17:15: `shard_by` is `uu`; the entity of a view of this stream is allowed\n"},
    {"shard_by, a list", STREAM_S "    shard_by: [u]\n",
     "f:11:15: `shard_by` is one value, not a list\n"},
    {"unknown key", STREAM_S "    latenes: 1h\n",
     "f:11:5: `latenes` is no key of a stream; did you mean `lateness`? allowed: id, version, "
     "time, lateness, late, future, history, shard_by, on_violation, quality, "
     "fields\n"},
};

int main(void)
{
    return config_rows_main("a_wrong_stream_is_refused_with_what_is_allowed", rows,
                            ARRAY_COUNT(rows));
}
