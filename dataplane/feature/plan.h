/* The plan: streams and views compiled to flat tables. Built once by config/, constant afterwards,
 * read by every thread.
 *
 * config/ fills what the definition says (the fields marked D); plan_finish() derives the rest:
 * accumulators, cell and row layouts, ladder levels, features and fingerprints. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/decode.h"
#include "dataplane/feature/limits.h"
#include "dataplane/feature/pattern_table.h"
#include "dataplane/feature/program.h"
#include "dataplane/feature/schema.h"

enum aggregate_kind {
#define AGGREGATE(name, argument, type, parameter, sentence) AGGREGATE_##name,
#include "dataplane/feature/aggregates.def"
#undef AGGREGATE
    AGGREGATE_COUNT_OF
};

enum window_edges { EDGES_CLOSED_OPEN, EDGES_CLOSED_CLOSED, EDGES_OPEN_CLOSED };

/* Fixed-size state in a cell. */
enum accumulator_kind {
    ACCUMULATOR_COUNT, /* 1 word; of events, or of non-null values when it has a field. */
    ACCUMULATOR_SUM,   /* 2 words, two's complement. */
    ACCUMULATOR_SUMSQ, /* 3 words, unsigned. */
    ACCUMULATOR_MIN,   /* 1 word. */
    ACCUMULATOR_MAX,   /* 1 word. */
    ACCUMULATOR_FIRST, /* 2 words of order (time, order word), then the value. */
    ACCUMULATOR_LAST,
};

#define FIELD_NONE 0xffu
#define WORD_NONE  0xffffu
#define RUN_NONE   0xffu

struct plan_accumulator {
    enum accumulator_kind kind;
    uint8_t field;    /* FIELD_NONE: events. */
    bool is_unsigned; /* u64 field. */
    bool is_string;
    uint16_t word;        /* Offset in the cell. */
    uint16_t value_words; /* FIRST, LAST: words of the value. */
    uint16_t single_word; /* Offset of the field's value in a single event; 0 for COUNT of
                              events. */
};

/* A field that accumulators of a view read, and its place in a single event. */
struct plan_input {
    uint8_t field;
    bool is_string;
    uint16_t word; /* Offset in the single. */
    uint16_t words;
};

/* State that grows with what a window has seen: see run.h. */
enum run_kind {
    RUN_RANKED,  /* The best cap events. */
    RUN_SPLIT,   /* Accumulators for each value of a field, or for each bin of it. */
    RUN_SKETCH,  /* Which values there were, about. */
    RUN_SESSION, /* Accumulators for each stretch of events without a pause. */
};

enum run_rank { RANK_NEWEST, RANK_OLDEST, RANK_GREATEST, RANK_LEAST };

struct plan_run {
    enum run_kind kind;
    enum run_rank rank;   /* RANKED */
    bool distinct;        /* RANKED: each value once, in its best place. */
    bool bins;            /* SPLIT: by bins of the field (bins.h). */
    bool is_unsigned;     /* Of the value, or the key. */
    bool is_string;       /* The same. */
    uint8_t field;        /* The same; FIELD_NONE: whole singles, or sessions. */
    uint8_t scale;        /* Of the field. */
    enum field_type type; /* Of the field. */
    uint16_t single_word; /* Where it stands in a single event. */
    uint16_t input_words; /* Of it there. */
    uint16_t value_words; /* Of it in an entry: one where its bin or hash stands for it. */
    uint16_t entry_words;
    uint16_t part_count;                         /* SPLIT */
    uint32_t cap;                                /* Entries of a group. */
    int64_t gap_us;                              /* SESSION */
    struct plan_accumulator part[RUN_PARTS_MAX]; /* SPLIT: their words are in the entry. */
};

