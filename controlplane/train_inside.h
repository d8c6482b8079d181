/* What the files of training sets share.
 *
 * A part is a stretch of label rows: as many as the memory has room for. Its rows are looked up in
 * the label file, answered by the mirror in one go, and written to a file of their own (the
 * spool), which a run that was cut short finds again; what comes last stays in memory, since the
 * set is written next. When all parts are there, the label file is read once more beside them. So
 * the same labels over the same mirror give the same bytes, however often a run was cut short. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/config.h"
#include "controlplane/buffer.h"
#include "controlplane/label_table.h"
#include "controlplane/mirror_history.h"
#include "controlplane/threads.h"
#include "controlplane/train_pack.h"
#include "controlplane/train_spool.h"
#include "dataplane/feature/service.h"
#include "drivers/chunks.h"
#include "drivers/disk.h"
#include "drivers/memory.h"

#define TRAIN_PART_ROWS_MAX  (4u << 20)
#define TRAIN_ERROR_SIZE_MAX 1600u
#define TRAIN_PATH_SIZE_MAX  4096u
#define TRAIN_COLUMN_NONE    (-1)

struct train_options {
    const char *service;
    const char *labels;
    const char *out;
    const char *data; /* NULL: that of the definitions. */
    const char *mode; /* NULL: as_known */
    const char *time; /* Column; NULL: the first of those that are usual. */
    uint64_t threads; /* 0: all cores. */
    uint64_t memory_mib;
    uint64_t part_rows; /* 0: by the memory. */
    bool compare;       /* as_true: with what serving returned. */
    bool no_status;
    bool quiet;
    bool json;
    bool from_logged;
    const char *within; /* NULL: a day. */
    int argument_count; /* The command line, for the card. */
    char **arguments;
};

/* Reads of one view of the service. */
struct train_view {
    uint16_t view;
    uint16_t entity; /* Among the service's. */
    uint16_t first;  /* Of its answers in a row's. */
    uint16_t count;
    int time; /* Column of its own q; TRAIN_COLUMN_NONE: its entity's. */
};

/* Where a label row says which entity, and when. */
struct train_entity {
    int part[KEY_PARTS_MAX]; /* Columns of the key's parts; one when it is written as one. */
    uint32_t part_count;
    int time; /* Column of its own q; TRAIN_COLUMN_NONE: the row's. */
};

/* One part's rows, as the label file has them. */
struct train_part {
    uint32_t rows;
    struct history_read *read; /* Row by row, view_count each; a read's number is its place. */
    int64_t *request;          /* Row by row, the words of the service's fields, */
    uint32_t *request_null;    /* and which are null. */
    struct chunks text[THREADS_MAX]; /* Keys and texts of requests, by thread. */
    struct memory_region region;     /* Of reads: in large pages, since most of a part is these. */
};

/* What a run does at the moment. */
enum train_phase { TRAIN_LABELS, TRAIN_MIRROR, TRAIN_SET };

struct train_sums {
    uint64_t status[4];                         /* Values, by status. */
    uint64_t joined;                            /* Labels that a recorded answer was found for. */
    uint64_t differ[SERVICE_FEATURES_MAX];      /* By item: values that serving returned */
    uint64_t unexplained[SERVICE_FEATURES_MAX]; /* otherwise, and those that nothing explains. */
};

struct train {
    const struct train_options *options;
    const struct config *config;
    const struct plan_service *service;
    struct label_table *labels;
    struct mirror_history *mirror; /* NULL: from what was served. */
    struct mirror_history *known;  /* To compare with; NULL: nothing is. */
    struct train_logged *logged;   /* NULL: from the mirror. See train_logged.h. */
    struct disk *disk;             /* The folder of the training set. */
    const char *name;              /* Of the training set there. */
    enum history_mode mode;
    uint32_t thread_count;
    struct threads *threads; /* Of as many threads. */
    uint64_t memory_bytes;
    uint32_t view_count;
    struct train_view view[SERVICE_READS_MAX];
    uint16_t feature[SERVICE_READS_MAX]; /* By view. */
    uint32_t base[SERVICE_READS_MAX];    /* Of read i, its place among a row's answers. */
    struct train_entity entity[SERVICE_ENTITIES_MAX];
    int time;
    int request[SERVICE_REQUEST_MAX];
    uint64_t identity; /* Of everything that decides the bytes. */
    uint64_t label_hash[2];
    uint32_t part_rows;
    uint64_t rows; /* Done. */
    struct train_sums sums;
    struct train_pack pack;       /* Answers of the part in progress, */
    struct train_pack pack_known; /* and what serving returned. */
    /* The last part stays in memory, since the set is written next: its answers in the packs, or,
     * where it was answered in pieces, its values. No rows: it does not. */
    struct train_part last;
    struct train_spool_reader last_values;
    /* For whoever shows progress. */
    _Atomic uint64_t shared_rows;
    _Atomic uint32_t shared_part_rows;
    _Atomic enum train_phase shared_phase;
    char error[TRAIN_ERROR_SIZE_MAX];
};

__attribute__((format(printf, 2, 3))) enum result train_fail(struct train *train,
                                                             const char *format, ...);

/* "as_known", "as_true", "from_logged" */
const char *train_mode_name(const struct train *train);
/* Opens what the options name; options, config and mode are set. After an error train_close is due
 * too. */
MUST_USE enum result train_open(struct train *train);
void train_close(struct train *train);
/* Gives back labels and answers, once all rows are written. */
void train_rows_close(struct train *train);
/* Finds the columns that the service needs. */
MUST_USE enum result train_columns_find(struct train *train);
/* Reads the next rows of the label file, at most rows_max; part->rows 0: there are no more. */
MUST_USE enum result train_part_read(struct train *train, uint32_t rows_max,
                                     struct train_part *part);
void train_part_free(struct train_part *part);
/* Hears of answered rows [first, first + count), whose texts live during the call. */
typedef enum result train_rows(void *context, const struct train_part *part, uint32_t first,
                               uint32_t count);
/* Answers rows of a part, in order, as many at a time as the memory has room for. */
MUST_USE enum result train_rows_answer(struct train *train, struct train_part *part, uint32_t first,
                                       uint32_t count, train_rows *each, void *context);
/* Where values of answered rows are gathered, as a spool has them. */
struct train_values {
    struct train *train;
    struct buffer values;
    bool stays; /* All of the last part was answered at once: nothing is gathered. */
};
/* A train_rows; context: struct train_values. */
MUST_USE enum result train_rows_spool(void *context, const struct train_part *part, uint32_t first,
                                      uint32_t count);
/* Name of a part's spool, below the folder of train->disk. */
void train_spool_name(const struct train *train, uint32_t part, char out[DISK_NAME_SIZE_MAX]);
/* Whether the set's columns have names of their own, before work is done for them. */
MUST_USE enum result train_output_check(struct train *train);
/* Writes the training set, of all spools, beside the labels. */
MUST_USE enum result train_output_write(struct train *train, uint32_t part_count);
/* All of it: parts, the set, its card. */
MUST_USE enum result train_run(struct train *train);
/* `<out>.card.json` */
void train_card_path(const struct train *train, char out[TRAIN_PATH_SIZE_MAX]);
MUST_USE enum result train_card_write(struct train *train);
/* Of an older set, before another one takes its name: a card that is there is the set's. */
void train_card_remove(const struct train *train);
