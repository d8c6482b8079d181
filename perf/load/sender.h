/* The thread that sends events by the timetable: SBE messages on lanes of its own, with the asked
 * shares of late, duplicate and malformed ones mixed in. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "controlplane/sender_key.h"
#include "drivers/producer/producer.h"
#include "perf/load/event.h"
#include "perf/load/options.h"

struct sender_counts {
    uint64_t events; /* All that was handed to the kernel, of every kind. */
    uint64_t messages;
    uint64_t late;      /* Events; part of `events`, as the next two. */
    uint64_t duplicate; /* Events of messages sent again. */
    uint64_t malformed;
    uint64_t bad_tags; /* Messages; each counts as one event. */
    uint64_t refused;  /* Events that the kernel did not take. */
    int64_t behind_ns; /* Greatest lag behind the timetable. */
    int64_t unsent_ns; /* The timetable's end that was not sent: the sender was too slow. */
};

struct sender {
    const struct options *options; /* Borrowed. */
    struct event_maker maker;
    struct schedule schedule;
    struct random random;
    uint64_t producer;
    uint32_t incarnation;
    uint64_t sequence[OPTIONS_LANES_MAX]; /* Owner: the thread; next one, from 1. */
    uint32_t lane;                        /* Owner: the thread; next one. */
    uint32_t malformed_kind;              /* Owner: the thread; next one. */
    double malformed_owed;                /* Owner: the thread. */
    double duplicate_owed;                /* Owner: the thread. */
    bool duplicate_ready;                 /* Owner: the thread; the last message may be repeated. */
    uint32_t last_size;
    uint32_t last_events;
    int fd;
    const struct sender_key *key;            /* Borrowed; NULL: no tags. */
    struct freshet_producer *producer_acked; /* With --acked; borrowed. */
    struct freshet_producer_stats acked; /* The same. Owner: the thread until it has finished. */
    int64_t start_ns;                    /* Monotonic time of the timetable's zero. */
    int64_t start_time_us;               /* The same moment as an event time. */
    pthread_t thread;
    _Atomic bool shared_stop;
    _Atomic bool shared_finished; /* Owner: the thread. */
    /* Owner: the thread; order as struct sender_counts. */
    _Atomic uint64_t shared_events;
    _Atomic uint64_t shared_messages;
    _Atomic uint64_t shared_late;
    _Atomic uint64_t shared_duplicate;
    _Atomic uint64_t shared_malformed;
    _Atomic uint64_t shared_bad_tags;
    _Atomic uint64_t shared_refused;
    _Atomic int64_t shared_behind_ns;
    _Atomic int64_t shared_unsent_ns;
    uint8_t last[MESSAGE_SIZE_MAX]; /* Owner: the thread. */
};

/* Starts the thread. fd: a connected UDP socket, borrowed; key: what tags are made by, borrowed, or
 * NULL; acked: a producer, borrowed, by which events go instead, or NULL. The maker is copied. */
int sender_start(struct sender *sender, const struct options *options,
                 const struct event_maker *maker, uint64_t producer, int fd,
                 const struct sender_key *key, struct freshet_producer *acked);
/* Any thread. */
void sender_counts_read(const struct sender *sender, struct sender_counts *out);
/* Asks the thread to end and waits for it. */
void sender_stop(struct sender *sender);