/* A base aggregate of a view. */
struct plan_aggregate {
    char name[NAME_SIZE_MAX]; /* D */
    enum aggregate_kind kind; /* D */
    uint8_t field;            /* D; FIELD_NONE for count(). Computed ones are behind the fields. */
    uint8_t by;               /* D: 1 + the field that it is split by; 0: it is not. */
    int64_t parameter;        /* D: k, cap, share in parts per million, half-life in us; else 0. */
    uint8_t run;              /* Index of its run; RUN_NONE: it has none. */
    uint64_t print;           /* D: of the expression behind a computed field; 0: none. */
    uint8_t scale;            /* Of the field. */
    enum field_type type;     /* Of the field. */
    uint64_t accumulators;    /* Bit i: finalised from accumulator i. */
    uint16_t count_word;      /* Their cell words; WORD_NONE where unused. */
    uint16_t sum_word;
    uint16_t sumsq_word;
    uint16_t value_word;
};

enum window_kind {
    WINDOW_SLIDING,  /* [q - width, q) */
    WINDOW_TUMBLING, /* [floor(q, width), q): the aligned window that q is in, so far. */
    WINDOW_HOPPING,  /* The newest aligned window that is complete: it ends at floor(q, step). */
    WINDOW_SESSION,  /* The stretch of events that q is in: no pause of width or more. */
    WINDOW_EVENTS,   /* The newest `events` events. */
    WINDOW_LIFETIME,
};

struct plan_window {
    char name[NAME_SIZE_MAX]; /* D: suffix of features: "10m" as written; "" for lifetime. */
    enum window_kind kind;    /* D */
    int64_t width_us;         /* D; 0 for lifetime and events; of a session its pause. */
    int64_t step_us;          /* D: hopping. */
    uint32_t events;          /* D: events. */
    uint8_t level;            /* Ladder level that its tail steps by. */
    uint8_t run;              /* Session and events: index of its run. */
};

/* A value computed from features of its view when it is read. */
struct plan_derived {
    char name[NAME_SIZE_MAX]; /* D */
    uint64_t inputs;          /* D: bit i: input i of the view's derived_program. */
};

/* One value that a model can ask for. */
struct plan_feature {
    char name[FEATURE_NAME_SIZE_MAX]; /* `<aggregate>_<window>`; lifetime adds no suffix; derived
                                         ones have their own. */
    uint16_t view;
    bool is_derived;
    uint8_t aggregate; /* Index in the view; of derived ones, among those. */
    uint8_t window;    /* Index in the view. */
};

/* A further stream whose events a view takes. What the view says of fields counts in its first
 * stream; here is where they are in this one. */
struct plan_source {
    uint16_t stream;                         /* D */
    uint8_t key_field[KEY_PARTS_MAX];        /* D */
    uint8_t aggregate_field[AGGREGATES_MAX]; /* D: of each aggregate; FIELD_NONE for count(). */
    uint8_t aggregate_by[AGGREGATES_MAX];    /* D: as plan_aggregate.by. */

    /* Derived. */
    uint64_t sure_fields;            /* As the view's. */
    uint8_t input_field[INPUTS_MAX]; /* Of each input of the view. */
    uint64_t fields_used;
};

struct plan_view {
    char name[NAME_SIZE_MAX];         /* D */
    char entity[NAME_SIZE_MAX];       /* D */
    uint16_t version;                 /* D */
    uint16_t stream;                  /* D: index of its source, or of the first. */
    uint8_t other_count;              /* D: further ones. */
    uint8_t key_field[KEY_PARTS_MAX]; /* D */
    uint8_t key_count;                /* D */
    uint8_t window_count;             /* D */
    uint8_t aggregate_count;          /* D */
    uint8_t ladder_count;             /* D: widths of `ladder:`. */
    enum window_edges edges;          /* D */
    bool leading_newest;              /* D: a read without AT takes the newest event. */
    int64_t exact_us;                 /* D: 0: no single events. */
    uint32_t raw_cap;                 /* D: greatest number of single events. */
    bool filtered;                    /* D: it has a `where`. */
    uint64_t where_print;             /* D: of that expression; 0: none. */
    int64_t ttl_us;                   /* D: 0 lets plan_finish() take longest window + its hop. */
    int64_t ladder_us[LEVELS_MAX];    /* D: ascending, each divides the next. */
    struct plan_window window[WINDOWS_MAX];          /* D: timed ones ascending, lifetime
                                                        last. */
    struct plan_aggregate aggregate[AGGREGATES_MAX]; /* D */
    uint8_t derived_count;                           /* D */
    struct plan_derived derived[DERIVED_MAX];        /* D: output i of the program. */
    struct program
        derived_program; /* D: not finished. Its inputs are features of the view: aggregate
                                       * window_count + window. */

