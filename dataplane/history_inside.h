/* What the files of history share. */
#pragma once

#include "dataplane/base/sort.h"
#include "dataplane/feature/burst.h"
#include "dataplane/feature/compute.h"
#include "dataplane/feature/decode.h"
#include "dataplane/history.h"
#include "dataplane/history_keep.h"
#include "dataplane/history_rows.h"
#include "dataplane/reader.h"
#include "dataplane/worker_state.h"
#include "drivers/chunks.h"
#include "drivers/clock.h"
#include "drivers/memory.h"

#define HISTORY_BATCH_MAX   256u
#define HISTORY_SPACE_BYTES (2 * MIB)
#define HISTORY_PLACE_NONE  0xffu

struct history_look;

/* A stream of which some view is asked for. */
struct history_stream {
    struct decode_plan probe;            /* Time and keys. */
    struct decode_plan taken;            /* Time, and what views that are asked for take. */
    uint32_t view_count;                 /* Asked for, */
    uint8_t place[VIEWS_PER_STREAM_MAX]; /* by place among the stream's views. */
    struct burst *burst;
    uint8_t *space; /* Blocks of its events. */
    uint64_t space_used;
    uint32_t views[BURST_EVENTS_MAX]; /* Places of views that take each event. */
    /* Of each event of the burst: its shard's watermark before its T. */
    int64_t before_us[BURST_EVENTS_MAX];
    struct history_look *look; /* Owned; of a team's hand alone. */
};

/* What a shard's entries mean now. */
struct history_shard {
    int64_t watermark_us[STREAMS_MAX];
    int64_t watermark_before_us[STREAMS_MAX]; /* Before the records of the latest T, */
    int64_t apply_us;                         /* which is this. */
    int64_t watermark_burst_us[STREAMS_MAX];  /* Before the first event that is gathered. */
    int64_t history_us[STREAMS_MAX];          /* Newest event of history. */
    uint64_t forward_lsn[SHARDS_MAX];         /* By home, the last forward that is not void. */
    /* By stream and place now: the place then; none: the view did not live. */
    struct history_places places;
};

/* TRUE: an event that waits. Its block follows, to a multiple of 8 bytes. */
struct history_event {
    int64_t time_us; /* As the edges of its views have it. */
    uint64_t order;
    int64_t came_us; /* T; INT64_MAX: it was too late. */
    uint32_t views;  /* Places. */
    uint16_t stream;
    uint16_t version;
    uint32_t stride;
    uint32_t zero;
};

struct history {
    struct history_options options;
    struct clock clock;
    struct memory_region region;
    struct worker *worker;
    struct reader *reader;
    struct history_rows *rows; /* A hand's are its team's: it does not write them. */
    struct history_team *team; /* NULL: it is no hand of one. */
    uint32_t next;             /* Read in the order of rows that is not due yet. */
    uint32_t shard_count;
    struct history_shard *shard;                /* SHARDS_MAX */
    struct history_stream *stream[STREAMS_MAX]; /* NULL: no view of it is asked for. */
    struct burst probe;
    struct program_space program_space;
    struct pattern_bits pattern_bits;
    uint64_t key_hash[VIEWS_PER_STREAM_MAX][BURST_EVENTS_MAX]; /* hash_owner() */
    uint8_t *key; /* VIEWS_PER_STREAM_MAX * BURST_EVENTS_MAX keys, KEY_SIZE_MAX apart. */
    uint16_t key_size[VIEWS_PER_STREAM_MAX][BURST_EVENTS_MAX];
    uint32_t take[BURST_EVENTS_MAX];      /* Places of views that take the event of the probe. */
    int64_t came_us[BURST_EVENTS_MAX];    /* TRUE: its T; INT64_MAX: it was too late. */
    int64_t horizon_us[BURST_EVENTS_MAX]; /* The watermark that it goes by. */
    const struct correction *correction[BURST_EVENTS_MAX]; /* Of an event that was corrected, */
    uint32_t corrected[BURST_EVENTS_MAX];                  /* and what took it as it came. */
    uint32_t generation_burst;
    bool gathers; /* Events of this generation are gathered. */
    uint32_t generation_batch;
    struct reader_query query[HISTORY_BATCH_MAX];
    uint32_t query_read[HISTORY_BATCH_MAX]; /* The read behind each. */
    uint32_t query_count;
    uint32_t query_answers;
    struct answer *answer; /* Owned; where reads' own do not take them: of a batch, of a hand of one
                            * read. */
    struct chunks text;    /* Of answers. */
    /* Of a hand: */
    struct history_keep keep;  /* what rows take, */
    struct history_hand *hand; /* and where it is in the logs. */
    int64_t again_us;          /* T of records that are given again. */
    /* TRUE, of no team: events that wait. */
    uint8_t *event; /* options.event_bytes */
    uint64_t event_used;
    uint64_t event_count;
    int64_t from_us;  /* Of this scan: events before it are in the rows, */
    int64_t until_us; /* those from here on have no room. */
};

