/* `slo:` of views and services, and what is wrong in it. */
#include "tests/unit/config_rows.h"

#define VIEW_V(slo)                                                                                \
    "views:\n"                                                                                     \
    "  v: {entity: e, key: u, source: s, windows: [10m], aggregates: {c: count()}}\n"              \
    "  o:\n"                                                                                       \
    "    slo: " slo "\n"                                                                           \
    "    entity: e\n"                                                                              \
    "    key: u\n"                                                                                 \
    "    source: s\n"                                                                              \
    "    windows: [10m]\n"                                                                         \
    "    aggregates: {c: count()}\n" STREAM_S

#define TARGET(text)                                                                               \
    "f:4:41: `target` is `" text "`; a percentage above 0 and below 100, with up to 4 digits "     \
    "after the point, is allowed, as 99.9\n"

static const struct config_row rows[] = {
    {"both limits", VIEW_V("{freshness: 1s, read: 1ms, target: 99.9}"), ""},
    {"one of them", VIEW_V("{read: 1us, target: 99.9999}"), ""},
    {"the other, and the least", VIEW_V("{freshness: 36500d, target: 0.0001}"), ""},
    {"of a service",
     "services:\n"
     "  f:\n"
     "    features: [o.c_10m, v.c_10m]\n"
     "    slo: {freshness: 2s, read: 10ms, target: 99}\n" VIEW_V("{read: 1s, target: 99}"),
     ""},
    {"no map", VIEW_V("1s"), "f:4:10: `slo` is a map of `key: value` lines\n"},
    {"nothing", VIEW_V("{}"),
     "f:4:5: `slo` has no `target`; a percentage, as 99.9\n"
     "f:4:5: `slo` sets no limit; `freshness`, `read` or both are allowed, as freshness: 1s\n"},
    {"no target", VIEW_V("{read: 1ms}"), "f:4:5: `slo` has no `target`; a percentage, as 99.9\n"},
    {"no limit", VIEW_V("{target: 99.9}"),
     "f:4:5: `slo` sets no limit; `freshness`, `read` or both are allowed, as freshness: 1s\n"},
    {"an unknown key", VIEW_V("{reads: 1ms, target: 99.9}"),
     "f:4:5: `slo` sets no limit; `freshness`, `read` or both are allowed, as freshness: 1s\n"
     "f:4:11: `reads` is no key of `slo`; did you mean `read`? allowed: freshness, read, target\n"},
    {"limits that are none", VIEW_V("{freshness: 0s, read: 1, target: 99.9}"),
     "f:4:22: `freshness` is `0s`; 1us to 36500d is allowed\n"
     "f:4:32: `read` is `1`; a whole number with a unit us, ms, s, m, h or d is allowed, as 10m\n"},
    {"all of them", VIEW_V("{freshness: 1s,        target: 100}"), TARGET("100")},
    {"none of them", VIEW_V("{freshness: 1s,        target: 0}"), TARGET("0")},
    {"a share", VIEW_V("{freshness: 1s,        target: 99.9%}"), TARGET("99.9%")},
    {"too many digits", VIEW_V("{freshness: 1s,        target: 99.99999}"), TARGET("99.99999")},
    {"below none", VIEW_V("{freshness: 1s,        target: -1}"), TARGET("-1")},
    {"a service's",
     "services:\n"
     "  f: {features: [v.c_10m], slo: {read: fast, target: 99}}\n" VIEW_V("{read: 1s, target: 9}"),
     "f:2:40: `read` is `fast`; a whole number with a unit us, ms, s, m, h or d is allowed, as "
     "10m\n"},
};

int main(void)
{
    return config_rows_main("objectives_say_where_they_are_wrong", rows, ARRAY_COUNT(rows));
}
