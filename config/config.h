/* Definition files to options and plan, with every error as file:line:column.
 *
 * Files merge by top-level key; a folder means its *.yaml files in name order. A name defined twice
 * is an error that shows both places; a key that this version does not know, or knows and cannot do
 * yet, is an error that says which. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/prefix.h"

#define CONFIG_PATH_SIZE_MAX    256
#define CONFIG_INGEST_MAX       8
#define CONFIG_ALLOW_MAX        16
#define CONFIG_USER_SIZE_MAX    33 /* As the system's own limit. */
#define CONFIG_ARCHIVE_SIZE_MAX 64 /* With the name of a segment it fits DISK_NAME_SIZE_MAX. */
#define CONFIG_ERRORS_MAX       256
/* Below it a shard has no room for rows of all sizes. */
#define CONFIG_SHARD_MEMORY_MIN (16 * MIB)

enum config_driver { CONFIG_DRIVER_SOCKET, CONFIG_DRIVER_ETHDEV, CONFIG_DRIVER_FILE };
enum config_ack { CONFIG_ACK_NONE, CONFIG_ACK_DURABLE };
enum config_idle { CONFIG_IDLE_POLL, CONFIG_IDLE_SLEEP };

struct config_ingest {
    enum config_driver driver;
    char listen[CONFIG_PATH_SIZE_MAX];  /* socket */
    char device[CONFIG_PATH_SIZE_MAX];  /* ethdev: PCI address */
    char vdev[CONFIG_PATH_SIZE_MAX];    /* ethdev */
    char address[CONFIG_PATH_SIZE_MAX]; /* ethdev: "192.0.2.10/24" */
    uint16_t port;                      /* ethdev */
    char path[CONFIG_PATH_SIZE_MAX];    /* file */
    int stream;                         /* `stream:` for NDJSON without one; index or -1 */
    /* Key file of the producers that may send, beside its definition file when it is relative. "":
     * none. Then text is taken too, from everyone that reaches the listener... */
    char auth_path[CONFIG_PATH_SIZE_MAX];
    /* ... or, when `auth: none` is written, only from these prefixes: whoever starts says so. */
    bool auth_none;
    uint32_t allow_count;
    struct prefix allow[CONFIG_ALLOW_MAX];
};

struct config_options {
    uint32_t shards; /* 0: auto */
    enum config_idle idle;
    uint32_t ingest_count;
    struct config_ingest ingest[CONFIG_INGEST_MAX];
    char query_unix[CONFIG_PATH_SIZE_MAX];  /* "" : off */
    char query_tcp[CONFIG_PATH_SIZE_MAX];   /* "127.0.0.1:6380", "" : off */
    char query_http[CONFIG_PATH_SIZE_MAX];  /* "127.0.0.1:6566", "" : off */
    char query_users[CONFIG_PATH_SIZE_MAX]; /* File of users; "" : none. */
    uint32_t query_unix_mode;               /* 0660 */
    char user[CONFIG_USER_SIZE_MAX];        /* To become when root started us; "" : by default. */
    uint64_t state_memory_bytes;
    uint32_t lanes_max;                        /* Producer lanes per shard. */
    char data_directory[CONFIG_PATH_SIZE_MAX]; /* "" : all state lives in memory. */
    /* Without a data_directory ack is NONE, and the others hold defaults that nobody asks for. */
    enum config_ack ack;
    int64_t checkpoint_us;
    int64_t mirror_keep_us;
    uint64_t mirror_bytes;                        /* All shards together. */
    char mirror_archive[CONFIG_ARCHIVE_SIZE_MAX]; /* Below data_directory; "" : none. */
    char mirror_lake[CONFIG_PATH_SIZE_MAX];       /* Folder of Parquet files; "" : none. */
    uint64_t mirror_segment_bytes;
};

struct config_error {
    char file[CONFIG_PATH_SIZE_MAX];
    uint32_t line;   /* From 1; 0 when the file itself is the problem. */
    uint32_t column; /* From 1. */
    char text[512];  /* What is wrong, what is allowed. */
};

/* Where an expression stands in the definitions. */
enum config_site {
    CONFIG_SITE_WHERE,
    CONFIG_SITE_BY, /* The field that an aggregate with a condition is split by. */
    CONFIG_SITE_AGGREGATE,
    CONFIG_SITE_DERIVED,
    CONFIG_SITE_SERVICE,
};

