/* `views:` and what is wrong in it. */
#include "tests/unit/config_rows.h"

#define STREAM_OTHER                                                                               \
    "  other:\n"                                                                                   \
    "    id: 2\n"                                                                                  \
    "    time: at\n"                                                                               \
    "    fields:\n"                                                                                \
    "      w: {type: string, size: 8, optional: true}\n"                                           \
    "      n: {type: i64}\n"                                                                       \
    "      x: {type: decimal, scale: 2, optional: true}\n"                                         \
    "      at: {type: timestamp}\n"                                                                \
    "      u: {type: u64}\n"

static const struct config_row rows[] = {
    {"a view with nothing",
     "views:\n"
     "  v: {}\n" STREAM_S,
     "f:2:3: view `v` has no `aggregates`; names with what they are, as txn_count: count()\n"
     "f:2:3: view `v` has no `entity`; what its features are about, as card\n"
     "f:2:3: view `v` has no `source`; the name of a stream, or a list of them\n"
     "f:2:3: view `v` has no `windows`; a list, as [10m, 1h, 1d]\n"},
    {"a view, a word",
     "views:\n"
     "  v: x\n" STREAM_S,
     "f:2:6: a view is a map of `key: value` lines\n"},
    {"names",
     "views:\n"
     "  v__w:\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:2:3: view `v__w` has `__` in it or ends with `_`, and `view__feature` is a way to name a "
     "feature; choose another name\n"},
    {"a name with _ at its end",
     "views:\n"
     "  v_:\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:2:3: view `v_` has `__` in it or ends with `_`, and `view__feature` is a way to name a "
     "feature; choose another name\n"},
    {"a name with a capital",
     "views:\n"
     "  myView:\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:2:5: a view's name is `myView`; a name has lower-case letters, digits and _, and begins "
     "with no digit\n"},
    {"keys of later versions",
     "views:\n"
     "  v:\n"
     "    dedupe: {id: u, window: 10m}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:5: `dedupe` is not built yet (field that makes an event count once); remove it\n"},
    {"derived of what is no feature",
     "views:\n"
     "  v:\n"
     "    derived: {a: c_1h / c_10m}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:18: `c_1h` is no feature of view `v`\n"},
    {"derived of an aggregate that is wrong already",
     "views:\n"
     "  v:\n"
     "    derived: {a: m_10m + 1}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {m: sum(frob)}\n" STREAM_S,
     "f:7:25: `frob` is no field of stream `s`\n"},
    {"derived that is the same for everyone",
     "views:\n"
     "  v:\n"
     "    derived: {a: 1 + 1}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:18: `a` reads no feature, so it is the same for everyone; name at least one\n"},
    {"derived with the name of a feature",
     "views:\n"
     "  v:\n"
     "    derived: {c_10m: c_10m + 1}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:15: `c_10m` is the name of aggregate `c` over a window; rename one\n"},
    {"derived of types that do not meet",
     "views:\n"
     "  v:\n"
     "    derived: {a: c_10m + 'x', b: c_10m or true}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:26: `'x'` has a type that is not taken here (string); numbers take part in arithmetic\n"},
    {"a where that is no condition",
     "views:\n"
     "  v:\n"
     "    where: n + 1\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:12: `n + 1` has a type that is not taken here (integer); a condition is needed, as "
     "amount > 500\n"},
    {"a where of what is no field",
     "views:\n"
     "  v:\n"
     "    where: n = 1 and frob is null\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:22: `frob` is no field of stream `s`\n"},
    {"unknown key",
     "views:\n"
     "  v:\n"
     "    agregates: {}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:5: `agregates` is no key of a view; did you mean `aggregates`? allowed: version, "
     "entity, key, source, windows, exact, raw_cap, ladder, edges, leading, aggregates, ttl, "
     "where, derived, slo\n"},
    {"version",
     "views:\n"
     "  v:\n"
     "    version: 65536\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:14: `version` is `65536`; a whole number from 1 to 65535 is allowed\n"},
    {"entity",
     "views:\n"
     "  v:\n"
     "    entity: 4x\n"
     "    key: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:13: `entity` is `4x`; a name has lower-case letters, digits and _, and begins with no "
     "digit\n"},
    {"entity that is no field",
     "views:\n"
     "  v:\n"
     "    entity: card\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:13: stream `s` has no field `card`; name the key with `key: <field>`\n"},
    {"entity, a list",
     "views:\n"
     "  v:\n"
     "    entity: [u]\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:13: `entity` is one value, not a list\n"},
    {"source",
     "views:\n"
     "  v:\n"
     "    source: x\n"
     "    entity: u\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:13: `source` is `x`, which is no stream\n"},
    {"source, a map",
     "views:\n"
     "  v:\n"
     "    source: {s: s}\n"
     "    entity: u\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:13: `source` is one value, not a map\n"},
    {"source, a list of one",
     "views:\n"
     "  v:\n"
     "    source: [s]\n"
     "    entity: u\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     ""},
    {"source, a list of none",
     "views:\n"
     "  v:\n"
     "    source: []\n"
     "    entity: u\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:13: `source` names 0 streams; 1 to 8 are allowed\n"},
    {"source, a list of nine",
     "views:\n"
     "  v:\n"
     "    source: [s, s, s, s, s, s, s, s, s]\n"
     "    entity: u\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:13: `source` names 9 streams; 1 to 8 are allowed\n"},
    {"source, one twice and one that is none",
     "views:\n"
     "  v:\n"
     "    source: [s, s, z]\n"
     "    entity: u\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:17: `source` names `s` twice; keep one\n"
     "f:3:20: `source` is `z`, which is no stream\n"},
    {"several streams, good",
     "views:\n"
     "  v:\n"
     "    source: [s, other]\n"
     "    entity: u\n"
     "    where: x > 1 OR w LIKE 'a%'\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count(), s: sum(x), d: max(x * 2) where w = 'a', l: last(w)}\n" STREAM_S
         STREAM_OTHER,
     ""},
    {"several streams, a field that one lacks",
     "views:\n"
     "  v:\n"
     "    source: [s, other]\n"
     "    entity: u\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count(), s: sum(m), l: last(n)}\n" STREAM_S
     "      m: {type: i32}\n" STREAM_OTHER,
     "f:6:37: `m` is no field of stream `other`\n"
     "f:6:49: `n` is i32 in stream `s` and i64 in `other`; what a view reads of several streams "
     "has one type, scale and size\n"},
    {"several streams, keys of two types",
     "views:\n"
     "  v:\n"
     "    source: [other, s]\n"
     "    entity: pair\n"
     "    key: [u, n]\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S STREAM_OTHER,
     "f:5:14: `n` is i64 in stream `other` and i32 in `s`; what a view reads of several streams "
     "has one type, scale and size\n"},
    {"several streams, scales, sizes and conditions that differ",
     "views:\n"
     "  v:\n"
     "    source: [s, third]\n"
     "    entity: u\n"
     "    where: w = 'a'\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count() where x > 1}\n" STREAM_S "  third:\n"
     "    id: 3\n"
     "    time: t\n"
     "    fields:\n"
     "      t: {type: timestamp}\n"
     "      u: {type: u64}\n"
     "      x: {type: decimal, scale: 3}\n"
     "      w: {type: string, size: 9}\n",
     "f:5:12: `w` is string of 8 bytes in stream `s` and string of 9 bytes in `third`; what a view "
     "reads of several streams has one type, scale and size\n"
     "f:7:35: `x` is decimal of scale 2 in stream `s` and decimal of scale 3 in `third`; what a "
     "view reads of several streams has one type, scale and size\n"},
    {"key, no field",
     "views:\n"
     "  v:\n"
     "    key: uu\n"
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
     "      uuu: {type: u64}\n"
     "      n: {type: i32, optional: true}\n"
     "      x: {type: decimal, scale: 2}\n"
     "      w: {type: string, size: 8}\n",
     "f:3:10: `uu` is no field of stream `s`\n"},
    {"key, a map",
     "views:\n"
     "  v:\n"
     "    key: {u: 1}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:10: `key` is a field or a list of fields, as [user, shop]\n"},
    {"key, empty",
     "views:\n"
     "  v:\n"
     "    key: []\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:10: `key` has 0 fields; 1 to 4 are allowed\n"},
    {"key, five",
     "views:\n"
     "  v:\n"
     "    key: [u, n, w, x, t]\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:10: `key` has 5 fields; 1 to 4 are allowed\n"},
    {"key, twice",
     "views:\n"
     "  v:\n"
     "    key: [u, u]\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:14: key field `u` stands twice; keep one\n"},
    {"key of types that are no identity",
     "views:\n"
     "  v:\n"
     "    key: [x, t]\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:11: key field `x` is decimal; integer, bool and string are allowed\n"
     "f:3:14: key field `t` is timestamp; integer, bool and string are allowed\n"},
    {"key, nested",
     "views:\n"
     "  v:\n"
     "    key: [u, [n]]\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:14: a key field is one value, not a list\n"},
    {"windows, a word",
     "views:\n"
     "  v:\n"
     "    windows: 10m\n"
     "    entity: u\n"
     "    source: s\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:14: `windows` is a list, as [10m, 1h, 1d]\n"},
    {"windows, empty",
     "views:\n"
     "  v:\n"
     "    windows: []\n"
     "    entity: u\n"
     "    source: s\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:14: `windows` is a list, as [10m, 1h, 1d]\n"},
    {"windows, seventeen",
     "views:\n"
     "  v:\n"
     "    windows: [1m, 2m, 3m, 4m, 5m, 6m, 7m, 8m, 9m, 10m, 11m, 12m, 13m, 14m, 15m, 16m, 17m]\n"
     "    entity: u\n"
     "    source: s\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:14: 17 windows; at most 16 are allowed\n"},
    {"windows that are cut or not built",
     "views:\n"
     "  v:\n"
     "    windows: [tumbling, hopping, hopping 1h, calendar, events(5), session(30m), session 1us, "
     "1h]\n"
     "    entity: u\n"
     "    source: s\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:15: a window is `tumbling`; 10m, `tumbling 1h`, `hopping 1h by 15m`, `session 30m`, "
     "`20 events` and lifetime are allowed\n"
     "f:3:25: a window is `hopping`; 10m, `tumbling 1h`, `hopping 1h by 15m`, `session 30m`, "
     "`20 events` and lifetime are allowed\n"
     "f:3:34: a window is `hopping 1h`; 10m, `tumbling 1h`, `hopping 1h by 15m`, `session "
     "30m`, `20 events` and lifetime are allowed\n"
     "f:3:46: `calendar` windows are not built yet (days, weeks and months of a time zone); "
     "10m, `tumbling 1h`, `hopping 1h by 15m`, `session 30m`, `20 events` and lifetime are "
     "allowed\n"
     "f:3:56: a window is `events(5)`; 10m, `tumbling 1h`, `hopping 1h by 15m`, `session "
     "30m`, `20 events` and lifetime are allowed\n"
     "f:3:67: a window is `session(30m)`; 10m, `tumbling 1h`, `hopping 1h by 15m`, `session "
     "30m`, `20 events` and lifetime are allowed\n"
     "f:3:81: a window is `session 1us`; 10m, `tumbling 1h`, `hopping 1h by 15m`, `session "
     "30m`, `20 events` and lifetime are allowed\n"},
    {"windows that no ladder cuts",
     "views:\n"
     "  v:\n"
     "    windows: [hopping 1h by 2h, hopping 1h by 7s, tumbling 1s, tumbling 17s, 1h]\n"
     "    entity: u\n"
     "    source: s\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:15: window `hopping 1h by 2h` steps by more than its length, so that events between "
     "would count nowhere; a step up to the length is allowed\n"
     "f:3:33: window `hopping 1h by 7s` does not begin and end with tiles; multiples of the "
     "finest, 5s, are allowed, or another `ladder`\n"
     "f:3:51: window `tumbling 1s` is shorter than the finest tile, 5s; make the window "
     "longer or begin `ladder` with a smaller one\n"
     "f:3:64: window `tumbling 17s` does not begin and end with tiles; multiples of the "
     "finest, 5s, are allowed, or another `ladder`\n"},
    {"windows of events",
     "views:\n"
     "  v:\n"
     "    windows: [0 events, 1001 events, 20 events, 20 events, 1h]\n"
     "    entity: u\n"
     "    source: s\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:15: a window is `0 events`; 10m, `tumbling 1h`, `hopping 1h by 15m`, `session 30m`, "
     "`20 events` and lifetime are allowed\n"
     "f:3:25: `1001 events`: 1 to 1000 events are allowed\n"
     "f:3:49: window `20 events` is there already as 20_events; keep one\n"},
    {"windows that need a ttl",
     "views:\n"
     "  v:\n"
     "    windows: [20 events, session 5m]\n"
     "    entity: u\n"
     "    source: s\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:14: `20_events` needs a `ttl`: say when an entity without events is forgotten, as "
     "ttl: 400d\n"},
    {"sessions that a late event could still join",
     "views:\n"
     "  v:\n"
     "    windows: [session 5m]\n"
     "    entity: u\n"
     "    source: s\n"
     "    ttl: 1h\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:6:10: `ttl` is `1h`, shorter than the pause of `session_5m` and the stream's "
     "`lateness`; 65m or more is allowed\n"},
    {"windows that are none",
     "views:\n"
     "  v:\n"
     "    windows: [10, 0m, 1.5h, forever, 500us, 1500us, [1h]]\n"
     "    entity: u\n"
     "    source: s\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:15: a window is `10`; a whole number with a unit us, ms, s, m, h or d is allowed, "
     "as 10m\n"
     "f:3:19: a window is `0m`; 1ms to 36500d is allowed\n"
     "f:3:23: a window is `1.5h`; a whole number with a unit us, ms, s, m, h or d is allowed, "
     "as 10m\n"
     "f:3:29: a window is `forever`; 10m, `tumbling 1h`, `hopping 1h by 15m`, `session 30m`, "
     "`20 events` and lifetime are allowed\n"
     "f:3:38: a window is `500us`; 1ms to 36500d is allowed\n"
     "f:3:45: a window is `1500us`; whole multiples of 1ms are allowed\n"
     "f:3:53: a window is one value, not a list\n"},
    {"windows twice",
     "views:\n"
     "  v:\n"
     "    windows: [60s, 1m, lifetime, lifetime]\n"
     "    ttl: 1d\n"
     "    entity: u\n"
     "    source: s\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:20: window `1m` is there already as 60s; keep one\n"
     "f:3:34: window `lifetime` is there already; keep one\n"},
    {"a window below the finest tile",
     "views:\n"
     "  v:\n"
     "    windows: [4s]\n"
     "    entity: u\n"
     "    source: s\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:15: window `4s` is shorter than the finest tile, 5s; make the window longer or begin "
     "`ladder` with a smaller one\n"},
    {"lifetime without ttl",
     "views:\n"
     "  v:\n"
     "    windows: [1h, lifetime]\n"
     "    entity: u\n"
     "    source: s\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:14: `lifetime` needs a `ttl`: say when an entity without events is forgotten, as ttl: "
     "400d\n"},
    {"ladder",
     "views:\n"
     "  v:\n"
     "    ladder: 5s\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:13: `ladder` is a list of 1 to 6 tile widths, as [5s, 1m, 5m]\n"},
    {"ladder, empty",
     "views:\n"
     "  v:\n"
     "    ladder: []\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:13: `ladder` is a list of 1 to 6 tile widths, as [5s, 1m, 5m]\n"},
    {"ladder, seven",
     "views:\n"
     "  v:\n"
     "    ladder: [1s, 2s, 4s, 8s, 16s, 32s, 64s]\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:13: `ladder` is a list of 1 to 6 tile widths, as [5s, 1m, 5m]\n"},
    {"ladder that does not divide",
     "views:\n"
     "  v:\n"
     "    ladder: [5s, 12s]\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:18: tile width `12s` is no multiple of the one before (5s); widths ascend and each "
     "divides the next\n"},
    {"ladder that descends",
     "views:\n"
     "  v:\n"
     "    ladder: [1m, 5s]\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:18: tile width `5s` is no multiple of the one before (1m); widths ascend and each "
     "divides the next\n"},
    {"ladder, values",
     "views:\n"
     "  v:\n"
     "    ladder: [x, 1500us]\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:14: a tile width is `x`; a whole number with a unit us, ms, s, m, h or d is allowed, "
     "as 10m\n"
     "f:3:17: a tile width is `1500us`; whole multiples of 1ms are allowed\n"},
    {"exact",
     "views:\n"
     "  v:\n"
     "    exact: x\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:12: `exact` is `x`; a whole number with a unit us, ms, s, m, h or d is allowed, as "
     "10m\n"},
    {"exact beyond the longest window",
     "views:\n"
     "  v:\n"
     "    exact: 11m\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:12: `exact` is `11m`; at most 10m, the longest window, is allowed\n"},
    {"exact with lifetime only",
     "views:\n"
     "  v:\n"
     "    exact: 1m\n"
     "    windows: [lifetime]\n"
     "    ttl: 1d\n"
     "    entity: u\n"
     "    source: s\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:12: `exact` without a window that has a length; add one, or remove it\n"},
    {"raw_cap",
     "views:\n"
     "  v:\n"
     "    exact: 1m\n"
     "    raw_cap: 4097\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:4:14: `raw_cap` is `4097`; a whole number from 1 to 4096 is allowed\n"},
    {"raw_cap without exact",
     "views:\n"
     "  v:\n"
     "    raw_cap: 10\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:5: `raw_cap` bounds the single events that `exact` keeps; add `exact` or remove it\n"},
    {"edges",
     "views:\n"
     "  v:\n"
     "    edges: \"()\"\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:12: `edges` is `()`; allowed: [), [], (]\n"},
    {"leading",
     "views:\n"
     "  v:\n"
     "    leading: oldest\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:14: `leading` is `oldest`; allowed: newest\n"},
    {"ttl",
     "views:\n"
     "  v:\n"
     "    ttl: x\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:10: `ttl` is `x`; a whole number with a unit us, ms, s, m, h or d is allowed, as 10m\n"},
    {"ttl below the longest window and its step",
     "views:\n"
     "  v:\n"
     "    ttl: 10m\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:10: `ttl` is `10m`, shorter than the longest window, 10m, and its step; 605s or more "
     "is allowed\n"},
    {"ttl one ms short",
     "views:\n"
     "  v:\n"
     "    ttl: 604999ms\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n"
     "    aggregates: {c: count()}\n" STREAM_S,
     "f:3:10: `ttl` is `604999ms`, shorter than the longest window, 10m, and its step; 605s or "
     "more is allowed\n"},
    {"aggregates, a list",
     "views:\n"
     "  v:\n"
     "    aggregates: [count()]\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:17: `aggregates` is a map of names, as txn_count: count()\n"},
    {"aggregates, empty",
     "views:\n"
     "  v:\n"
     "    aggregates: {}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:17: `aggregates` is a map of names, as txn_count: count()\n"},
    {"aggregate names",
     "views:\n"
     "  v:\n"
     "    aggregates: {A: count()}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:18: an aggregate's name is `A`; a name has lower-case letters, digits and _, and "
     "begins with no digit\n"},
    {"a feature that two aggregates make",
     "views:\n"
     "  v:\n"
     "    windows: [10m, lifetime]\n"
     "    ttl: 1d\n"
     "    aggregates: {a: count(), a_10m: count()}\n"
     "    entity: u\n"
     "    source: s\n" STREAM_S,
     "f:5:18: feature `a_10m` would be both `a` over 10m and `a_10m` over lifetime; rename one\n"},
    {"one entity, two key types",
     "views:\n"
     "  v: {entity: e, key: u, source: s, windows: [10m], aggregates: {c: count()}}\n"
     "  w: {entity: e, key: w, source: s, windows: [10m], aggregates: {c: count()}}\n" STREAM_S,
     "f:3:23: entity `e` has a key of type string here and unsigned integer at f:2:23; one "
     "entity has one key type\n"},
    {"one entity, two numbers of keys",
     "views:\n"
     "  v: {entity: e, key: u, source: s, windows: [10m], aggregates: {c: count()}}\n"
     "  w: {entity: e, key: [u, w], source: s, windows: [10m], aggregates: {c: "
     "count()}}\n" STREAM_S,
     "f:3:23: entity `e` has 2 key fields here and 1 at f:2:23; one entity has one key type\n"},
    {"one entity, signed and unsigned",
     "views:\n"
     "  v: {entity: e, key: u, source: s, windows: [10m], aggregates: {c: count()}}\n"
     "  w: {entity: e, key: n, source: s, windows: [10m], aggregates: {c: count()}}\n" STREAM_S,
     "f:3:23: entity `e` has a key of type signed integer here and unsigned integer at f:2:23; "
     "one entity has one key type\n"},
};

int main(void)
{
    return config_rows_main("a_wrong_view_is_refused_with_what_is_allowed", rows,
                            ARRAY_COUNT(rows));
}
