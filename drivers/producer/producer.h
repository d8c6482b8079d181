/* libfreshet-producer: sends events to a Freshet appliance and knows what became of them.
 *
 * Events are copied, packed into messages, sent over UDP, and sent again until the appliance says
 * that they are durable. Memory is bounded: what happens at the bound is the caller's choice.
 *
 *   struct freshet_producer_options options;
 *   struct freshet_producer *producer;
 *   freshet_producer_options_init(&options);
 *   options.server = "127.0.0.1:4700";
 *   ...
 *   freshet_producer_open(&options, &producer, error);
 *   freshet_producer_send(producer, &card, sizeof(card), event);
 *   freshet_producer_flush(producer, 1000000);
 *   freshet_producer_close(producer);
 *
 * Every event that was taken ends in exactly one callback: durable or lost. Durable is a promise of
 * the appliance; lost means that nobody knows: the event may still have arrived.
 *
 * Threads: any thread may call any function but close; calls take turns at one lock. Callbacks run
 * in whichever thread does the I/O (poll, flush, a send that blocks, or the library's own thread);
 * inside of them every function but freshet_producer_stats() returns FRESHET_PRODUCER_INSIDE.
 * Nothing here prints, reads the environment, changes signals or starts a thread by itself.
 *
 * The protocol is docs/producers.md. This header needs C99 or C++11 and nothing else of Freshet. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FRESHET_PRODUCER_KEY_BYTES         16
#define FRESHET_PRODUCER_LANES_MAX         64
#define FRESHET_PRODUCER_ERROR_BYTES       256
#define FRESHET_PRODUCER_MESSAGE_BYTES_MAX 8972

enum freshet_producer_result {
    FRESHET_PRODUCER_OK,
    FRESHET_PRODUCER_INVALID,   /* An option or argument breaks a rule. */
    FRESHET_PRODUCER_NO_MEMORY, /* The machine gave none. */
    FRESHET_PRODUCER_SYSTEM,    /* The operating system refused: errno says why. */
    FRESHET_PRODUCER_FULL,      /* The buffer is full and the policy is to refuse. */
    FRESHET_PRODUCER_TIMEOUT,   /* Not everything was settled in time. */
    FRESHET_PRODUCER_INSIDE     /* Called from within a callback. */
};

/* What freshet_producer_send() does when the buffer of the event's lane is full. */
enum freshet_producer_policy {
    FRESHET_PRODUCER_BLOCK,      /* Waits until there is room, doing the I/O meanwhile. */
    FRESHET_PRODUCER_REFUSE,     /* Returns FRESHET_PRODUCER_FULL; the event was not taken. */
    FRESHET_PRODUCER_DROP_OLDEST /* Gives the oldest message of the lane up: it is lost. */
};

enum freshet_producer_reason {
    FRESHET_PRODUCER_LOST_DROPPED, /* Made room for newer events (DROP_OLDEST). */
    FRESHET_PRODUCER_LOST_EXPIRED, /* Not durable within give_up_us. */
    FRESHET_PRODUCER_LOST_CLOSED,  /* Not durable when the producer was closed. */
    FRESHET_PRODUCER_REASON_COUNT
};

/* About all events of one message. Sequences count from 1 in each lane. */
typedef void freshet_producer_durable(void *context, uint16_t lane, uint64_t sequence,
                                      uint32_t events);
typedef void freshet_producer_lost(void *context, uint16_t lane, uint64_t sequence, uint32_t events,
                                   enum freshet_producer_reason reason);

struct freshet_producer_options {
    const char *server;   /* HOST:PORT or [ADDRESS]:PORT; borrowed during open. Needed. */
    uint64_t producer;    /* Who sends: no other sender may use the same number. Needed. */
    uint32_t incarnation; /* Greater at each start; 0 (default): seconds since 1970. */
    uint16_t stream;      /* Id of the events' stream. Needed. */
    uint16_t version;     /* Of the stream's schema; default 1. */
    uint16_t event_bytes; /* Size of every event. Needed. */

    bool has_key; /* False (default): messages carry no tag. */
    uint8_t key_epoch;
    uint8_t key[FRESHET_PRODUCER_KEY_BYTES]; /* Copied; wiped by close. */

    /* Events of before the stream came here: recorded for views that are filled later; no view that
     * runs takes them, and none is late. Default false. */
    bool history;
    /* The same events, in the same order and with the same options, may have been sent by an
     * earlier run of this incarnation, which ended anywhere: what is durable of them is durable at
     * once, and is not sent again. Messages end when they are full, or at a flush: linger_us is not
     * asked. Default false. */
    bool resumes;

    bool acked;             /* Default true. False: sends once, learns nothing, no callbacks. */
    uint32_t lanes;         /* At most, 1..64; default 16. As many as there are shards are used. */
    uint64_t buffer_bytes;  /* Of all lanes together; default 16 MiB, at least 4 messages a lane. */
    uint32_t message_bytes; /* Datagram size at most; default 1400. */
    uint32_t linger_us;     /* A message waits that long for further events; default 1000. */
    uint64_t give_up_us;    /* A message older than that is lost; 0 (default): never. */
    enum freshet_producer_policy policy; /* Default BLOCK. */