/* Events of a record that are in the probe. */
struct history_part {
    uint32_t first; /* Of the record's. */
    bool again;
    bool corrected;        /* One event, as it should have been: whichever rows it is about. */
    const uint64_t *order; /* NULL where it is the message's. */
};

/* Begins a T of a shard: its watermarks stand as they were before it. */
void history_apply_begin(struct history *history, uint32_t shard, int64_t apply_us);

/* Applies what is gathered; reads that wait are answered first. */
MUST_USE enum result history_flush(struct history *history);
/* Computed columns, and which views take each event. */
void history_burst_compute(struct history *history, struct history_stream *own);
/* The first event of a burst: horizons stay where they were before its T. */
void history_horizons_note(struct history *history);
/* Asks for an answer, in a batch where it can be; what is gathered of its row is applied. */
MUST_USE enum result history_read_ask(struct history *history, uint32_t read);

/* Room for the answers of so many reads, where reads' own do not take them. */
MUST_USE enum result history_answers_reserve(struct history *history, uint32_t reads);
/* Where a read's answers go: its own, or behind `first` answers of others. */
static inline struct answer *history_answers_of(const struct history *history,
                                                const struct history_read *read, uint32_t first)
{
    return history->answer == NULL ? read->answer : history->answer + first;
}
/* Hands answers on, or keeps what they borrow as long as the history. */
MUST_USE enum result history_answers_take(struct history *history, const struct history_read *read,
                                          const struct answer *answer);
/* Answers the reads that wait. */
MUST_USE enum result history_reads_run(struct history *history);
/* Takes the reads that are due up to a moment, it included. */
MUST_USE enum result history_reads_take(struct history *history, int64_t until_us);

/* Time and keys of some events of a message or forward; those that no view takes (history->take)
 * get no key. */
void history_probe(struct history *history, uint32_t stream, const struct wire_message *wire,
                   uint32_t first, uint32_t count);
/* Row of an event of the probe in the stream's view w of those that are asked for;
 * HISTORY_SLOT_NONE. */
uint32_t history_probe_slot(const struct history *history, uint32_t stream, uint32_t w,
                            uint32_t event);
/* Gathers events [first, first + count) of the probe, which one another's bytes follow, by
 * history->take. order: NULL where it is the message's. */
MUST_USE enum result history_gather(struct history *history, uint32_t stream,
                                    const struct wire_message *wire, uint32_t probe_first,
                                    uint32_t first, uint32_t count, const uint64_t *order);

/* TRUE: keeps the events of the probe that rows take; then applies them in the order of time. */
MUST_USE enum result history_true_open(struct history *history);
MUST_USE enum result history_true_keep(struct history *history, uint32_t stream,
                                       const struct wire_message *wire, uint32_t probe_first,
                                       const uint64_t *order);
MUST_USE enum result history_true_apply(struct history *history, bool *out_more);

/* A message or forward, from which rows take what is theirs. again: for owners that never logged
 * it. */
MUST_USE enum result history_record_take(struct history *history, uint32_t shard,
                                         const struct mirror_entry *entry, bool again);
/* Whether a view's event is this record's to apply: a message's is its own shard's, but of views
 * that did not live; what a forward names is its owner's. */
bool history_event_is_ours(const struct history *history, uint32_t stream, uint32_t shard,
                           const struct mirror_entry *entry, uint32_t w, struct history_part part,
                           uint64_t owner_hash, uint32_t event);
/* Whether no key needs to be asked for that: each is, or with part.again none. */
bool history_events_are_ours(const struct history *history, const struct mirror_entry *entry,
                             struct history_part part);

/* Of a team's hand: looks at events of a record that are judged, together with others of their
 * stream; keeps what rows take when there is no room for more. See history_look.h. */
MUST_USE enum result history_hand_look(struct history *history, uint32_t stream, uint32_t shard,
                                       const struct mirror_entry *entry,
                                       const struct wire_message *wire, struct history_part part,
                                       uint32_t count);
/* Keeps what rows take of the events that were looked at. */
MUST_USE enum result history_hand_flush(struct history *history);
/* Before a T of a shard. */
MUST_USE enum result history_hand_apply_begin(struct history *history, uint32_t shard,
                                              int64_t apply_us);

/* Bursts and space of the streams that are asked for, and what a probe needs; a hand needs no
 * more. */
MUST_USE enum result history_parts_open(struct history *history);
