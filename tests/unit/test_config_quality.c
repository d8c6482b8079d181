/* Policies of rules, and what is watched of a stream. */
#include "tests/unit/config_rows.h"

#define FIELD(rest)                                                                                \
    "streams:\n"                                                                                   \
    "  s:\n"                                                                                       \
    "    id: 1\n"                                                                                  \
    "    time: t\n"                                                                                \
    "    fields:\n"                                                                                \
    "      t: {type: timestamp}\n"                                                                 \
    "      f: {" rest "}\n"

static const struct config_row rows[] = {
    {"a policy for all rules of a field", FIELD("type: u8, max: 3, on_violation: null_field"), ""},
    {"a policy per rule", FIELD("type: u8, max: 3, on_violation: {max: count, required: drop}"),
     ""},
    {"every rule has one",
     FIELD("type: string, size: 8, optional: true, required: true, min_size: 1, max_size: 7, enum: "
           "[a], matches: a, on_violation: {type: drop, required: count, min_size: null_field, "
           "max_size: quarantine, enum: count, matches: drop}"),
     ""},
    {"a policy that is none", FIELD("type: u8, on_violation: ignore"),
     "f:7:35: `on_violation` is `ignore`; allowed: quarantine, drop, null_field, count\n"},
    {"a policy of a rule that is none", FIELD("type: u8, max: 3, on_violation: {max: cuont}"),
     "f:7:49: `on_violation` is `cuont`; did you mean `count`? allowed: quarantine, drop, "
     "null_field, count\n"},
    {"a rule that is none", FIELD("type: u8, max: 3, on_violation: {mix: count}"),
     "f:7:44: `mix` is no key of `on_violation`; did you mean `min`? allowed: type, required, min, "
     "max, enum, min_size, max_size, matches\n"},
    {"a rule that the field has not", FIELD("type: u8, max: 3, on_violation: {min: count}"),
     "f:7:44: `f` has no rule `min`: there is nothing to break\n"},
    {"required has nothing to break",
     FIELD("type: u8, optional: true, on_violation: {required: "
           "drop}"),
     "f:7:52: `f` has no rule `required`: there is nothing to break\n"},
    {"a list of policies", FIELD("type: u8, on_violation: [drop]"),
     "f:7:35: `on_violation` is one value, not a list\n"},
    {"a stream's policies may name any rule",
     STREAM_S "    on_violation: {matches: drop, min: count}\n", ""},
    {"sizes of what is no string", FIELD("type: u8, min_size: 1, max_size: 2"),
     "f:7:21: `min_size` is for string only; this field is u8\n"
     "f:7:34: `max_size` is for string only; this field is u8\n"},
    {"a size beyond the field's", FIELD("type: string, size: 8, max_size: 9"),
     "f:7:44: `max_size` is `9`; a whole number from 1 to 8 is allowed\n"},
    {"no least size is 0", FIELD("type: string, size: 8, min_size: 0"),
     "f:7:44: `min_size` is `0`; a whole number from 1 to 8 is allowed\n"},
    {"sizes that cross", FIELD("type: string, size: 8, min_size: 5, max_size: 4"),
     "f:7:44: `min_size` 5 is greater than `max_size` 4\n"},
    {"sizes that meet", FIELD("type: string, size: 8, min_size: 8, max_size: 8"), ""},
    {"what is not optional is required", FIELD("type: u8, required: false"),
     "f:7:31: `f` is required, because it is not optional; add `optional: true`\n"},
    {"required is true or false", FIELD("type: u8, required: 1"),
     "f:7:31: `required` is `1`; true or false is allowed\n"},
    {"quality",
     STREAM_S "    quality: {window: 2s, reference: 1m, null_rate: {n: 0.05, w: 1}, "
              "shift: {x: 0.25, n: 100}, freshness: 10s}\n",
     ""},
    {"quality of nothing", STREAM_S "    quality: {}\n",
     "f:11:14: `quality` watches nothing; name `null_rate`, `shift` or `freshness`\n"},
    {"quality, no map", STREAM_S "    quality: strict\n",
     "f:11:14: `quality` is a map of `key: value` lines\n"},
    {"quality, unknown key", STREAM_S "    quality: {null_rates: {n: 1}}\n",
     "f:11:15: `null_rates` is no key of `quality`; did you mean `null_rate`? allowed: window, "
     "reference, null_rate, shift, freshness\n"},
    {"windows", STREAM_S "    quality: {window: 500ms, freshness: 0s}\n",
     "f:11:23: `window` is `500ms`; 1s to 36500d is allowed\n"
     "f:11:41: `freshness` is `0s`; 1us to 36500d is allowed\n"},
    {"a window between seconds", STREAM_S "    quality: {window: 1500ms, freshness: 1s}\n",
     "f:11:23: `window` is `1500ms`; whole multiples of 1s are allowed\n"},
    {"a reference between windows",
     STREAM_S "    quality: {window: 20s, reference: 50s, "
              "freshness: 1s}\n",
     "f:11:39: `reference` is `50s`; whole multiples of 20s are allowed\n"},
    {"a reference below a window",
     STREAM_S "    quality: {window: 20s, reference: 10s, "
              "freshness: 1s}\n",
     "f:11:39: `reference` is `10s`; 20s to 36500d is allowed\n"},
    {"limits",
     STREAM_S "    quality: {null_rate: {n: 1.01, w: -0.1, x: 0.0000001}, shift: "
              "{n: 100.1, x: much}}\n",
     "f:11:30: limit of `null_rate` is `1.01`; a number from 0 to 1, with at most 6 digits after "
     "the point, is allowed\n"
     "f:11:39: limit of `null_rate` is `-0.1`; a number from 0 to 1, with at most 6 digits after "
     "the point, is allowed\n"
     "f:11:48: limit of `null_rate` is `0.0000001`; a number from 0 to 1, with at most 6 digits "
     "after the point, is allowed\n"
     "f:11:71: limit of `shift` is `100.1`; a number from 0 to 100, with at most 6 digits after "
     "the point, is allowed\n"
     "f:11:81: limit of `shift` is `much`; a number from 0 to 100, with at most 6 digits after "
     "the point, is allowed\n"},
    {"limits, no map", STREAM_S "    quality: {null_rate: 0.1, shift: [x]}\n",
     "f:11:26: `null_rate` is a map of the limits by field, as {amount: 0.05}\n"
     "f:11:38: `shift` is a map of the limits by field, as {amount: 0.05}\n"},
    {"a field that is none", STREAM_S "    quality: {null_rate: {y: 0.1}}\n",
     "f:11:27: `y` is no field of `s`; allowed: t, u, n, x, w\n"},
    {"a shift of what has no bins", STREAM_S "    quality: {shift: {t: 0.1, w: 0.1}}\n",
     "f:11:23: `shift` of `t`, a timestamp, is not watched; numbers, bools and strings with an "
     "`enum` are allowed\n"
     "f:11:31: `shift` of `w`, a string without `enum`, is not watched; numbers, bools and strings "
     "with an `enum` are allowed\n"},
};

int main(void)
{
    return config_rows_main("a_rule_has_a_policy_and_a_limit_its_field", rows, ARRAY_COUNT(rows));
}