    freshet_producer_durable *durable; /* May be NULL, as the next two. */
    freshet_producer_lost *lost;
    void *context; /* Handed to both. */
};

struct freshet_producer_stats {
    uint64_t events_taken; /* = durable + sum of lost + held (acked producers). */
    uint64_t events_durable;
    uint64_t events_lost[FRESHET_PRODUCER_REASON_COUNT];
    uint64_t events_held;    /* Taken and not settled. */
    uint64_t events_refused; /* Not taken: FRESHET_PRODUCER_FULL. */
    uint64_t messages_sent;  /* Datagrams with events that were sent the first time. */
    uint64_t messages_retransmitted;
    uint64_t heartbeats;
    uint64_t acks;
    uint64_t datagrams_ignored; /* Received, but no acknowledgement for this producer. */
    uint64_t send_errors;       /* Datagrams that the kernel did not take. */
    uint32_t shard_count;       /* 0: not known yet. */
    uint32_t srtt_us;           /* Smoothed time from send to durable, lane 0; 0: none measured. */
    uint32_t rto_us;            /* Retransmission timeout of lane 0, without backoff. */
    bool held;                  /* The appliance says that its log takes nothing now. */
};

struct freshet_producer;

/* Sets every option to its default and the rest to 0. */
void freshet_producer_options_init(struct freshet_producer_options *options);

/* Resolves the server, makes the socket and all memory. On success *out_producer is the caller's
 * until freshet_producer_close(). Else it is NULL, the result says what kind of failure, and error
 * (may be NULL) a sentence. Copies the options. */
enum freshet_producer_result freshet_producer_open(const struct freshet_producer_options *options,
                                                   struct freshet_producer **out_producer,
                                                   char error[FRESHET_PRODUCER_ERROR_BYTES]);

/* Copies one event of event_bytes into a message. key: the bytes of the stream's shard key
 * (integers as 8 bytes little-endian), which steer it to the shard that owns its row; NULL with
 * size 0: not steered. Sends nothing by itself, unless BLOCK has to wait: poll does.
 * OK, FULL, INSIDE, or SYSTEM while blocked. */
enum freshet_producer_result freshet_producer_send(struct freshet_producer *producer,
                                                   const void *key, size_t key_bytes,
                                                   const void *event);
/* The same; also says which message the event is in, as the callbacks will name it. */
enum freshet_producer_result freshet_producer_send_to(struct freshet_producer *producer,
                                                      const void *key, size_t key_bytes,
                                                      const void *event, uint16_t *out_lane,
                                                      uint64_t *out_sequence);

/* Does all I/O that is due: receives acknowledgements, calls back, sends and sends again. Waits at
 * most wait_us for the next thing to do (0: not at all). Call it often: at least once a millisecond
 * while something is held, or start the thread. OK, INVALID beside a running thread, INSIDE, or
 * SYSTEM. */
enum freshet_producer_result freshet_producer_poll(struct freshet_producer *producer,
                                                   uint32_t wait_us);

/* Starts a thread that polls until close: nobody else needs to. It blocks all signals. OK, INVALID
 * when it runs already, SYSTEM. */
enum freshet_producer_result freshet_producer_start_thread(struct freshet_producer *producer);

/* The descriptor that becomes readable when poll has something to receive, for event loops;
 * borrowed. Timers come from freshet_producer_due_us(). */
int freshet_producer_descriptor(const struct freshet_producer *producer);

/* Microseconds until poll has something to do without anything received; 0: now; UINT64_MAX:
 * never. */
uint64_t freshet_producer_due_us(struct freshet_producer *producer);

/* Sends what lingers and waits until nothing is held. OK, TIMEOUT, INSIDE or SYSTEM. Everything is
 * still held and sent again after TIMEOUT. */
enum freshet_producer_result freshet_producer_flush(struct freshet_producer *producer,
                                                    uint64_t timeout_us);

/* May be called from callbacks, too. */
void freshet_producer_stats(struct freshet_producer *producer,
                            struct freshet_producer_stats *out_stats);

/* Ends the thread, calls back FRESHET_PRODUCER_LOST_CLOSED for all that is held, frees everything.
 * Sends nothing: flush first. No other call may run; not from callbacks. NULL is allowed. */
void freshet_producer_close(struct freshet_producer *producer);

/* Reads a key from a file: 32 hexadecimal digits (white space around them is skipped) or 16 bytes.
 * OK, SYSTEM (errno says why), or INVALID: the file is neither. */
enum freshet_producer_result
freshet_producer_key_of_file(const char *path, uint8_t out_key[FRESHET_PRODUCER_KEY_BYTES]);

/* A sentence for a result, and a word for a reason. Static; never NULL. */
const char *freshet_producer_result_name(enum freshet_producer_result result);
const char *freshet_producer_reason_name(enum freshet_producer_reason reason);

#ifdef __cplusplus
}
#endif