struct config_expression {
    enum config_site site;
    uint16_t owner;                 /* Index of the view, or of the service. */
    uint16_t index;                 /* Of the aggregate, derived feature or item in it. */
    const struct expression *value; /* Checked. NULL: count() has none. */
    const struct expression *where; /* Of an aggregate, or of its `by`; NULL: it has none. */
};

struct config;
/* Is told each good expression while it is a tree, which goes when this returns; the plan is on its
 * way up to there. */
typedef void config_expression_tell(void *context, const struct config *config,
                                    const struct config_expression *expression);

#define CONFIG_PATTERN_ERROR_MAX 256

/* Whether an engine can compile these of a table's patterns; error: why not. */
typedef bool config_pattern_try(const struct pattern_table *table, uint32_t first, uint32_t count,
                                char error[CONFIG_PATTERN_ERROR_MAX]);

struct config_texts;

struct config {
    struct config_options options;
    struct plan plan;
    config_pattern_try *pattern_try; /* NULL: patterns are not compiled here. */
    config_expression_tell *tell;    /* NULL: nobody asks. */
    void *tell_context;
    /* Where it came from, where whoever loaded it has kept that; else NULL. Borrowed. */
    const struct config_texts *texts;
    const char *const *path;
    uint32_t path_count;
    uint32_t error_count; /* All errors found; the first CONFIG_ERRORS_MAX are kept. */
    struct config_error error[CONFIG_ERRORS_MAX];
};

/* Loads, checks and compiles. Returns RESULT_OK, or RESULT_INVALID with error_count > 0. config is
 * big (several MiB): the caller allocates it. A file without `appliance:` gets the defaults. */
MUST_USE enum result config_load(const char *const *paths, uint32_t path_count,
                                 struct config *out_config);
/* The same; patterns that cannot be compiled are errors, too. */
MUST_USE enum result config_load_trying(const char *const *paths, uint32_t path_count,
                                        config_pattern_try *pattern_try, struct config *out_config);
/* The same; tell is told the expressions. What it was told of files with errors means nothing. */
MUST_USE enum result config_load_telling(const char *const *paths, uint32_t path_count,
                                         config_pattern_try *pattern_try,
                                         config_expression_tell *tell, void *tell_context,
                                         struct config *out_config);

/* Texts of definition files, as they were read. */
struct config_text {
    char *name;
    char *text;
    uint64_t size;
};

struct config_texts {
    uint32_t count;
    uint32_t capacity;
    struct config_text *text;
};

void config_texts_free(struct config_texts *texts);
/* Adds a copy; false: no memory. */
bool config_texts_add(struct config_texts *texts, const char *name, const char *text,
                      uint64_t size);
/* As config_load_trying(), and keeps what was read in out_texts, also after errors. */
MUST_USE enum result config_load_keeping(const char *const *paths, uint32_t path_count,
                                         config_pattern_try *pattern_try,
                                         struct config_texts *out_texts, struct config *out_config);

/* Loads texts that were kept: nothing is read. They stay the caller's; the config knows them. */
MUST_USE enum result config_load_texts(const struct config_texts *texts,
                                       config_pattern_try *pattern_try, struct config *out_config);

/* Older loads that views of a running plan are from. */
#define CONFIG_LOADS_MAX 16

/* Definitions that run. A view that was replaced by a newer version while they ran is still in the
 * plan; its text is in a load before the newest. */
struct config_running {
    const struct plan *plan;
    uint32_t load_count;
    const struct config_texts *load[CONFIG_LOADS_MAX]; /* Newest first. */
    bool options_free; /* They ran in a process before: options may differ from theirs. */
};

/* Loads definitions that take the place of those that run, without a start: streams and options
 * must be the same, and so must each view that has the same version. Views that run keep their
 * indices, also those that the files have in a newer version; what is new stands behind them.
 * Objectives are those that run. Texts are kept as above. */
MUST_USE enum result config_load_beside(const struct config_running *running,
                                        const char *const *paths, uint32_t path_count,
                                        config_pattern_try *pattern_try,
                                        struct config_texts *out_texts, struct config *out_config);
/* As config_load(), from one text in memory (tests, fuzzing). name stands for the file in
 * errors. */
MUST_USE enum result config_load_text(const char *name, const char *text, uint64_t size,
                                      struct config *out_config);
