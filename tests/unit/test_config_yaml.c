/* What is no YAML, or YAML that definitions have no use for. */
#include "tests/unit/config_rows.h"

static const struct config_row rows[] = {
    {"a flow list without its end", "a: [1\n",
     "f:2:1: not YAML: flow sequence without a closing bracket\n"},
    {"a tab as indentation",
     "streams:\n"
     "  - a\n"
     "\tb: 2\n",
     "f:3:2: not YAML: invalid tab used as indentation\n"},
    {"a byte that is not UTF-8", "a: \xff\n",
     "f:1:4: byte 0xff is not UTF-8; save the file as UTF-8\n"},
    {"a cut UTF-8 sequence", "ab: \xe2\x82",
     "f:1:5: byte 0xe2 is not UTF-8; save the file as UTF-8\n"},
    {"an overlong UTF-8 sequence", "\xe0\x80\x80",
     "f:1:1: byte 0xe0 is not UTF-8; save the file as UTF-8\n"},
    {"a surrogate", "\xed\xa0\x80", "f:1:1: byte 0xed is not UTF-8; save the file as UTF-8\n"},
    {"a control character", "a: \001\n",
     "f:1:4: control character 0x01; only text, line ends and tabs are allowed\n"},
    {"a NUL behind an escape", STREAM_S "appliance: {idle: \"\\0\"}\n",
     "f:11:19: a NUL in a text; no value may hold one\n"},
    {"anchors, aliases, tags",
     "a: &x 1\n"
     "b: *x\n"
     "c: !!str 3\n"
     "d: &y [1]\n"
     "e: !t {}\n",
     "f:1:1: `a` is no key of a definition file; allowed: appliance, streams, views, services\n"
     "f:1:7: anchors (&name) are not taken; write each value where it is used\n"
     "f:2:1: `b` is no key of a definition file; allowed: appliance, streams, views, services\n"
     "f:2:4: aliases (*name) are not taken; write the value here\n"
     "f:3:1: `c` is no key of a definition file; allowed: appliance, streams, views, services\n"
     "f:3:10: tags (!name) are not taken; write the plain value\n"
     "f:4:1: `d` is no key of a definition file; allowed: appliance, streams, views, services\n"
     "f:4:7: anchors (&name) are not taken; write each value where it is used\n"
     "f:5:1: `e` is no key of a definition file; allowed: appliance, streams, views, services\n"
     "f:5:7: tags (!name) are not taken; write the plain value\n"},
    {"an alias as a key", "*x : 1\n",
     "f:1:1: aliases (*name) are not taken; write the value here\n"},
    {"a list as a key",
     "? [a]\n"
     ": 2\n",
     "f:1:3: a map or list as a key; a key is one word\n"},
    {"two documents",
     "---\n"
     "streams: {}\n"
     "---\n"
     "views: {}\n",
     "f:3:1: a second document; one file holds one: put the other into its own file\n"},
    {"nesting without end", "a: [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\n",
     "f:1:15: nested too deeply: at most 12 levels are allowed\n"},
    {"a quoted text over two lines",
     STREAM_S "appliance: {idle: 'po\n"
              "  ll'}\n",
     "f:11:20: a quoted text over several lines; write it in one\n"},
    {"no stream in a map", "streams: {}\n",
     "f:0:0: defines no stream; `streams:` with at least one is needed\n"},
    {"nothing", "", "f:0:0: defines no stream; `streams:` with at least one is needed\n"},
    {"a comment only", "# nothing\n",
     "f:0:0: defines no stream; `streams:` with at least one is needed\n"},
    {"a scalar", "hello\n", "f:1:1: a definition file is a map of `key: value` lines\n"},
    {"a list", "- streams\n", "f:1:1: a definition file is a map of `key: value` lines\n"},
    {"a top-level key twice", STREAM_S "streams: {}\n",
     "f:11:1: `streams` is defined twice, first at f:1:1; keep one\n"},
    {"a field twice",
     "streams:\n"
     "  s:\n"
     "    id: 1\n"
     "    time: t\n"
     "    fields:\n"
     "      t: {type: timestamp}\n"
     "      t: {type: u8}\n",
     "f:7:7: `t` is defined twice, first at f:6:7; keep one\n"},
    {"an unknown top-level key",
     "stream:\n"
     "  s: {}\n" STREAM_S,
     "f:1:1: `stream` is no key of a definition file; did you mean `streams`? allowed: "
     "appliance, streams, views, services\n"},
    {"an unknown key near to none", STREAM_S "monitoring: {}\n",
     "f:11:1: `monitoring` is no key of a definition file; allowed: appliance, streams, views, "
     "services\n"},
    {"a top-level list", "views: [a]\n" STREAM_S, "f:1:8: `views` is a map\n"},
    {"a top-level key without value", "views:\n" STREAM_S,
     "f:1:1: `views` has no value: base aggregates per entity, by name\n"},
    {"services, a list", "services: [fraud]\n" STREAM_S, "f:1:11: `services` is a map\n"},
    {"no stream", "appliance: {shards: 1}\n",
     "f:0:0: defines no stream; `streams:` with at least one is needed\n"},
};

int main(void)
{
    return config_rows_main("what_is_no_definition_is_refused_at_its_place", rows,
                            ARRAY_COUNT(rows));
}