    struct plan_source other[SOURCES_MAX - 1]; /* D */

    /* Derived. */
    uint64_t fingerprint;  /* Of everything that decides the meaning of a row's bytes. */
    uint64_t fields_used;  /* Bit f: a key part or an input. */
    uint64_t input_fields; /* Bit f: an input of some accumulator. */
    uint64_t nullable;     /* Bit f: input f can be null in an event of some source. */
    uint64_t sure_fields;  /* Bit f: an input that is null in no applied event. */
    int64_t apart_us;      /* Folding waits that long at most for the slowest source. */
    bool has_lifetime;
    bool has_sessions;
    bool outlives_tiles; /* Its rows keep what no tile of theirs has any more. */
    bool
        windows_reach_now; /* Every window goes up to q: what newer values outrank is not needed. */
    uint8_t level_count;
    int64_t level_us[LEVELS_MAX];      /* Widths in use, ascending. */
    int64_t level_keep_us[LEVELS_MAX]; /* A tile of the level is needed that long: the longest
                                          window that steps by it. */
    uint16_t key_size_max;
    uint16_t accumulator_count;
    uint16_t cell_words;    /* Tag word included. */
    uint16_t cell_lines;    /* Of the open cell, and the sizes of runs behind it. */
    uint16_t touched_lines; /* From a row's first on, by most events; its key is a short one. */
    uint16_t run_count;
    uint16_t run_room_words; /* That all runs may take for one event. */
    int64_t session_late_us; /* How far behind the fold horizon an event may be. */
    uint16_t input_count;
    uint16_t single_words; /* time, order, null mask, values of inputs. */
    uint32_t cells_max;    /* Closed cells that a row can hold after folding. */
    uint32_t row_lines_max;
    uint16_t feature_first; /* Into plan.feature. */
    uint16_t feature_count;
    struct plan_accumulator accumulator[ACCUMULATORS_MAX];
    struct plan_run run[RUNS_MAX];
    struct plan_input input[INPUTS_MAX];
};

/* What an output of a stream's program is. */
struct plan_output {
    bool is_condition; /* Of a view; else a computed field. */
    uint16_t view;     /* Index in the plan. */
    uint8_t place;     /* Field; of conditions, derived: the view's place in the stream. */
};

/* What is watched of a stream's applied events, in windows that the control plane cuts. Limits are
 * in millionths; bit f of a mask: field f is watched. */
struct plan_quality {
    int64_t window_us;                           /* D */
    int64_t reference_us;                        /* D: a whole number of windows. */
    int64_t freshness_us;                        /* D: 0: not watched. */
    uint64_t null_fields;                        /* D */
    uint64_t shift_fields;                       /* D */
    uint32_t null_limit_millionths[FIELDS_MAX];  /* D: greatest share of nulls. */
    uint32_t shift_limit_millionths[FIELDS_MAX]; /* D: greatest PSI. */
};

struct plan_stream {
    struct schema schema;                           /* D: with its computed fields. */
    struct program program;                         /* D: not finished. */
    struct plan_output output[PROGRAM_OUTPUTS_MAX]; /* D */
    struct pattern_table patterns;                  /* D */
    int64_t lateness_us;                            /* D */
    int64_t future_us;                              /* D */
    int64_t history_us;                             /* D: folding trails the watermark by it. */
    enum late_policy late;                          /* D */
    struct plan_quality quality;                    /* D */
    int16_t shard_by; /* D: view index that producers steer by; -1: first view. */

