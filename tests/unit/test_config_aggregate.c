/* Aggregates of a view, and errors that point into them. */
#include "tests/unit/config_rows.h"

static const struct config_row rows[] = {
    {"a kind that is none",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: summ(x)}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:21: `summ` is no aggregate; did you mean `sum`? allowed: count, sum, sumsq, min, "
     "max, first, last, avg, var_pop, var_samp, stddev_pop, stddev_samp, last_k, first_k, "
     "last_k_distinct, first_k_distinct, top_k, bottom_k, distinct, approx_distinct, "
     "quantile, histogram, top_n, decayed_sum\n"},
    {"a word of other systems",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: mean(x)}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:21: `mean` is no aggregate; did you mean `avg`? allowed: count, sum, sumsq, min, "
     "max, first, last, avg, var_pop, var_samp, stddev_pop, stddev_samp, last_k, first_k, "
     "last_k_distinct, first_k_distinct, top_k, bottom_k, distinct, approx_distinct, "
     "quantile, histogram, top_n, decayed_sum\n"},
    {"nothing near",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: frobnicate(x)}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:21: `frobnicate` is no aggregate; allowed: count, sum, sumsq, min, max, first, "
     "last, avg, var_pop, var_samp, stddev_pop, stddev_samp, last_k, first_k, "
     "last_k_distinct, first_k_distinct, top_k, bottom_k, distinct, approx_distinct, "
     "quantile, histogram, top_n, decayed_sum\n"},
    {"parameters of lists",
     "views:\n"
     "  v:\n"
     "    aggregates:\n"
     "      a: last_k(x)\n"
     "      b: last_k(x, 0)\n"
     "      c: top_k(x, 101)\n"
     "      j: top_k(w, 2)\n"
     "      l: last_k(x, )\n"
     "      m: top_n(w, 3 4)\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:4:10: `last_k` needs how many, 1 to 100, as last_k(amount, 5)\n"
     "f:5:20: `last_k` needs how many, 1 to 100, as last_k(amount, 5)\n"
     "f:6:19: `top_k` needs how many, 1 to 100, as top_k(amount, 5)\n"
     "f:7:16: `w` is a string; `top_k` takes any other type (count, first, last, their lists, "
     "distinct, histogram and top_n take strings)\n"
     "f:8:20: a parameter is missing or too long; as last_k(amount, 5) is allowed\n"
     "f:9:19: `top_n` needs how many, 1 to 100, as top_n(amount, 5)\n"},
    {"parameters of others",
     "views:\n"
     "  v:\n"
     "    aggregates:\n"
     "      d: quantile(x)\n"
     "      e: quantile(x, 1)\n"
     "      f: quantile(x, 0.1234567)\n"
     "      g: decayed_sum(x, 10)\n"
     "      h: distinct(w, 5000)\n"
     "      i: approx_distinct(w, 5)\n"
     "      k: histogram(w, many)\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:4:10: `quantile` needs a share above 0 and below 1 with at most six digits, as "
     "quantile(amount, 0.95)\n"
     "f:5:22: `quantile` needs a share above 0 and below 1 with at most six digits, as "
     "quantile(amount, 0.95)\n"
     "f:6:22: `quantile` needs a share above 0 and below 1 with at most six digits, as "
     "quantile(amount, 0.95)\n"
     "f:7:25: `decayed_sum` needs its half-life, 1ms to 36500d, as decayed_sum(amount, 1h)\n"
     "f:8:22: `distinct` takes its greatest number of different values, 1 to 4096 of this "
     "type, as distinct(w, 100)\n"
     "f:9:29: `approx_distinct` takes one argument; remove `, 5`\n"
     "f:10:23: `histogram` takes its greatest number of different values, 1 to 4096 of this "
     "type, as histogram(w, 100)\n"},
    {"categories",
     "views:\n"
     "  v:\n"
     "    aggregates:\n"
     "      a: sum(x) by\n"
     "      b: sum(x) by ww\n"
     "      c: last_k(x, 2) by w\n"
     "      d: quantile(x, 0.5) by w\n"
     "      e: count() by w where x\n"
     "      f: sum(x) by w by w\n"
     "      g: sum(x) by w + w\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:4:19: `by` is followed by a field, as sum(amount) by status\n"
     "f:5:20: `ww` is no field of stream `s`\n"
     "f:6:10: `last_k` cannot be split; count, sum, sumsq, min, max, first, last, avg, "
     "variance and stddev can\n"
     "f:7:10: `quantile` cannot be split; count, sum, sumsq, min, max, first, last, avg, "
     "variance and stddev can\n"
     "f:8:29: `x` has a type that is not taken here (decimal(2)); a condition is needed, as "
     "amount > 500\n"
     "f:9:22: `by w` is too much here; `by` and a field, and `where` and a condition, are "
     "allowed behind `)`\n"
     "f:10:22: `+ w` is too much here; `by` and a field, and `where` and a condition, are "
     "allowed behind `)`\n"},
    {"what windows cannot keep",
     "views:\n"
     "  v:\n"
     "    aggregates:\n"
     "      a: last_k(x, 2)\n"
     "      b: sum(x) by w\n"
     "      c: decayed_sum(x, 1h)\n"
     "      d: count()\n"
     "    entity: u\n"
     "    source: s\n"
     "    ttl: 1d\n"
     "    windows: [10m, session 5m]\n" STREAM_S,
     "f:4:10: `last_k` cannot be kept for each session; count, sum, sumsq, min, max, first, "
     "last, avg, variance and stddev are allowed in a view with a session window\n"
     "f:5:10: `by` cannot be kept for each session; count, sum, sumsq, min, max, first, last, "
     "avg, variance and stddev are allowed in a view with a session window\n"
     "f:6:10: `decayed_sum` cannot be kept for each session; count, sum, sumsq, min, max, "
     "first, last, avg, variance and stddev are allowed in a view with a session window\n"},
    {"decay without an end",
     "views:\n"
     "  v:\n"
     "    aggregates:\n"
     "      c: decayed_sum(x, 1h)\n"
     "    entity: u\n"
     "    source: s\n"
     "    ttl: 1d\n"
     "    windows: [10m, lifetime]\n" STREAM_S,
     "f:4:10: `decayed_sum` needs windows with a length: what has gone to the lifetime tile "
     "has no age; a window of 20 half-lives or more says the same\n"},
    {"lists in expressions",
     "views:\n"
     "  v:\n"
     "    aggregates:\n"
     "      a: last_k(x, 2)\n"
     "    derived: {b: a_10m + 1}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:5:18: `a_10m` is a list; expressions take single values\n"},
    {"a comma without quotes",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: last_k(x, 2)}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:29: `)` is missing here; a comma inside { } needs quotes around the call, as {a: "
     "'last_k(amount, 5)'}; count(), or kind(field) as sum(amount), is allowed\n"
     "f:3:31: an aggregate begins with its kind; count(), or kind(field) as sum(amount), is "
     "allowed\n"
     "f:3:31: an aggregate's name is `2)`; a name has lower-case letters, digits and _, and "
     "begins with no digit\n"},
    {"no value",
     "views:\n"
     "  v:\n"
     "    aggregates:\n"
     "      a:\n"
     "      b: count()\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:4:7: an aggregate begins with its kind; count(), or kind(field) as sum(amount), is "
     "allowed\n"},
    {"no bracket",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: sum}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:24: `(` is missing after `sum`; count(), or kind(field) as sum(amount), is allowed\n"},
    {"no end",
     "views:\n"
     "  v:\n"
     "    aggregates:\n"
     "      a: sum(x\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:4:15: `)` is missing here; a comma inside { } needs quotes around the call, as {a: "
     "'last_k(amount, 5)'}; count(), or kind(field) as sum(amount), is allowed\n"},
    {"an end too many",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: sum(x))}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:27: `)` is too much here; `by` and a field, and `where` and a condition, are "
     "allowed behind `)`\n"},
    {"two arguments",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: \"sum(x, n)\"}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:29: `sum` takes one argument; remove `, n`\n"},
    {"two words",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: sum(x n)}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:27: `)` is missing here; count(), or kind(field) as sum(amount), is allowed\n"},
    {"no value",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: sum(+)}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:26: `)` stands where a value is expected; a value\n"},
    {"nothing",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: ''}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:22: an aggregate begins with its kind; count(), or kind(field) as sum(amount), is "
     "allowed\n"},
    {"a number",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: 12()}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:21: `12` is no aggregate; allowed: count, sum, sumsq, min, max, first, last, avg, "
     "var_pop, var_samp, stddev_pop, stddev_samp, last_k, first_k, last_k_distinct, "
     "first_k_distinct, top_k, bottom_k, distinct, approx_distinct, quantile, histogram, "
     "top_n, decayed_sum\n"},
    {"a list",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: [sum]}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:21: an aggregate is one value, not a list\n"},
    {"a tail",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: sum(x) / 2}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:28: `/ 2` is too much here; `by` and a field, and `where` and a condition, are "
     "allowed behind `)`\n"},
    {"an argument that is needed",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: sum()}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:25: `sum` needs a field, as sum(amount)\n"},
    {"an unknown field",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: sum(xx)}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:25: `xx` is no field of stream `s`\n"},
    {"a number of a string",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: sum(w)}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:25: `w` is a string; `sum` takes any other type (count, first, last, their lists, "
     "distinct, histogram and top_n take strings)\n"},
    {"quoted, with places inside",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: \"sum( q )\"}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:27: `q` is no field of stream `s`\n"},
    {"a long name",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss(x)}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:21: an aggregate begins with its kind; count(), or kind(field) as sum(amount), is "
     "allowed\n"},
    {"later with arguments that do not end",
     "views:\n"
     "  v:\n"
     "    aggregates:\n"
     "      a: quantile(x, 5\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:4:23: `)` is missing here; a comma inside { } needs quotes around the call, as {a: "
     "'last_k(amount, 5)'}; count(), or kind(field) as sum(amount), is allowed\n"},
    {"expressions",
     "views:\n"
     "  v:\n"
     "    aggregates:\n"
     "      a: sum(x * nn)\n"
     "      b: sum(x / 2)\n"
     "      c: sum(x) WHERE w\n"
     "      d: count() where x > 'a'\n"
     "      e: first(lower(w))\n"
     "      f: sum(x) where x >\n"
     "      g: count() where n = 1 or\n"
     "      h: sum(x) when n = 1\n"
     "      i: sum(w) where n = 1\n"
     "      j: count() where n > 1 and w regexp '^a'\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:4:18: `nn` is no field of stream `s`\n"
     "f:5:14: a double cannot be aggregated exactly; say how many digits count, as CAST(a / b "
     "AS decimal(6))\n"
     "f:6:23: `w` has a type that is not taken here (string); a condition is needed, as "
     "amount > 500\n"
     "f:7:24: `x > 'a'` have types that do not meet (string and decimal(2))\n"
     "f:8:16: a string that is computed cannot be aggregated; a field, with or without a "
     "`where`, is allowed\n"
     "f:9:26: the end stands where a value is expected; a value\n"
     "f:10:32: the end stands where a value is expected; a value\n"
     "f:11:17: `when n = 1` is too much here; `by` and a field, and `where` and a condition, "
     "are allowed behind `)`\n"
     "f:12:14: `w` is a string; `sum` takes any other type (count, first, last, their lists, "
     "distinct, histogram and top_n take strings)\n"},
};

int main(void)
{
    return config_rows_main("a_wrong_aggregate_is_refused_at_the_word_that_is_wrong", rows,
                            ARRAY_COUNT(rows));
}
