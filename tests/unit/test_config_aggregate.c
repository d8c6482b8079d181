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
     "f:3:21: `summ` is no aggregate; did you mean `sum`? allowed: count, sum, sumsq, min, max, "
     "first, last, avg, var_pop, var_samp, stddev_pop, stddev_samp\n"},
    {"a word of other systems",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: mean(x)}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:21: `mean` is no aggregate; did you mean `avg`? allowed: count, sum, sumsq, min, max, "
     "first, last, avg, var_pop, var_samp, stddev_pop, stddev_samp\n"},
    {"nothing near",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: frobnicate(x)}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:21: `frobnicate` is no aggregate; allowed: count, sum, sumsq, min, max, first, last, "
     "avg, var_pop, var_samp, stddev_pop, stddev_samp\n"},
    {"kinds of later versions",
     "views:\n"
     "  v:\n"
     "    aggregates:\n"
     "      a: approx_distinct(w)\n"
     "      b: quantile(x, 0.95)\n"
     "      c: last_k(x, 5)\n"
     "      d: top_k(x, 3)\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:4:10: `approx_distinct` is not built yet (about how many different values); remove it\n"
     "f:5:10: `quantile` is not built yet (a quantile, within 0.8 %); remove it\n"
     "f:6:10: `last_k` is not built yet (the newest k values); remove it\n"
     "f:7:10: `top_k` is not built yet (the greatest k values); remove it\n"},
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
     "f:4:15: `)` is missing here; count(), or kind(field) as sum(amount), is allowed\n"},
    {"an end too many",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: sum(x))}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:27: `)` is too much here; count(), or kind(field) as sum(amount), is allowed\n"},
    {"two arguments",
     "views:\n"
     "  v:\n"
     "    aggregates: {a: \"sum(x, n)\"}\n"
     "    entity: u\n"
     "    source: s\n"
     "    windows: [10m]\n" STREAM_S,
     "f:3:27: `)` is missing here; count(), or kind(field) as sum(amount), is allowed\n"},
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
     "var_pop, var_samp, stddev_pop, stddev_samp\n"},
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
     "f:3:28: `/ 2` is too much here; count(), or kind(field) as sum(amount), is allowed\n"},
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
     "f:3:25: `w` is a string; `sum` takes any other type (count, first and last take strings)\n"},
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
     "f:4:20: `)` is missing here; count(), or kind(field) as sum(amount), is allowed\n"},
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
     "f:5:14: a double cannot be aggregated exactly; say how many digits count, as CAST(a / b AS "
     "decimal(6))\n"
     "f:6:23: `w` has a type that is not taken here (string); a condition is needed, as amount > "
     "500\n"
     "f:7:24: `x > 'a'` have types that do not meet (string and decimal(2))\n"
     "f:8:16: a string that is computed cannot be aggregated; a field, with or without a `where`, "
     "is allowed\n"
     "f:9:26: the end stands where a value is expected; a value\n"
     "f:10:32: the end stands where a value is expected; a value\n"
     "f:11:17: `when n = 1` is too much here; count(), or kind(field) as sum(amount), is "
     "allowed\n"
     "f:12:14: `w` is a string; `sum` takes any other type (count, first and last take strings)\n"},
};

int main(void)
{
    return config_rows_main("a_wrong_aggregate_is_refused_at_the_word_that_is_wrong", rows,
                            ARRAY_COUNT(rows));
}
