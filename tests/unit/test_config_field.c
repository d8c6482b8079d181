/* Fields of a stream and what is wrong in them. */
#include "tests/unit/config_rows.h"

static const struct config_row rows[] = {
    {"no map",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: u64\n"
     "      t: {type: timestamp}\n",
     "f:6:10: a field is a map of `key: value` lines\n"},
    {"no type",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {optional: true}\n"
     "      t: {type: timestamp}\n",
     "f:6:7: field `f` has no `type`, as {type: u64}\n"},
    {"a type that is none",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: int64}\n"
     "      t: {type: timestamp}\n",
     "f:6:17: `type` is `int64`; allowed: u8, u16, u32, u64, i8, i16, i32, i64, bool, f64, "
     "decimal, string, timestamp\n"},
    {"a name that is none",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      1f: {type: u8}\n"
     "      t: {type: timestamp}\n",
     "f:6:7: a field's name is `1f`; a name has letters, digits and _, and begins with no "
     "digit\n"},
    {"a long name",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff: {type: u8}\n"
     "      t: {type: timestamp}\n",
     "f:6:7: a field's name has 64 characters; at most 63 are allowed\n"},
    {"the name stream",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      stream: {type: u8}\n"
     "      t: {type: timestamp}\n",
     "f:6:7: a field cannot be named `stream`: in JSON events that member names the stream; "
     "choose another name\n"},
    {"size where it has no meaning",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8, size: 3}\n"
     "      t: {type: timestamp}\n",
     "f:6:21: `size` is for string only; this field is u8\n"},
    {"string without size",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: string}\n"
     "      t: {type: timestamp}\n",
     "f:6:7: string `f` has no `size`; 1 to 256 bytes are allowed\n"},
    {"string too long",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: string, size: 257}\n"
     "      t: {type: timestamp}\n",
     "f:6:31: `size` is `257`; a whole number from 1 to 256 is allowed\n"},
    {"scale where it has no meaning",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8, scale: 3}\n"
     "      t: {type: timestamp}\n",
     "f:6:21: `scale` is for decimal and f64 only; this field is u8\n"},
    {"decimal without scale",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: decimal}\n"
     "      t: {type: timestamp}\n",
     "f:6:7: decimal `f` has no `scale`; 0 to 18 digits after the point are allowed\n"},
    {"scale too great",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: f64, scale: 19}\n"
     "      t: {type: timestamp}\n",
     "f:6:29: `scale` is `19`; a whole number from 0 to 18 is allowed\n"},
    {"unit where it has no meaning",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8, unit: s}\n"
     "      t: {type: timestamp}\n",
     "f:6:21: `unit` is for timestamp only; this field is u8\n"},
    {"a unit that is none",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: timestamp, unit: m}\n"
     "      t: {type: timestamp}\n",
     "f:6:34: `unit` is `m`; allowed: us, ms, s, ns\n"},
    {"format where it has no meaning",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8, format: '%Y'}\n"
     "      t: {type: timestamp}\n",
     "f:6:21: `format` is for timestamp only; this field is u8\n"},
    {"a format with unknown parts",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: timestamp, format: '%Y-%j'}\n"
     "      t: {type: timestamp}\n",
     "f:6:40: `%j` is not known; %Y %m %d %H %M %S are allowed\n"},
    {"a format that ends in %",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: timestamp, format: '%Y%'}\n"
     "      t: {type: timestamp}\n",
     "f:6:39: `%` is not known; %Y %m %d %H %M %S are allowed\n"},
    {"a format without a year",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: timestamp, format: '%H:%M'}\n"
     "      t: {type: timestamp}\n",
     "f:6:36: `format` has no %Y; a time needs at least its year\n"},
    {"a long format",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: timestamp, format: "
     "'%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y'}\n"
     "      t: {type: timestamp}\n",
     "f:6:36: `format` has 64 bytes; 1 to 63 are allowed\n"},
    {"optional",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8, optional: yes}\n"
     "      t: {type: timestamp}\n",
     "f:6:31: `optional` is `yes`; true or false is allowed\n"},
    {"optional, a list",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8, optional: []}\n"
     "      t: {type: timestamp}\n",
     "f:6:31: `optional` is one value, not a list\n"},
    {"bounds that do not fit the type",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8, min: -1, max: 256}\n"
     "      t: {type: timestamp}\n",
     "f:6:26: `min` is `-1`, which is no u8; a value that the field can hold is allowed\n"
     "f:6:35: `max` is `256`, which is no u8; a value that the field can hold is allowed\n"},
    {"bounds, words",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: i64, min: low, max: [1]}\n"
     "      t: {type: timestamp}\n",
     "f:6:27: `min` is `low`, which is no i64; a value that the field can hold is allowed\n"
     "f:6:37: a bound is one value, not a list\n"},
    {"bounds with too many digits",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: decimal, scale: 2, min: 0.001}\n"
     "      t: {type: timestamp}\n",
     "f:6:41: `min` is `0.001`, which is no decimal of this scale; a value that the field can "
     "hold is allowed\n"},
    {"bounds of a string",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: string, size: 3, min: a, max: b}\n"
     "      t: {type: timestamp}\n",
     "f:6:34: `min` is for numbers and timestamps only; this field is string\n"
     "f:6:42: `max` is for numbers and timestamps only; this field is string\n"},
    {"bounds of a bool",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: bool, min: 0}\n"
     "      t: {type: timestamp}\n",
     "f:6:23: `min` is for numbers and timestamps only; this field is bool\n"},
    {"bounds crossed",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: i8, min: 3, max: -3}\n"
     "      t: {type: timestamp}\n",
     "f:6:26: `min` 3 is greater than `max` -3\n"},
    {"unsigned bounds crossed",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u64, min: 18446744073709551615, max: 1}\n"
     "      t: {type: timestamp}\n",
     "f:6:27: `min` 18446744073709551615 is greater than `max` 1\n"},
    {"enum, a word",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8, enum: 1}\n"
     "      t: {type: timestamp}\n",
     "f:6:27: `enum` is a list of the allowed values, as [ok, declined]\n"},
    {"enum, empty",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8, enum: []}\n"
     "      t: {type: timestamp}\n",
     "f:6:27: `enum` is a list of the allowed values, as [ok, declined]\n"},
    {"enum of bool",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: bool, enum: [true]}\n"
     "      t: {type: timestamp}\n",
     "f:6:23: `enum` is not for bool\n"},
    {"enum values",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8, enum: [1, 256, 1, x, [2]]}\n"
     "      t: {type: timestamp}\n",
     "f:6:31: enum value `256` is no u8; values that the field can hold are allowed\n"
     "f:6:36: enum value `1` stands twice; keep one\n"
     "f:6:39: enum value `x` is no u8; values that the field can hold are allowed\n"
     "f:6:42: an enum value is one value, not a list\n"},
    {"enum strings",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: string, size: 2, enum: [ok, ok, long, '']}\n"
     "      t: {type: timestamp}\n",
     "f:6:45: enum value `ok` stands twice; keep one\n"
     "f:6:49: enum value `long` has 4 bytes; 1 to 2 (the field's size) are allowed\n"
     "f:6:55: enum value `` has 0 bytes; 1 to 2 (the field's size) are allowed\n"},
    {"enum outside the bounds",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: i8, min: 0, max: 5, enum: [-1, 3, 6]}\n"
     "      t: {type: timestamp}\n",
     "f:6:44: enum value `-1` lies outside `min` and `max`\n"
     "f:6:51: enum value `6` lies outside `min` and `max`\n"},
    {"since above the version",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8, optional: true, since: 2}\n"
     "      t: {type: timestamp}\n",
     "f:6:44: `since` (a version of the stream) is `2`; a whole number from 1 to 1 is allowed\n"},
    {"a later field that is required",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    version: 3\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8}\n"
     "      t: {type: timestamp}\n"
     "      g: {type: u8, since: 2}\n"
     "      h: {type: u8, optional: true}\n"
     "      i: {type: u8, optional: true, since: 1}\n",
     "f:9:28: `g` came with version 2 and is not optional; older events lack it: add `optional: "
     "true`\n"
     "f:10:7: `h` has no `since`, but stands after a field of version 2; new fields come last, "
     "with their `since`\n"
     "f:11:44: `since` 1 is below that of the field before (2); new fields come last\n"},
    {"field ids",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8, id: 2}\n"
     "      t: {type: timestamp}\n"
     "      g: {type: u8, id: 2}\n"
     "      h: {type: u8, id: 0}\n",
     "f:7:7: field id 2 is taken by `f`; ids are permanent and unique (default: the place in the "
     "list, from 1)\n"
     "f:8:25: field id 2 is taken by `f`; ids are permanent and unique (default: the place in "
     "the list, from 1)\n"
     "f:9:25: `id` is `0`; a whole number from 1 to 65535 is allowed\n"},
    {"matches",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: string, size: 4, matches: '^a'}\n"
     "      t: {type: timestamp}\n",
     ""},
    {"matches on what is no string",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8, matches: '^a'}\n"
     "      t: {type: timestamp}\n",
     "f:6:21: `matches` is for string only; this field is u8\n"},
    {"matches what engines read differently",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: string, size: 4, matches: '^a(?=b)'}\n"
     "      t: {type: timestamp}\n",
     "f:6:46: `matches`: ( ? is (?:, (?P<name>, (?i), (?s), (?i: or (?s: only\n"},
    {"matches a list",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: string, size: 4, matches: [a]}\n"
     "      t: {type: timestamp}\n",
     "f:6:43: `matches` is one value, not a list\n"},
    {"an unknown key",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8, optinal: true}\n"
     "      t: {type: timestamp}\n",
     "f:6:21: `optinal` is no key of a field; did you mean `optional`? allowed: type, size, "
     "scale, unit, format, optional, min, max, enum, min_size, max_size, required, on_violation, "
     "since, id, matches\n"},
    {"a key without value",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      f: {type: u8, optional: }\n"
     "      t: {type: timestamp}\n",
     "f:6:21: `optional` has no value: whether the value may be null\n"},
};

int main(void)
{
    return config_rows_main("a_wrong_field_is_refused_with_what_is_allowed", rows,
                            ARRAY_COUNT(rows));
}