    /* Derived. */
    uint8_t view_count;
    uint16_t view[VIEWS_PER_STREAM_MAX];
    bool filtered; /* Some view has a `where`. */
    uint64_t fingerprint;
    struct decode_plan decode;
    struct decode_plan decode_judged; /* Of events whose verdicts were given before. */
};

/* What stands in place of a value that is not there. */
struct plan_default {
    bool given;
    struct expression_type type;
    int64_t word; /* As programs have it; of strings unused. */
    uint16_t size;
    char text[STRING_SIZE_MAX];
};

/* `view@65535.feature` */
#define SERVICE_FEATURE_NAME_SIZE_MAX (NAME_SIZE_MAX + 8 + FEATURE_NAME_SIZE_MAX)
/* Those that are answered, and those that only values read. */
#define SERVICE_READS_MAX (SERVICE_FEATURES_MAX + PROGRAM_INPUTS_MAX)
#define SERVICE_ITEM_NONE UINT16_MAX
/* Inputs of a service's program from here on are fields of its request, below it reads. */
#define SERVICE_INPUT_REQUEST 0x8000u

/* A feature that a service reads, for its answer, its values, or both. */
struct plan_service_read {
    uint16_t view;    /* D */
    uint16_t place;   /* D: among the features of the view. */
    uint16_t item;    /* D: that answers with it; SERVICE_ITEM_NONE: none does. */
    uint16_t feature; /* Into plan.feature. */
    uint16_t entity;  /* Into the service's entities. */
};

/* One value of an answer. */
struct plan_service_item {
    char name[SERVICE_FEATURE_NAME_SIZE_MAX]; /* D */
    bool is_computed;                         /* D: an output of the program; else a read. */
    uint16_t source;                          /* D: which one. */
    uint64_t inputs;                          /* D: computed: bit i, input i of the program. */
    int64_t max_age_us;                       /* D: 0: of any age. */
    struct plan_default otherwise;            /* D */
};

/* A named list of features over one or several entities. */
struct plan_service {
    char name[NAME_SIZE_MAX]; /* D */
    uint16_t version;         /* D */
    uint16_t request_count;   /* D */
    uint16_t read_count;      /* D */
    uint16_t item_count;      /* D */
    uint32_t log_sample_ppm;  /* D: share of its answers that is recorded; in no fingerprint. */
    uint16_t entity_count;
    uint16_t entity[SERVICE_ENTITIES_MAX];            /* A view of each, in order of their reads. */
    struct program program;                           /* D: not finished. */
    struct plan_service_read read[SERVICE_READS_MAX]; /* D */
    struct plan_service_item item[SERVICE_FEATURES_MAX]; /* D */
    struct schema_field request[SERVICE_REQUEST_MAX];    /* D */
    struct enum_texts request_enums;                     /* D */
};

enum objective_kind { OBJECTIVE_FRESHNESS, OBJECTIVE_READ };

/* A share of events, or of reads, that shall be good: in time. It has no part in any fingerprint:
 * what is stored means the same with it and without. */
struct plan_objective {
    enum objective_kind kind; /* D, as all */
    bool of_service;          /* Else of a view. */
    uint16_t owner;           /* Index of that service or view. */
    int64_t limit_us;         /* At most so late is good. */
    uint32_t target_ppm;      /* 999000: 99.9 %. */
};

struct plan {
    uint64_t fingerprint;
    uint16_t stream_count;  /* D */
    uint16_t view_count;    /* D */
    uint16_t service_count; /* D */
    uint16_t feature_count;
    struct plan_stream stream[STREAMS_MAX];
    struct plan_view view[VIEWS_MAX];
    struct plan_feature feature[FEATURES_MAX];
    struct plan_service service[SERVICES_MAX]; /* service_finish() derives the rest. */
    uint16_t objective_count;                  /* D */
    struct plan_objective objective[OBJECTIVES_MAX];
    /* Derived by plan_names_finish(): indices of views. */
    uint16_t entity_count;
    uint16_t entity_view[VIEWS_MAX];  /* The first view of each entity, by the entity's name. */
    uint16_t view_by_name[VIEWS_MAX]; /* All, by name, then version. */
};

