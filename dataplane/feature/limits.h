/* Every upper bound of the meaning, with the asserts that tie them together. Each is a limit that a
 * user can meet, so each has an error that names it (config/) or a drop (drops.def). */
#pragma once

#include "dataplane/base/units.h"

#define NAME_SIZE_MAX         64  /* Identifier with its NUL. */
#define FEATURE_NAME_SIZE_MAX 128 /* `<aggregate>_<window>` with its NUL. */
#define STREAMS_MAX           128
#define FIELDS_MAX            64 /* Per stream; one bit each in a null mask. */
#define STRING_SIZE_MAX       256
#define ENUM_VALUES_MAX       64    /* Per field. */
#define ENUM_TEXTS_MAX        32768 /* Bytes of all of a stream, or of the request of a service. */
#define VIEWS_MAX             1024
#define VIEWS_PER_STREAM_MAX  16 /* One bit each in a forward's view mask. */
#define SOURCES_MAX           8  /* Streams of one view. */
#define KEY_PARTS_MAX         4
#define KEY_SIZE_MAX          (KEY_PARTS_MAX * (STRING_SIZE_MAX + 2))
#define WINDOWS_MAX           16   /* Per view, lifetime included. */
#define LEVELS_MAX            6    /* Tile widths of a ladder. */
#define AGGREGATES_MAX        32   /* Per view. */
#define ACCUMULATORS_MAX      64   /* Per view. */
#define RUNS_MAX              16   /* Per view. */
#define RUN_PARTS_MAX         16   /* Accumulators of one category. */
#define RUN_ENTRIES_MAX       4096 /* Of one group. */
#define RUN_WORDS_MAX         8192 /* Of one group's entries. */
#define INPUTS_MAX            64   /* Fields that aggregates of a view read. */
#define RANKED_MAX            100  /* k of last_k and its like. */
#define SPLIT_CAP_DEFAULT     128  /* Different values per tile. */
#define DISTINCT_CAP_DEFAULT  256
#define WINDOW_EVENTS_MAX     1000
#define FEATURES_MAX          32768 /* All views together. */
#define DERIVED_MAX           32    /* Per view. */
#define SERVICES_MAX          64
#define SERVICE_FEATURES_MAX  256 /* Values of one answer. */
#define SERVICE_REQUEST_MAX   16  /* Fields of a service's `request`. */
#define SERVICE_ENTITIES_MAX  16  /* Of one service. */
#define OBJECTIVES_MAX        (2 * (VIEWS_MAX + SERVICES_MAX)) /* Two of each `slo`. */
#define EXPRESSION_SIZE_MAX   1024                             /* Characters of one expression. */
#define EXPRESSION_NODES_MAX  256                              /* Of one expression. */
#define EXPRESSION_DEPTH_MAX  48  /* Parentheses, calls and signs inside one another. */
#define PATTERNS_MAX          128 /* Per stream. */
#define SCALE_MAX             18  /* Decimal digits after the point: 10^18 < 2^63. */
#define SHARDS_MAX            64
#define STREAM_ID_MAX         64999 /* 65000 and up are ours. */

#define BURST_EVENTS_MAX 256
#define MESSAGE_SIZE_MAX 8972      /* One jumbo frame: 9000 - 20 (IPv4) - 8 (UDP). */
#define EVENT_SIZE_MAX   8192      /* One SBE block. */
#define ROW_SIZE_MAX     (1 * MIB) /* Refused by `check` when a view's worst row is above. */
#define SINGLES_MAX      4096      /* Greatest `raw_cap`. */

_Static_assert(FIELDS_MAX <= 64, "a null mask is one word");
_Static_assert(EVENT_SIZE_MAX < MESSAGE_SIZE_MAX, "one event always fits a message");
