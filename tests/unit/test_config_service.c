/* `services:` and what is wrong in it. */
#include "tests/unit/config_rows.h"

/* Two entities. */
#define VIEWS_V                                                                                    \
    "views:\n"                                                                                     \
    "  v: {entity: e, key: u, source: s, windows: [10m, 1h], aggregates: {c: count(), a:"          \
    " avg(x), m: max(x)}, derived: {r: c_10m / c_1h}}\n"                                           \
    "  l: {entity: p, key: w, source: s, windows: [1d], aggregates: {w: last(w), t: last"          \
    "(t)}}\n"

static const struct config_row rows[] = {
    {"a service of everything",
     "services:\n"
     "  f:\n"
     "    version: 7\n"
     "    request: {amount: {type: decimal, scale: 2, min: 0}, note: {type: string, size:"
     " 8, optional: true}}\n"
     "    features:\n"
     "      - v.c_10m\n"
     "      - v:c_1h\n"
     "      - v@1__r\n"
     "      - {feature: v.a_10m, default: 1.5, max_age: 1h}\n"
     "      - {name: best, feature: v.m_1h, default: 0.00}\n"
     "      - {feature: l.w_1d, default: none}\n"
     "      - {feature: l.t_1d, default: '2024-01-01T00:00:00Z'}\n"
     "      - {name: over, value: request.amount / v.a_1h, default: -1}\n"
     "      - {name: both, value: l.w_1d || request.note}\n" VIEWS_V STREAM_S,
     ""},
    {"which answers are recorded",
     "services:\n"
     "  f: {features: [v.c_10m], log: {sample: 0.01}}\n"
     "  g: {features: [v.c_10m], log: {sample: 0}}\n"
     "  h: {features: [v.c_10m], log: {sample: 1}}\n"
     "  i: {features: [v.c_10m], log: {sample: 0.000001}}\n" VIEWS_V STREAM_S,
     ""},
    {"what is no share",
     "services:\n"
     "  f: {features: [v.c_10m], log: {sample: 1.5}}\n"
     "  g: {features: [v.c_10m], log: {sample: -0.1}}\n"
     "  h: {features: [v.c_10m], log: {sample: 0.0000001}}\n"
     "  i: {features: [v.c_10m], log: {sample: all}}\n"
     "  j: {features: [v.c_10m], log: {}}\n"
     "  k: {features: [v.c_10m], log: 0.1}\n"
     "  l: {features: [v.c_10m], log: {share: 0.1}}\n"
     "  m: {features: [v.c_10m], log: {sample: [1]}}\n" VIEWS_V STREAM_S,
     "f:2:42: `sample` is `1.5`; a share from 0 to 1, with up to 6 digits af"
     "ter the point, is allowed, as 0.01\n"
     "f:3:42: `sample` is `-0.1`; a share from 0 to 1, with up to 6 digits a"
     "fter the point, is allowed, as 0.01\n"
     "f:4:42: `sample` is `0.0000001`; a share from 0 to 1, with up to 6 dig"
     "its after the point, is allowed, as 0.01\n"
     "f:5:42: `sample` is `all`; a share from 0 to 1, with up to 6 digits af"
     "ter the point, is allowed, as 0.01\n"
     "f:6:28: `log` has no `sample`; a share from 0 to 1, as 0.01\n"
     "f:7:33: `log` is a map of `key: value` lines\n"
     "f:8:28: `log` has no `sample`; a share from 0 to 1, as 0.01\n"
     "f:8:34: `share` is no key of `log`; allowed: sample\n"
     "f:9:42: `sample` is one value, not a list\n"},
    {"a service with nothing",
     "services:\n"
     "  f: {}\n" VIEWS_V STREAM_S,
     "f:2:3: service `f` has no `features`; a list, as [activity.txn_count_10m]\n"},
    {"a service, a word",
     "services:\n"
     "  f: x\n" VIEWS_V STREAM_S,
     "f:2:6: a service is a map of `key: value` lines\n"},
    {"a service, a list",
     "services:\n"
     "  f: [v.c_10m]\n" VIEWS_V STREAM_S,
     "f:2:6: a service is a map of `key: value` lines\n"},
    {"names and versions",
     "services:\n"
     "  F: {version: 0, features: [v.c_10m]}\n" VIEWS_V STREAM_S,
     "f:2:3: a service's name is `F`; a name has lower-case letters, digits and _, and be"
     "gins with no digit\n"
     "f:2:16: `version` is `0`; a whole number from 1 to 65535 is allowed\n"},
    {"features that are no list",
     "services:\n"
     "  f: {features: v.c_10m}\n"
     "  g: {features: []}\n" VIEWS_V STREAM_S,
     "f:2:17: `features` is a list, as [activity.txn_count_10m]\n"
     "f:3:17: `features` is a list, as [activity.txn_count_10m]\n"},
    {"references",
     "services:\n"
     "  f:\n"
     "    features:\n"
     "      - v.c_10\n"
     "      - w.c_10m\n"
     "      - count\n"
     "      - v@2.c_10m\n"
     "      - v@x.c_10m\n"
     "      - ''\n"
     "      - [v.c_10m]\n" VIEWS_V STREAM_S,
     "f:4:9: `v.c_10` is no feature of any view; did you mean `v.c_10m`?\n"
     "f:5:9: `w.c_10m` is no feature of any view; did you mean `v.c_10m`?\n"
     "f:6:9: `count` is no feature of any view; a feature is view.feature, as activity.tx"
     "n_count_10m\n"
     "f:7:9: `v@2.c_10m` is no feature of any view; did you mean `v.c_10m`?\n"
     "f:8:9: `v@x.c_10m` is no feature of any view; did you mean `v.c_10m`?\n"
     "f:9:10: `` is no feature of any view; a feature is view.feature, as activity.txn_co"
     "unt_10m\n"
     "f:10:9: a feature is one value, not a list\n"},
    {"a feature twice, a name twice",
     "services:\n"
     "  f:\n"
     "    features:\n"
     "      - v.c_10m\n"
     "      - v:c_10m\n"
     "      - {name: a, feature: v.c_1h}\n"
     "      - {name: a, feature: v.r}\n" VIEWS_V STREAM_S,
     "f:5:9: feature `v:c_10m` is there already, as `v.c_10m`; keep one\n"
     "f:7:16: `a` is a name in this service already; choose another\n"},
    {"entries that are neither",
     "services:\n"
     "  f:\n"
     "    features:\n"
     "      - {name: a}\n"
     "      - {feature: v.c_1h, value: v.c_10m}\n"
     "      - {value: v.c_10m * 2}\n"
     "      - {name: A, value: v.c_10m * 2}\n"
     "      - {name: b, valeu: v.c_10m * 2}\n" VIEWS_V STREAM_S,
     "f:4:9: an entry of `features` has a `feature`, or a `name` and a `value`\n"
     "f:5:27: `feature` and `value` exclude one another; keep one\n"
     "f:6:10: `value` has no `name`, which answers call it by\n"
     "f:7:16: `name` is `A`; a name has lower-case letters, digits and _, and begins with"
     " no digit\n"
     "f:8:19: `valeu` is no key of an entry of `features`; did you mean `value`? allowed:"
     " feature, name, value, default, max_age\n"},
    {"ages and defaults",
     "services:\n"
     "  f:\n"
     "    features:\n"
     "      - {feature: v.c_10m, max_age: 5}\n"
     "      - {name: a, value: v.c_10m * 2, max_age: 1h}\n"
     "      - {feature: v.c_1h, default: many}\n"
     "      - {feature: v.m_1h, default: 0.001}\n"
     "      - {feature: v.a_1h, default: x}\n"
     "      - {feature: l.w_1d, default: ninechars}\n"
     "      - {feature: l.t_1d, default: soon}\n"
     "      - {name: b, value: v.c_10m > 2, default: maybe}\n" VIEWS_V STREAM_S,
     "f:4:37: `max_age` is `5`; a whole number with a unit us, ms, s, m, h or d is allowe"
     "d, as 10m\n"
     "f:5:39: `max_age` is for features of views; give it to those that `value` reads\n"
     "f:6:36: `default` is `many`; a literal of type integer is allowed\n"
     "f:7:36: `default` is `0.001`; a literal of type decimal(2) is allowed\n"
     "f:8:36: `default` is `x`; a literal of type double is allowed\n"
     "f:9:36: `default` is `ninechars`; a literal of type string, at most 8 bytes, is all"
     "owed\n"
     "f:10:36: `default` is `soon`; a literal of type timestamp is allowed\n"
     "f:11:48: `default` is `maybe`; a literal of type bool is allowed\n"},
    {"values",
     "services:\n"
     "  f:\n"
     "    request: {amount: {type: decimal, scale: 2}}\n"
     "    features:\n"
     "      - {name: a, value: request.amont * 2}\n"
     "      - {name: b, value: v.c_10 * 2}\n"
     "      - {name: c, value: 1 + 1}\n"
     "      - {name: d, value: 'v.c_10m +'}\n"
     "      - {name: e, value: v.c_10m + l.w_1d}\n"
     "      - {name: g, value: amount * 2}\n" VIEWS_V STREAM_S,
     "f:5:34: `amont` is no field of the request of service `f`; did you mean `amount`?\n"
     "f:6:26: `v.c_10` is no feature of any view; did you mean `v.c_10m`?\n"
     "f:7:26: `value` reads no feature and no field of the request, so it is the same for"
     " everyone; name at least one\n"
     "f:8:36: the end stands where a value is expected; a value\n"
     "f:9:36: `l.w_1d` has a type that is not taken here (string); numbers take part in a"
     "rithmetic\n"
     "f:10:26: `amount` is a field of the request; write `request.amount`\n"},
    {"values without a feature",
     "services:\n"
     "  f:\n"
     "    request: {amount: {type: decimal, scale: 2}}\n"
     "    features: [{name: a, value: request.amount * 2}]\n" VIEWS_V STREAM_S,
     "f:4:15: the values of service `f` read no feature of a view, so there is nothing to"
     " look up; name at least one\n"},
    {"a request that is none",
     "services:\n"
     "  f: {request: amount, features: [v.c_10m]}\n"
     "  g: {request: {}, features: [v.c_10m]}\n" VIEWS_V STREAM_S,
     "f:2:16: `request` is a map of fields by name, as amount: {type: decimal, scale: 2}"
     "\n"
     "f:3:16: `request` is a map of fields by name, as amount: {type: decimal, scale: 2}"
     "\n"},
    {"rules of streams in a request",
     "services:\n"
     "  f:\n"
     "    request:\n"
     "      a: {type: u8, optional: true, required: true, on_violation: drop, min: 1}\n"
     "      b: {type: string, size: 8, min_size: 1, max_size: 2}\n"
     "    features: [{name: x, value: request.a}, v.c_10m]\n" VIEWS_V STREAM_S,
     "f:4:37: `required` is for fields of streams; `enum`, `min` and `max` are allowed here\n"
     "f:4:53: `on_violation` is for fields of streams; `enum`, `min` and `max` are allowed here\n"
     "f:5:34: `min_size` is for fields of streams; `enum`, `min` and `max` are allowed here\n"
     "f:5:47: `max_size` is for fields of streams; `enum`, `min` and `max` are allowed here\n"},
    {"a pattern of a request",
     "services:\n"
     "  f:\n"
     "    request:\n"
     "      a: {type: string, size: 8, matches: '^a'}\n"
     "    features: [{name: x, value: request.a}, v.c_10m]\n" VIEWS_V STREAM_S,
     "f:4:34: `matches` is for fields of streams; `enum`, `min` and `max` are allowed here\n"},
    {"fields of a request",
     "services:\n"
     "  f:\n"
     "    request:\n"
     "      a: {type: decimal}\n"
     "      b: {type: u64, since: 2, id: 4}\n"
     "      c: {}\n"
     "      d: {type: money}\n"
     "      e: {type: i32, min: 5, max: 1}\n"
     "      g: 5\n"
     "    features: [{name: x, value: request.a + request.c}, v.c_10m]\n" VIEWS_V STREAM_S,
     "f:4:7: decimal `a` has no `scale`; 0 to 18 digits after the point are allowed\n"
     "f:5:22: `since` is for fields of streams; a request has no older versions\n"
     "f:5:32: `id` is for fields of streams; a request has no older versions\n"
     "f:6:7: field `c` has no `type`, as {type: u64}\n"
     "f:7:17: `type` is `money`; allowed: u8, u16, u32, u64, i8, i16, i32, i64, bool, f64"
     ", decimal, string, timestamp\n"
     "f:8:27: `min` 5 is greater than `max` 1\n"
     "f:9:10: a field is a map of `key: value` lines\n"},
    {"a view that is wrong already",
     "services:\n"
     "  f: {features: [q.c_10m, {name: a, value: q.c_10m + 1}, q.nothing]}\n"
     "views:\n"
     "  q: {entity: u, source: s, windows: [10m], aggregates: {c: cont()}}\n" STREAM_S,
     "f:4:61: `cont` is no aggregate; did you mean `count`? allowed: count, sum, sumsq, min, "
     "max, first, last, avg, var_pop, var_samp, stddev_pop, stddev_samp, last_k, first_k, "
     "last_k_distinct, first_k_distinct, top_k, bottom_k, distinct, approx_distinct, "
     "quantile, histogram, top_n, decayed_sum\n"},
    {"the same service twice",
     "services:\n"
     "  f: {features: [v.c_10m]}\n"
     "  f: {features: [v.c_1h]}\n" VIEWS_V STREAM_S,
     "f:3:3: `f` is defined twice, first at f:2:3; keep one\n"},
};

int main(void)
{
    return config_rows_main("a_wrong_service_is_refused_with_what_is_allowed", rows,
                            ARRAY_COUNT(rows));
}
