/* What `freshet correct` does: finds recorded events by who sent them, and notes what they should
 * have been (controlplane/corrections.h). While no appliance runs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/config.h"
#include "controlplane/epochs.h"
#include "controlplane/store_log.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/correction.h"

#define CORRECT_ERROR_SIZE_MAX 512

/* One correction: asked for, then found. */
struct correct_item {
    bool replaces;
    uint64_t producer;
    uint64_t sequence;
    uint32_t incarnation;
    uint16_t lane;
    uint16_t place;
    char *event;   /* Owned: JSON. NULL: it is retracted. */
    uint64_t line; /* Of the file that asks for it; 0: of none. */
    /* Found. */
    bool found;
    uint32_t verdict;
    int64_t apply_us;
    uint64_t lsn;
    uint16_t shard;
    uint16_t stream_id;
    struct correction_event was; /* Its bytes are owned. */
    struct correction_event is;  /* The same. */
};

struct correct_list {
    struct correct_item *item; /* Owned. */
    uint32_t count;
    uint32_t capacity;
};

struct correct_order {
    const char *data;
    const struct config *config; /* NULL: by the plans that the store keeps. */
    const char *why;             /* NULL: nothing is said. */
    bool forget_older;           /* Also where rows lose what is kept no longer. */
    bool json;
};

/* A NUL-terminated copy, to be given back with heap_free(); NULL: no memory. */
char *correct_text_copy(const char *text, uint64_t size);
/* Appends an item; takes event. False: no memory, and event is freed. */
bool correct_list_add(struct correct_list *list, const struct correct_item *item);
void correct_list_free(struct correct_list *list); /* Zeros are fine. */

/* Reads items from CSV or NDJSON, told apart as by event_file.h: `action` (retract or replace),
 * `producer`, `incarnation`, `lane`, `sequence`, `place`, and `event`, an object (in CSV its text).
 * RESULT_INVALID: error says where and what is wrong. */
MUST_USE enum result correct_list_read(FILE *in, const char *name, struct correct_list *list,
                                       char error[CORRECT_ERROR_SIZE_MAX]);

/* Finds the items' events in the log of a data directory. RESULT_NOT_FOUND: some are not there,
 * or were not applied; error says which, and the oldest record that is kept. */
MUST_USE enum result correct_find(const char *directory, const struct store_log *log,
                                  struct correct_list *list, char error[CORRECT_ERROR_SIZE_MAX]);

/* Since when all records of a directory are kept, in the log and its archives; INT64_MIN: since the
 * store began. */
int64_t correct_kept_since_us(const char *directory, const struct store_log *log,
                              const struct epochs *epochs);

struct correct_listing {
    const char *data;
    const struct config *config; /* What corrections changed of its features, too; NULL: not. */
    const int64_t *at_us;        /* At which moment; NULL: when each was noted. */
    bool json;
};

/* Both return an exit code; what is wrong is said. */
int correct_run(const struct correct_order *order, struct correct_list *list);
int correct_show(const struct correct_listing *listing);