static inline uint32_t plan_source_count(const struct plan_view *view)
{
    return 1u + view->other_count;
}

/* Stream of source `index`; 0 is the first. */
static inline uint32_t plan_source_stream(const struct plan_view *view, uint32_t index)
{
    return index == 0 ? view->stream : view->other[index - 1].stream;
}

/* The source of a stream; NULL: it is the first one, whose fields are the view's. */
static inline const struct plan_source *plan_source_of(const struct plan_view *view,
                                                       uint32_t stream)
{
    if (stream == view->stream) {
        return NULL;
    }
    for (uint32_t i = 0; i < view->other_count; i++) {
        if (view->other[i].stream == stream) {
            return &view->other[i];
        }
    }
    return NULL;
}

static inline bool plan_view_reads(const struct plan_view *view, uint32_t stream)
{
    return stream == view->stream || plan_source_of(view, stream) != NULL;
}

/* Fields of the key in events of the stream. */
static inline const uint8_t *plan_key_fields(const struct plan_view *view, uint32_t stream)
{
    const struct plan_source *source = plan_source_of(view, stream);
    return source == NULL ? view->key_field : source->key_field;
}

/* Derives everything that is not marked D, in place. The definition was checked (config/): errors
 * are RESULT_NO_SPACE when a limit of limits.h is passed, and out_view names the view (or -1), and
 * RESULT_UNSUPPORTED when the expressions of out_view's stream need too much at a time. */
MUST_USE enum result plan_finish(struct plan *plan, int *out_view);

/* Sorts the names of views and entities, so that the lookups below find them: plan_finish() does it
 * first; who looks for views before that does it when all names are known. */
void plan_names_finish(struct plan *plan);

/* Index of the stream with this wire id or name, or -1. */
int plan_stream_find_id(const struct plan *plan, uint16_t id);
int plan_stream_find(const struct plan *plan, const char *name, uint32_t size);

/* Index of the view by name; version 0 means the newest. -1 when there is none. */
int plan_view_find(const struct plan *plan, const char *name, uint32_t size, uint32_t version);

/* Whether any read of the view goes by the horizon of its moment: how far its rows are folded. */
bool plan_view_asks_horizon(const struct plan_view *view);

/* False when the plan has a newer version of the view, too. */
bool plan_view_is_newest(const struct plan *plan, uint32_t view);

/* Index of the first view of an entity, or -1. */
int plan_entity_find(const struct plan *plan, const char *name, uint32_t size);

/* Resolves a reference to a feature: `view.feature`, `view:feature`, `view__feature`, each with
 * `view@2` for a version. Returns the index into plan.feature or -1. Not NUL-terminated. */
int plan_feature_find(const struct plan *plan, const char *reference, uint32_t size);

/* The known reference closest to a wrong one among features of entity (NULL: any), written as
 * `view.feature` into out (out_size bytes, NUL-terminated); "" when none is near. */
void plan_feature_suggest(const struct plan *plan, const char *entity, const char *reference,
                          uint32_t size, char *out, uint32_t out_size);

/* Ladder level that a timed window's tail steps by: an index of ladder_us. -1: none fits its
 * ends. */
int plan_window_level(const struct plan_view *view, const struct plan_window *window);

/* Age up to which a window needs events, from any q on; 0 for those that are no spans of time. */
int64_t plan_window_reach_us(const struct plan_window *window);

/* True when its state is a run: it grows with what it has seen. */
bool aggregate_has_run(const struct plan_aggregate *aggregate);

/* True when its value is a list or an object. */
bool aggregate_is_list(const struct plan_aggregate *aggregate);

/* "count", "sum", ... */
const char *aggregate_name(enum aggregate_kind kind);
/* Kind by name, or -1. */
int aggregate_find(const char *name, uint32_t size);
